//! ACL objects as a source states them.

use std::collections::HashSet;

use safepassage_access::{AccessEvent, AccessPlane, ObjectStatement, Origin, Tenant};
use safepassage_error::Result;
use safepassage_index::Index;

use super::Report;
use crate::source::AclObject;

/// Whether these objects can be stated, before anything is written.
pub(super) fn check(index: &Index, objects: &[AclObject]) -> Result<()> {
    index.with_plane(|plane| {
        let events: Vec<AccessEvent> = objects.iter().filter_map(|object| event(plane, object)).collect();
        plane.check(&events)
    })
}

/// Makes the plane say what a file says of ACL objects, all at one epoch. What a person set holds until the file says
/// something else than it did then. Objects that the file does not name stay as they are, with a warning.
pub(super) fn state(index: &Index, objects: &[AclObject], dry_run: bool, report: &mut Report) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let mut stated = 0;
    let mut propose = |plane: &AccessPlane| {
        let events: Vec<AccessEvent> = objects.iter().filter_map(|object| event(plane, object)).collect();
        stated = events.len() as u64;
        Ok(events)
    };
    if dry_run {
        index.with_plane(|plane| propose(plane).map(drop))?;
    } else {
        index.commit_access(&mut propose)?;
    }
    report.acl_objects += stated;
    let named: HashSet<(&Tenant, &str)> = objects.iter().map(|object| (&object.tenant, &*object.name)).collect();
    let tenants: HashSet<&Tenant> = objects.iter().map(|object| &object.tenant).collect();
    let left = index.with_plane(|plane| {
        let all = tenants.iter().flat_map(|tenant| plane.objects(tenant).map(move |object| (*tenant, object)));
        let by_source = all.filter(|(_, object)| object.statement.as_ref().is_some_and(|s| s.source_acl.is_some()));
        Ok(by_source.filter(|(tenant, object)| !named.contains(&(*tenant, &*object.name))).count())
    })?;
    if left > 0 {
        report.warnings.push(format!(
            "{left} ACL objects that a source stated are not in the file; they stay as they are (`acl objects remove` closes them)"
        ));
    }
    Ok(())
}

/// What makes the plane say what the source says; nothing if it does, or if the source says what it did when a person
/// set it.
pub(crate) fn event(plane: &AccessPlane, object: &AclObject) -> Option<AccessEvent> {
    let AclObject { tenant, name, acl } = object;
    let known = plane.object(tenant, name).and_then(|object| object.statement);
    if known.is_some_and(|known| known.source_acl.as_ref() == Some(acl)) {
        return None;
    }
    let statement = ObjectStatement { acl: Some(acl.clone()), source_acl: Some(acl.clone()), origin: Origin::Source };
    Some(AccessEvent::ObjectStated { tenant: tenant.clone(), name: name.clone(), statement })
}
