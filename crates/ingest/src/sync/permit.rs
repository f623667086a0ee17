//! Who may now read what: written before the content it comes with.

use std::collections::{BTreeMap, HashMap, HashSet};

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, Attribute, Binding, DocumentAccess, DocumentNumber, Input, LabelRank, Origin,
    Tenant, Version,
};
use safepassage_error::Result;
use safepassage_index::Index;

use super::Report;
use super::plan::{Plan, Stated};

/// Documents whose events make one epoch.
pub(super) const PER_EPOCH: usize = 5_000;

/// The version of content that a source has and that could not be read. No row is ever of it, so what is bound to it
/// narrows the rows that are there and opens none: a widening stated beside a broken text must not open the old text.
const UNREAD: Version = Version(0);

/// Writes what `plan` says about permissions; counts documents that only change in that.
///
/// Whoever changed a document's permissions after `base_epoch`, while this job was reading, is newer than what it read.
pub(super) fn permit(index: &Index, plan: &Plan, base_epoch: u64, dry_run: bool, report: &mut Report) -> Result<()> {
    let snapshot = index.snapshot()?;
    for part in plan.documents.chunks(PER_EPOCH) {
        let mut permission_only = 0;
        let mut propose = |plane: &AccessPlane| {
            permission_only = 0;
            let newer: HashSet<DocumentNumber> = plane.changes_since(base_epoch).collect();
            let mut statements = Statements::new(plane);
            for planned in part {
                let live = snapshot.find(&planned.tenant, &planned.id).map(|document| document.version);
                let (tenant, id) = (&planned.tenant, &planned.id);
                match &planned.stated {
                    Stated::Whole { version, statement } => {
                        let written = statements.state(tenant, id, *version, Statement::clone(statement), &newer);
                        permission_only += u64::from(written && live == Some(*version));
                    }
                    Stated::PermissionOnly { acl, label } => {
                        statements.narrow(tenant, id, Some((Acl::clone(acl), *label)))
                    }
                    Stated::Hidden => statements.narrow(tenant, id, None),
                }
            }
            Ok(statements.events)
        };
        if dry_run {
            index.with_plane(|plane| propose(plane).map(drop))?;
        } else {
            index.commit_access(&mut propose)?;
        }
        report.permission_only += permission_only;
    }
    Ok(())
}

/// What is stated of one document beside its content.
#[derive(Debug, Clone, Default)]
pub(super) struct Statement {
    pub acl: Acl,
    pub label: LabelRank,
    /// What policies know of it.
    pub attributes: BTreeMap<String, Attribute>,
    /// ACLs of its narrower sections, in order.
    pub sections: Vec<Acl>,
    /// Ids of the documents of its tenant that it was derived from.
    pub derived_from: Vec<String>,
}

/// Events that make the plane say what sources say.
pub(super) struct Statements<'a> {
    plane: &'a AccessPlane,
    next: u32,
    pub events: Vec<AccessEvent>,
    /// The newest content of documents that these events speak of.
    stated: HashMap<(Tenant, String), Input>,
}

impl<'a> Statements<'a> {
    pub fn new(plane: &'a AccessPlane) -> Self {
        Self { plane, next: plane.next_number(), events: Vec::new(), stated: HashMap::new() }
    }

    /// What content of the documents `ids` was derived from: what they say now, unless `current` says it of the same
    /// content already. `None` if one of them is not there.
    fn inputs(&self, tenant: &Tenant, ids: &[String], current: Option<&Binding>) -> Option<Vec<Input>> {
        let stated = current.map(|current| &current.derived_from[..]).unwrap_or_default();
        if stated.iter().map(|input| self.plane.id(input.number)).eq(ids.iter().map(|id| Some(id.as_str()))) {
            return Some(stated.to_vec());
        }
        let newest = |id: &String| {
            let stated = self.stated.get(&(tenant.clone(), id.clone())).copied();
            let known = || self.plane.number(tenant, id).and_then(|number| self.plane.document(number));
            stated.or_else(|| known().map(|known| Input { number: known.number, version: last_said(&known).version }))
        };
        ids.iter().map(newest).collect()
    }

    /// The source says `stated` of `version` of a document. Returns whether that was news.
    ///
    /// An ACL that a person set holds until the source says something else than it did then; and so does one that changed
    /// while the source was being read (`newer`). What sections and policies need comes with the content.
    pub fn state(
        &mut self,
        tenant: &Tenant,
        id: &str,
        version: Version,
        stated: Statement,
        newer: &HashSet<DocumentNumber>,
    ) -> bool {
        let number = self.plane.number(tenant, id);
        let known = number.and_then(|number| self.plane.document(number));
        let Statement { mut acl, label, attributes, sections, derived_from } = stated;
        let current = known.as_ref().map(DocumentAccess::current).filter(|current| current.version == version);
        let derived_from = self.inputs(tenant, &derived_from, current).unwrap_or_else(|| {
            // Nobody can be known to have been allowed what is not there.
            acl = Acl::default();
            Vec::new()
        });
        let by_source = Binding { attributes, sections, derived_from, ..Binding::by_source(version, acl, label) };
        let binding = match &known {
            None => by_source,
            Some(known) => {
                let said = last_said(known);
                let meanwhile = number.is_some_and(|number| newer.contains(&number));
                let says_the_same = said.source_acl == by_source.source_acl && said.label == label;
                let kept = meanwhile || (says_the_same && said.origin == Origin::Set);
                let Binding { attributes, sections, derived_from, .. } = by_source.clone();
                let current = known.current();
                let parts_too = (&current.attributes, &current.sections, &current.derived_from)
                    == (&attributes, &sections, &derived_from);
                if current.version == version && (kept || says_the_same) && parts_too {
                    return false;
                }
                if kept { Binding { version, attributes, sections, derived_from, ..said.clone() } } else { by_source }
            }
        };
        let number = number.unwrap_or_else(|| {
            let number = DocumentNumber(self.next);
            self.next += 1;
            self.events.push(AccessEvent::Numbered { tenant: tenant.clone(), id: id.into(), number });
            number
        });
        self.stated.insert((tenant.clone(), id.to_owned()), Input { number, version });
        self.events.push(AccessEvent::Bound { number, binding });
        true
    }

    /// The source has content that cannot be read: what is known of the document must also pass `stated`, or is hidden
    /// if not even that could be read. A document that is not known is not added.
    pub fn narrow(&mut self, tenant: &Tenant, id: &str, stated: Option<(Acl, LabelRank)>) {
        let known = self.plane.number(tenant, id).and_then(|number| self.plane.document(number));
        let Some(known) = known else { return };
        let (said, current) = (last_said(&known), known.current());
        let same = stated.as_ref().is_some_and(|(acl, label)| said.source_acl == *acl && said.label == *label);
        // What a person set while it could not be read stands; so does what was said before, said again.
        if std::ptr::eq(said, current) && (same || said.version == UNREAD) {
            return;
        }
        let (acl, label, source_acl) = match stated {
            None => (Acl::default(), said.label, said.source_acl.clone()),
            Some((source_acl, label)) => (if same { said.acl.clone() } else { source_acl.clone() }, label, source_acl),
        };
        let binding = Binding { source_acl, ..Binding::by_source(UNREAD, acl, label) };
        if *current != binding {
            self.events.push(AccessEvent::Bound { number: known.number, binding });
        }
    }
}

/// The highest label of the newest content of a document and of all that it was derived from, if it is known.
pub(super) fn label_of_newest(plane: &AccessPlane, tenant: &Tenant, id: &str) -> Option<LabelRank> {
    let known = plane.document(plane.number(tenant, id)?)?;
    plane.label_with_inputs(known.number, last_said(&known).version)
}

/// The newest binding that speaks of content that was read, or that a person set.
fn last_said(known: &DocumentAccess) -> &Binding {
    let said = |binding: &&Binding| binding.version != UNREAD || binding.origin == Origin::Set;
    known.bindings.iter().rev().find(said).unwrap_or(known.current())
}
