//! Here is an answer or a refusal: into the audit log with it, and only then out.
//!
//! What an asker is told does not depend on whether it is written down, with one exception: a log that cannot take the
//! line withholds the answer.

use std::collections::{BTreeSet, HashSet};

use safepassage_access::{Acl, Identity, Principal, Tenant};
use safepassage_audit::{AuditLog, Entry};
use safepassage_error::{Error, Kind, Result};
use safepassage_index::Filter;
use serde::Serialize;

use crate::engine::Engine;
use crate::hits::VectorHits;
use crate::session::Visible;

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question<'a> {
    Text(&'a str),
    Vector(&'a [f32]),
}

/// An entry about `identity`.
pub(crate) fn entry_of(identity: &Identity, action: &str, outcome: &str) -> Entry {
    Entry {
        tenant: Some(identity.tenant().0.clone()),
        issuer: identity.issuer().map(str::to_owned),
        user: identity.user().map(str::to_owned),
        identity: Some(identity.digest().to_string()),
        ..Entry::new(action, outcome)
    }
}

/// `ok`, or the kind of the error.
pub(crate) fn outcome<T>(result: &Result<T>) -> &'static str {
    result.as_ref().map_or_else(|error| error.kind().name(), |_| "ok")
}

/// Notes the answer of a search.
pub(crate) fn note_hits(entry: &mut Entry, found: &VectorHits) {
    let mut seen = HashSet::new();
    entry.give(found.ids().filter(|id| seen.insert(*id)));
    entry.hits = Some(found.ids().len() as u64);
    entry.plan = word(&found.plan());
    (entry.acl_epoch, entry.generation) = (Some(found.acl_epoch()), Some(found.generation()));
}

/// Notes the question: its digest, and its text if the log keeps texts.
pub(crate) fn note_question(log: &AuditLog, texts: bool, entry: &mut Entry, question: Question<'_>) -> Result<()> {
    let digest = match question {
        Question::Text(text) => log.query_digest(text.as_bytes()),
        Question::Vector(vector) => {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            log.query_digest(&bytes)
        }
    };
    entry.query_sha256 = Some(digest?);
    if let Question::Text(text) = question {
        entry.query = texts.then(|| text.to_owned());
    }
    Ok(())
}

/// Notes what narrowed the answer: the digest of the filters, and themselves if the log keeps texts.
pub(crate) fn note_filters(log: &AuditLog, texts: bool, entry: &mut Entry, filters: &[Filter]) -> Result<()> {
    if filters.is_empty() {
        return Ok(());
    }
    let all = filters.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    entry.filter_sha256 = Some(log.query_digest(all.as_bytes())?);
    entry.filter = texts.then_some(all);
    Ok(())
}

/// The word that a value without fields has in JSON.
fn word(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A change of who may read a document, or what is under an ACL object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AclChange<'a> {
    Set(&'a Acl),
    Remove,
    Revoke(&'a Principal),
    Restore(&'a Principal, &'a str),
}

/// What is changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    Document(&'a Tenant, &'a str),
    Object(&'a Tenant, &'a str),
    /// All of the index.
    Index,
}

impl Subject<'_> {
    /// `entry` about it.
    fn of(self, entry: Entry) -> Entry {
        match self {
            Self::Document(tenant, id) => {
                Entry { tenant: Some(tenant.0.clone()), documents: Some(vec![id.to_owned()]), ..entry }
            }
            Self::Object(tenant, name) => {
                let change = format!("`{name}`: {}", entry.change.unwrap_or_default());
                let action = entry.action.replacen("acl_", "acl_object_", 1);
                Entry { tenant: Some(tenant.0.clone()), change: Some(change), action, ..entry }
            }
            Self::Index => entry,
        }
    }
}

impl AclChange<'_> {
    /// The entry before it is done.
    pub fn begun(self) -> Entry {
        let names = |principals: &BTreeSet<Principal>, joined: &str| {
            let names: Vec<String> = principals.iter().map(ToString::to_string).collect();
            if names.is_empty() { "nobody".to_owned() } else { names.join(joined) }
        };
        let set = |acl: &Acl| {
            let mut said = format!("allow {}; deny {}", names(&acl.allow, ", "), names(&acl.deny, ", "));
            acl.all_of.iter().for_each(|together| said.push_str(&format!("; all of {}", names(together, " and "))));
            acl.parent.iter().for_each(|parent| said.push_str(&format!("; parent `{parent}`")));
            said.extend(acl.parent.as_ref().and_then(|_| word(&acl.inherit)).map(|inherit| format!(" ({inherit})")));
            said
        };
        let (action, change, reason) = match self {
            Self::Set(acl) => ("acl_set", set(acl), None),
            Self::Remove => ("acl_remove", "closed".to_owned(), None),
            Self::Revoke(principal) => ("acl_revoke", principal.to_string(), None),
            Self::Restore(principal, reason) => ("acl_restore", principal.to_string(), Some(reason.to_owned())),
        };
        Entry { change: Some(change), reason, ..Entry::new(action, "begun") }
    }
}

impl Engine {
    /// The log, if every decision is to be written into it.
    pub(crate) fn deciding(&self) -> Result<Option<(&AuditLog, bool)>> {
        let Some(log) = self.audit_log() else { return Ok(None) };
        let settings = log.settings()?;
        Ok(settings.on.then_some((log, settings.texts)))
    }

    /// Gives `result` out once the entry that `note` makes of it is written.
    pub(crate) fn decided<T>(
        &self,
        identity: &Identity,
        action: &str,
        result: Result<T>,
        note: impl FnOnce(&mut Entry, &Result<T>),
    ) -> Result<T> {
        if let Some((log, _)) = self.deciding()? {
            let mut entry = entry_of(identity, action, outcome(&result));
            note(&mut entry, &result);
            log.append(vec![entry])?;
        }
        result
    }

    /// As [`Engine::decided`], for a search.
    pub(crate) fn decided_search(
        &self,
        identity: &Identity,
        action: &str,
        question: Question<'_>,
        filters: &[Filter],
        k: usize,
        found: Result<VectorHits>,
    ) -> Result<VectorHits> {
        if let Some((log, texts)) = self.deciding()? {
            let mut entry = entry_of(identity, action, outcome(&found));
            entry.k = Some(k as u64);
            note_question(log, texts, &mut entry, question)?;
            note_filters(log, texts, &mut entry, filters)?;
            if let Ok(found) = &found {
                note_hits(&mut entry, found);
            }
            log.append(vec![entry])?;
        }
        found
    }

    /// As [`Engine::decided_search`], for many vectors of `dim` numbers at once; one that fails all is one line.
    pub(crate) fn decided_searches(
        &self,
        identity: &Identity,
        (vectors, dim): (&[f32], usize),
        filters: &[Filter],
        k: usize,
        found: Result<Vec<VectorHits>>,
    ) -> Result<Vec<VectorHits>> {
        let Some((log, texts)) = self.deciding()? else { return found };
        let line = |vector: &[f32], found: Option<&VectorHits>| {
            let mut entry = entry_of(identity, "search_vectors", found.map_or_else(|| "", |_| "ok"));
            entry.k = Some(k as u64);
            note_question(log, texts, &mut entry, Question::Vector(vector))?;
            note_filters(log, texts, &mut entry, filters)?;
            found.into_iter().for_each(|found| note_hits(&mut entry, found));
            Ok::<_, Error>(entry)
        };
        let entries = match &found {
            Ok(all) => vectors.chunks_exact(dim).zip(all).map(|(vector, found)| line(vector, Some(found))).collect(),
            Err(error) => line(vectors, None).map(|entry| vec![Entry { outcome: error.kind().name().into(), ..entry }]),
        };
        let entries: Vec<Entry> = entries?;
        if !entries.is_empty() {
            log.append(entries)?;
        }
        found
    }

    /// As [`Engine::decided`], for a list of documents of `generation` at `acl_epoch`.
    pub(crate) fn decided_list(&self, identity: &Identity, listed: Result<(Visible, u64, u64)>) -> Result<Visible> {
        let listed = self.decided(identity, "visible", listed, |entry, listed| {
            if let Ok((visible, generation, acl_epoch)) = listed {
                entry.give(visible.documents.iter().map(String::as_str));
                (entry.acl_epoch, entry.generation) = (Some(*acl_epoch), Some(*generation));
            }
        })?;
        Ok(listed.0)
    }

    /// Notes what was done to the content, if decisions are written down. It is done by then.
    pub(crate) fn noted_content<T>(
        &self,
        action: &str,
        result: Result<T>,
        note: impl FnOnce(&mut Entry, &T),
    ) -> Result<T> {
        if let Some((log, _)) = self.deciding()? {
            let mut entry = Entry::new(action, outcome(&result));
            if let Ok(done) = &result {
                note(&mut entry, done);
            }
            log.append(vec![entry])?;
        }
        result
    }

    /// Does `change` to the permissions of `subject`, between a line that says so and a line that says how it
    /// ended, whether or not decisions are written down. Returns the epoch.
    pub(crate) fn noted_change(
        &self,
        entry: Entry,
        subject: Subject<'_>,
        change: impl FnOnce() -> Result<u64>,
    ) -> Result<u64> {
        let Some(log) = self.audit_log() else { return change() };
        let entry = subject.of(entry);
        log.append(vec![entry.clone()])?;
        let changed = change();
        let (outcome, acl_epoch) = (outcome(&changed).to_owned(), changed.as_ref().ok().copied());
        log.append(vec![Entry { outcome, acl_epoch, ..entry }]).map_err(|error| in_force(error, &changed))?;
        changed
    }

    /// As [`Engine::noted_change`] with a line only behind it: what takes permissions away is not held up by a log.
    pub(crate) fn noted_narrowing(
        &self,
        entry: Entry,
        subject: Subject<'_>,
        change: impl FnOnce() -> Result<u64>,
    ) -> Result<u64> {
        let changed = change();
        let Some(log) = self.audit_log() else { return changed };
        let (outcome, acl_epoch) = (outcome(&changed).to_owned(), changed.as_ref().ok().copied());
        log.append(vec![Entry { outcome, acl_epoch, ..subject.of(entry) }])
            .map_err(|error| in_force(error, &changed))?;
        changed
    }
}

/// The error of a log that could not take the line about something that was done.
fn in_force(error: Error, done: &Result<u64>) -> Error {
    match done {
        Ok(epoch) => {
            let message = format!("the change is in force from epoch {epoch} on, but the audit log refuses its line");
            Error::new(error.kind(), "write audit log", message).because(error)
        }
        Err(_) => error,
    }
}

/// The word for a document that an asker is told nothing about.
pub(crate) fn verdict(engine: &Engine, tenant: &Tenant, id: &str, visible: bool) -> Option<String> {
    let snapshot = engine.index().snapshot().ok()?;
    Some(if visible {
        "visible".to_owned()
    } else if snapshot.find(tenant, id).is_some() {
        "forbidden".to_owned()
    } else {
        "absent".to_owned()
    })
}

/// What a break of the glass was refused for, without saying it to whoever tried.
pub(crate) fn refused() -> Error {
    Error::new(Kind::Denied, "break glass", "the glass was not broken; this was written down")
}
