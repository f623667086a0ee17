//! What is new, changed, gone, or put aside?

use std::collections::{BTreeMap, HashMap, HashSet};

use safepassage_access::{Acl, Attribute, LabelRank, Labels, Tenant, Version};
use safepassage_error::{Error, Result};
use safepassage_index::{Index, Snapshot};
use safepassage_models::{Cleared, Embedder};
use serde_json::{Map, Value};

use super::derived;
use super::permit::Statement;
use super::{Progress, Report};
use crate::parse::{Parsed, ParserProcess, parse};
use crate::source::{self, AclObject, At, Entry, Fault, Format, InStore, Outline, Rows, Source, SourceSpec};

/// Documents read at once while planning.
const AT_ONCE: usize = 512;

/// What an index wants of every document.
pub(crate) struct IndexRules {
    pub labels: Labels,
    /// Fields of the metadata that policies know.
    pub policy_attributes: Vec<String>,
    /// The ACL objects that are stated.
    objects: HashSet<(Tenant, Box<str>)>,
    /// The highest label that each model of a chain may read, and its name; none for one that computes here.
    cleared: Vec<(LabelRank, String)>,
}

/// Which model of a chain reads a text: by its place, from the one that is asked first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reader(pub usize);

impl IndexRules {
    /// Of `index`, once the ACL objects of a file are stated too, for a model that may be cleared for some labels only.
    ///
    /// # Errors
    /// `Invalid` if it is cleared for a label that the index does not have; `Corrupted`, `Unavailable`.
    pub fn of(index: &Index, stated: &[AclObject], embedder: Option<&dyn Embedder>) -> Result<Self> {
        let mut chain: Vec<Cleared> = embedder.and_then(Embedder::cleared).cloned().into_iter().collect();
        let mut above = embedder.and_then(Embedder::above);
        while let Some(model) = above {
            chain.extend(model.cleared().cloned());
            above = model.above();
        }
        index.with_plane(|plane| {
            let policy_attributes = plane.policies().map(|policies| policies.attributes.clone()).unwrap_or_default();
            let known = plane.stated_objects().map(|(tenant, name)| (tenant.clone(), name.into()));
            let stated = stated.iter().map(|object| (object.tenant.clone(), object.name.clone()));
            let labels = plane.labels().clone();
            let cleared = |cleared: &Cleared| Ok((labels.rank(cleared.highest_label())?, cleared.name().to_owned()));
            let cleared = chain.iter().map(cleared).collect::<Result<_>>()?;
            Ok(Self { labels, policy_attributes, objects: known.chain(stated).collect(), cleared })
        })
    }

    /// Whether texts leave the process for the model.
    pub fn is_elsewhere(&self) -> bool {
        !self.cleared.is_empty()
    }

    /// Which model texts with this label may be sent to: the first that is cleared for it.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn reader(&self, label: LabelRank) -> std::result::Result<Reader, String> {
        let reader = self.cleared.iter().position(|(highest, _)| label <= *highest);
        match (reader, self.cleared.iter().max_by_key(|(highest, _)| *highest)) {
            (Some(reader), _) => Ok(Reader(reader)),
            (None, None) => Ok(Reader::default()),
            (None, Some((highest, model))) => {
                let (label, highest) = (self.labels.name(label), self.labels.name(*highest));
                Err(format!("its label `{label}` is above `{highest}`, the highest that the model `{model}` may read"))
            }
        }
    }

    /// Whether the ACL objects that these ACLs name are stated; a document under another would be visible to nobody, and
    /// a name is mistyped more often than meant so.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn check_parents<'a>(
        &self,
        tenant: &Tenant,
        acls: impl IntoIterator<Item = &'a Acl>,
    ) -> std::result::Result<(), String> {
        for parent in acls.into_iter().filter_map(|acl| acl.parent.as_ref()) {
            if !self.objects.contains(&(tenant.clone(), parent.clone())) {
                return Err(format!("it names the ACL object `{parent}`, which is not stated"));
            }
        }
        Ok(())
    }

    /// What policies know of a document with this metadata. A value that is none of theirs is left out: what asks for
    /// it does not permit.
    pub fn attributes(&self, metadata: Option<&Map<String, Value>>) -> BTreeMap<String, Attribute> {
        let known = |name: &String| {
            let value = serde_json::from_value(metadata?.get(name)?.clone()).ok()?;
            Some((name.clone(), value))
        };
        self.policy_attributes.iter().filter_map(known).collect()
    }
}

/// What a source says about one document, without its text.
pub(super) struct Planned {
    pub source: usize,
    pub entry: Entry,
    pub tenant: Tenant,
    /// The id within the index.
    pub id: String,
    pub stated: Stated,
    /// Which model may read it, and what it was derived from.
    pub reader: Reader,
}

/// What was read.
pub(super) enum Stated {
    /// The document can be indexed.
    Whole { version: Version, statement: Box<Statement> },
    /// The text cannot be used, but who may read the old one is known.
    PermissionOnly { acl: Box<Acl>, label: LabelRank },
    /// Not even that: the old one is hidden until the fault is mended.
    Hidden,
}

pub(super) struct Plan {
    pub sources: Vec<Box<dyn Source>>,
    /// What each source is called in the index.
    pub keys: Vec<String>,
    pub documents: Vec<Planned>,
    /// Live documents of these sources that they no longer have.
    pub gone: Vec<(Tenant, String)>,
    /// Where files that may be anything are parsed, if not here.
    pub parser: Option<ParserProcess>,
}

impl Planned {
    fn derived_from_mut(&mut self) -> &mut [String] {
        match &mut self.stated {
            Stated::Whole { statement, .. } => &mut statement.derived_from,
            _ => &mut [],
        }
    }
}

impl Plan {
    /// What becomes of a file.
    pub fn parse(&self, content: &[u8], format: Format) -> Result<Parsed> {
        self.parser.as_ref().map_or_else(|| parse(content, format), |parser| parser.parse(content, format))
    }

    /// Puts what was derived from other documents after them, and aside what was derived from one that no source here
    /// has, or from itself.
    fn order_derived(&mut self, known: impl Fn(&Tenant, &str) -> bool, report: &mut Report) {
        for planned in &mut self.documents {
            let (tenant, id) = (planned.tenant.clone(), planned.id.clone());
            let lost = planned.derived_from_mut().iter().find(|input| **input == id || !known(&tenant, input)).cloned();
            if let Some(lost) = lost {
                report.skip(id, format!("it is derived from `{lost}`, which is not another document of these sources"));
                planned.stated = Stated::Hidden;
            }
        }
        self.documents.sort_by_key(|planned| match &planned.stated {
            Stated::Whole { statement, .. } => !statement.derived_from.is_empty(),
            _ => false,
        });
    }
}

/// A source that is open.
pub(super) struct Opened {
    /// What stands before its ids.
    name: Option<String>,
    /// What it is called in the index.
    key: String,
    source: Box<dyn Source>,
}

impl Opened {
    /// Rows that are called `name`: no name of another kind of source is like theirs.
    pub fn rows(name: &str, rows: Rows) -> Result<Self> {
        check_name(name)?;
        Ok(Self { name: None, key: format!("(rows {name})"), source: Box::new(rows) })
    }
}

/// The sources of `specs`.
pub(super) fn open(specs: &[SourceSpec], how: &InStore<'_>) -> Result<Vec<Opened>> {
    if how.only.is_some() && !matches!(specs, [spec] if spec.is_url()) {
        let message =
            "some files of a source can be looked at alone only if it is the one source, and the URL of a store";
        return Err(Error::invalid("sync", message));
    }
    specs.iter().map(|spec| open_one(spec, how)).collect()
}

pub(super) fn make(
    opened: Vec<Opened>,
    snapshot: &Snapshot,
    rules: &IndexRules,
    report: &mut Report,
    progress: &dyn Progress,
) -> Result<Plan> {
    let mut plan =
        Plan { sources: Vec::new(), keys: Vec::new(), documents: Vec::new(), gone: Vec::new(), parser: None };
    let mut owners = HashMap::<(Tenant, String), usize>::new();
    let (mut keeps_all, mut scopes) = (Vec::new(), Vec::new());
    for (s, Opened { name, key, source }) in opened.into_iter().enumerate() {
        if plan.keys.contains(&key) {
            return Err(Error::invalid("sync", format!("the source `{key}` is given twice")));
        }
        progress.begin("listing", 0);
        let listing = source.list()?;
        report.warnings.extend(source.unmatched_acls(&listing));
        report.warnings.extend(listing.warnings);
        let id = |id: &str| name.as_ref().map_or_else(|| id.to_owned(), |name| format!("{name}/{id}"));
        for (document, reason) in listing.skipped {
            // What was there under this id stays as it is: it was neither read nor is it gone.
            owners.insert((Tenant::default(), id(&document)), s);
            report.skip(id(&document), reason);
        }
        keeps_all.push(listing.unidentified);
        scopes.push(listing.only.map(|only| only.iter().map(|file| id(file)).collect::<HashSet<_>>()));
        progress.begin("reading", listing.entries.len() as u64);
        for part in listing.entries.chunks(AT_ONCE) {
            let entries: Vec<&Entry> = part.iter().collect();
            let live = |entry: &Entry| snapshot.find(&Tenant(entry.tenant.clone()), &id(&entry.id));
            let live: Vec<_> = part.iter().map(|entry| live(entry).map(|document| document.version)).collect();
            let outlines = source.outlines(&entries, &live)?;
            for (entry, read) in part.iter().zip(outlines) {
                let read = digest(entry, read, rules);
                let (tenant, document_id) = (Tenant(entry.tenant.clone()), id(&entry.id));
                check_owner(snapshot, &owners, &plan.keys, (&tenant, &document_id), &key)?;
                owners.insert((tenant.clone(), document_id.clone()), s);
                let stated = match read {
                    Ok((stated, true)) => stated,
                    Ok((stated, false)) => {
                        report.without_acl += 1;
                        if report.without_acl_documents.len() < 100 {
                            report.without_acl_documents.push(document_id.clone());
                        }
                        stated
                    }
                    Err((stated, reason)) => {
                        let place = if entry.place == entry.id { String::new() } else { format!("{}: ", entry.place) };
                        report.skip(document_id.clone(), format!("{place}{reason}"));
                        stated
                    }
                };
                let reader = Reader::default();
                let mut planned = Planned { source: s, entry: entry.clone(), tenant, id: document_id, stated, reader };
                for input in planned.derived_from_mut() {
                    *input = id(input);
                }
                plan.documents.push(planned);
            }
            progress.advance(part.len() as u64);
        }
        plan.sources.push(source);
        plan.keys.push(key);
    }
    plan.order_derived(|tenant, id| owners.contains_key(&(tenant.clone(), id.to_owned())), report);
    derived::find_readers(&mut plan.documents, rules, report);
    for document in snapshot.documents() {
        let Some(s) = plan.keys.iter().position(|key| key == document.source) else { continue };
        if scopes[s].as_ref().is_some_and(|scope| !is_within(document.id, scope)) {
            continue;
        }
        let known = (document.tenant.clone(), document.id.to_owned());
        match owners.contains_key(&known) {
            true => {}
            false if keeps_all[s] => {
                // Gone, or behind something that could not be read and might have closed it: hidden until that is known.
                let (tenant, id) = known;
                let entry =
                    Entry { tenant: tenant.0.clone(), id: id.clone(), place: String::new(), bytes: 0, at: At::Nowhere };
                let (stated, reader) = (Stated::Hidden, Reader::default());
                plan.documents.push(Planned { source: s, entry, tenant, id, stated, reader });
            }
            false => plan.gone.push(known),
        }
    }
    if keeps_all.contains(&true) {
        let message = "nothing is deleted in this run, because something that could not be read may be a document of the index; what was not seen is hidden until all can be read";
        report.warnings.push(message.into());
    }
    Ok(plan)
}

/// Whether a document is one of these files, or a row of one.
fn is_within(id: &str, files: &HashSet<String>) -> bool {
    files.contains(id) || id.rsplit_once('#').is_some_and(|(file, _)| files.contains(file))
}

fn open_one(spec: &SourceSpec, how: &InStore<'_>) -> Result<Opened> {
    let (key, source) = match spec.url() {
        None => {
            let source = source::open(spec, how)?;
            (key(spec)?, source)
        }
        Some(url) => {
            let (url, source) = source::open_store(url, how)?;
            (if spec.name.is_some() { key(spec)? } else { url }, source)
        }
    };
    Ok(Opened { name: spec.name.clone(), key, source })
}

/// A source is known by its name, else by where it lies.
fn key(spec: &SourceSpec) -> Result<String> {
    if let Some(name) = &spec.name {
        check_name(name)?;
        return Ok(name.clone());
    }
    let path = std::fs::canonicalize(&spec.path)
        .map_err(|e| Error::new(safepassage_error::Kind::Unavailable, "open source", e.to_string()))?;
    Ok(path.display().to_string())
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.starts_with('(') || name.contains('/') || name.chars().any(char::is_control) {
        let message = format!("`{name}` cannot name a source: no `/`, no control character, no `(` in front");
        return Err(Error::invalid("sync", message));
    }
    Ok(())
}

fn check_owner(
    snapshot: &Snapshot,
    owners: &HashMap<(Tenant, String), usize>,
    keys: &[String],
    (tenant, id): (&Tenant, &str),
    key: &str,
) -> Result<()> {
    let now = owners.get(&(tenant.clone(), id.to_owned())).and_then(|&s| keys.get(s)).map(String::as_str);
    let before = snapshot.find(tenant, id).map(|document| document.source);
    match now.or(before).filter(|owner| *owner != key) {
        None => Ok(()),
        Some(owner) => {
            let message =
                format!("the id `{id}` also comes from `{owner}`; name the sources: NAME=PATH gives `NAME/{id}`");
            Err(Error::invalid("sync", message))
        }
    }
}

/// Whether the document states an ACL, or why it cannot be used.
type Read = std::result::Result<(Stated, bool), (Stated, String)>;

fn digest(entry: &Entry, read: std::result::Result<Outline, Fault>, rules: &IndexRules) -> Read {
    let tenant = Tenant(entry.tenant.clone());
    let rank = |label: &Option<String>| match label {
        None => Ok(rules.labels.default_rank()),
        Some(name) => rules.labels.rank(name).map_err(|e| e.message().to_owned()),
    };
    match read {
        Ok(outline) => {
            let label = rank(&outline.label).map_err(|reason| (Stated::Hidden, reason))?;
            let acls = outline.acl.iter().chain(&outline.sections);
            rules.check_parents(&tenant, acls).map_err(|reason| (Stated::Hidden, reason))?;
            if !outline.sections.is_empty() && !outline.is_text {
                let reason = "sections are bytes of a text, and this kind of file has none of its own".to_owned();
                return Err((Stated::Hidden, reason));
            }
            if let Err(reason) = rules.reader(label) {
                // Its text is not sent, so its content cannot change; who may read the old one still can.
                let acl = Box::new(outline.acl.unwrap_or_default());
                return Err((Stated::PermissionOnly { acl, label }, reason));
            }
            let stated = outline.acl.is_some();
            let attributes = rules.attributes(outline.metadata.as_ref());
            let Outline { version, acl, sections, derived_from, .. } = outline;
            let statement = Statement { acl: acl.unwrap_or_default(), label, attributes, sections, derived_from };
            Ok((Stated::Whole { version, statement: Box::new(statement) }, stated))
        }
        Err(Fault { reason, permission }) => match permission.map(|permission| (permission.0, rank(&permission.1))) {
            Some((acl, Ok(label))) if rules.check_parents(&tenant, &acl).is_ok() => {
                Err((Stated::PermissionOnly { acl: Box::new(acl.unwrap_or_default()), label }, reason))
            }
            _ => Err((Stated::Hidden, reason)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Format, Section, SourceDocument};

    #[test]
    fn sections_of_what_is_no_text_hide_the_document() {
        let rules = IndexRules {
            labels: Labels::default(),
            policy_attributes: Vec::new(),
            objects: HashSet::default(),
            cleared: Vec::new(),
        };
        let entry = Entry { tenant: String::new(), id: "a".into(), place: "a".into(), bytes: 3, at: At::Nowhere };
        let of = |format| SourceDocument {
            title: None,
            uri: None,
            content: b"abc".to_vec(),
            format,
            acl: Some(Acl::default()),
            label: None,
            sections: vec![Section { span: (0, 1), acl: Acl::default() }],
            derived_from: Vec::new(),
            metadata: None,
        };
        assert!(matches!(digest(&entry, Ok(of(Format::Markdown).outline()), &rules), Ok((Stated::Whole { .. }, true))));
        let Err((Stated::Hidden, reason)) = digest(&entry, Ok(of(Format::Pdf).outline()), &rules) else {
            panic!("not hidden")
        };
        assert!(reason.contains("sections are bytes of a text"), "{reason}");
    }
}
