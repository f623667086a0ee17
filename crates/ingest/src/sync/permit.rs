//! Who may now read what: written before the content it comes with.

use std::collections::HashSet;

use safepassage_access::{
    AccessEvent, AccessPlane, Acl, Binding, DocumentAccess, DocumentNumber, LabelRank, Origin, Tenant, Version,
};
use safepassage_error::Result;
use safepassage_index::Index;

use super::Report;
use super::plan::{Plan, Stated};

/// Documents whose events make one epoch.
const PER_EPOCH: usize = 5_000;

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
                let (version, acl, label) = match &planned.stated {
                    Stated::Whole { version, acl, label } => (Some(*version), acl.clone(), *label),
                    // A document that cannot be used is not added, and what is live of it keeps its version.
                    Stated::PermissionOnly { acl, label } => (live, acl.clone(), *label),
                    Stated::Hidden => (live, Acl::default(), LabelRank(0)),
                };
                let Some(version) = version else { continue };
                let written = statements.state(&planned.tenant, &planned.id, version, acl, label, &newer);
                permission_only += u64::from(written && live == Some(version));
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

/// Events that make the plane say what sources say.
pub(super) struct Statements<'a> {
    plane: &'a AccessPlane,
    next: u32,
    pub events: Vec<AccessEvent>,
}

impl<'a> Statements<'a> {
    pub fn new(plane: &'a AccessPlane) -> Self {
        Self { plane, next: plane.next_number(), events: Vec::new() }
    }

    /// The source says that `version` of a document is under `acl` and `label`. Returns whether that was news.
    ///
    /// What a person set holds until the source says something else than it did then; and so does what changed while
    /// the source was being read (`newer`).
    pub fn state(
        &mut self,
        tenant: &Tenant,
        id: &str,
        version: Version,
        acl: Acl,
        label: LabelRank,
        newer: &HashSet<DocumentNumber>,
    ) -> bool {
        let number = self.plane.number(tenant, id);
        let known = number.and_then(|number| self.plane.document(number));
        let by_source = Binding { version, acl: acl.clone(), label, source_acl: acl, origin: Origin::Source };
        let binding = match known.as_ref().map(DocumentAccess::current) {
            None => by_source,
            Some(current) => {
                let meanwhile = number.is_some_and(|number| newer.contains(&number));
                let says_the_same = current.source_acl == by_source.source_acl && current.label == label;
                let kept = meanwhile || (says_the_same && current.origin == Origin::Set);
                if current.version == version && (kept || says_the_same) {
                    return false;
                }
                if kept { Binding { version, ..current.clone() } } else { by_source }
            }
        };
        let number = number.unwrap_or_else(|| {
            let number = DocumentNumber(self.next);
            self.next += 1;
            self.events.push(AccessEvent::Numbered { tenant: tenant.clone(), id: id.into(), number });
            number
        });
        self.events.push(AccessEvent::Bound { number, binding });
        true
    }
}
