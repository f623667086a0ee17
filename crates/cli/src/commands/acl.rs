//! `safepassage acl get|set|revoke|restore|diff|max-age|confirm|objects`

use std::collections::BTreeSet;

use safepassage::{
    Acl as AccessList, AclDiff, AclObjectState, AllOf, DocumentAcl, Engine, Error, Principal, Result, Tenant,
};

use crate::args::{Acl, AclObjects, Document, Object, Stated};
use crate::output;

pub fn run(acl: &Acl, json: bool) -> Result<()> {
    let open =
        |document: &Document| Ok::<_, Error>((Engine::open(&document.operate.index)?, Tenant(document.tenant.clone())));
    let (engine, tenant, document) = match acl {
        Acl::Get(document) => {
            let (engine, tenant) = open(document)?;
            (engine, tenant, document)
        }
        Acl::Objects(objects) => return run_objects(objects, json),
        Acl::Import(import) => return super::import::run(import, json),
        Acl::Diff { operate, from, to, identity, tenant } => {
            let engine = Engine::open(&operate.index)?;
            let diff = match identity {
                None => engine.diff(&Tenant(tenant.clone()), *from, *to)?,
                Some(file) => engine.diff_for(&crate::identity::from_file(file, engine.clock())?, *from, *to)?,
            };
            return if json { output::json(&diff) } else { show_diff(&diff) };
        }
        Acl::MaxAge { operate, seconds, reason } => {
            let engine = Engine::open(&operate.index)?;
            let epoch = engine.set_max_acl_age(Some(*seconds).filter(|seconds| *seconds > 0), reason)?;
            return show_age(&engine, epoch, json);
        }
        Acl::Confirm { operate, reason } => {
            let engine = Engine::open(&operate.index)?;
            let epoch = engine.confirm_acls(reason)?;
            return show_age(&engine, epoch, json);
        }
        Acl::Set { document, acl } => {
            let acl = stated(acl)?;
            let (engine, tenant) = open(document)?;
            engine.set_acl(&tenant, &document.document, acl)?;
            (engine, tenant, document)
        }
        Acl::Revoke { document, principal } => {
            let (engine, tenant) = open(document)?;
            engine.revoke(&tenant, &document.document, principal)?;
            (engine, tenant, document)
        }
        Acl::Restore { document, principal, reason } => {
            let (engine, tenant) = open(document)?;
            engine.restore(&tenant, &document.document, principal, reason)?;
            (engine, tenant, document)
        }
    };
    let now = engine.acl(&tenant, &document.document)?;
    if json { output::json(&now) } else { show(&now) }
}

fn show_diff(diff: &AclDiff) -> Result<()> {
    show_changes(diff)?;
    output::line(&format!("acl_epoch {} to {}", diff.from, diff.to))
}

/// What became visible and invisible, a principal after the other.
pub(super) fn show_changes(diff: &AclDiff) -> Result<()> {
    for change in &diff.changes {
        output::line(&output::printable(&change.principal))?;
        for (sign, documents) in [('+', &change.difference.gained), ('-', &change.difference.lost)] {
            documents.iter().try_for_each(|id| output::line(&output::printable(&format!("  {sign} {id}"))))?;
        }
    }
    Ok(())
}

fn show_age(engine: &Engine, acl_epoch: u64, json: bool) -> Result<()> {
    let max_acl_age_seconds = engine.max_acl_age()?;
    if json {
        let said = serde_json::json!({ "max_acl_age_seconds": max_acl_age_seconds, "acl_epoch": acl_epoch });
        return output::json(&said);
    }
    output::line(&match max_acl_age_seconds {
        Some(seconds) => format!("unconfirmed permissions open nothing after {seconds} s; confirmed now"),
        None => "permissions hold however old they are".to_owned(),
    })?;
    output::line(&format!("acl_epoch {acl_epoch}"))
}

/// The ACL that the arguments state.
fn stated(stated: &Stated) -> Result<AccessList> {
    let Stated { allow, all_of, deny, parent, inherit } = stated;
    let together = |list: &String| list.split(',').map(|one| one.trim().parse()).collect::<Result<AllOf>>();
    let all_of: BTreeSet<AllOf> = all_of.iter().map(together).collect::<Result<_>>()?;
    let (allow, deny) = (allow.iter().cloned().collect(), deny.iter().cloned().collect());
    let acl = AccessList { allow, all_of, deny, parent: parent.as_deref().map(Into::into), inherit: *inherit };
    if acl.is_empty() {
        let message = "say who may read with --allow, --all-of or --parent (or --deny `public` to let nobody)";
        return Err(Error::invalid("set ACL", message));
    }
    Ok(acl)
}

fn run_objects(objects: &AclObjects, json: bool) -> Result<()> {
    let open = |object: &Object| Ok::<_, Error>((Engine::open(&object.operate.index)?, Tenant(object.tenant.clone())));
    let (engine, tenant, object) = match objects {
        AclObjects::List { operate, tenant } => {
            let all = Engine::open(&operate.index)?.acl_objects(&Tenant(tenant.clone()))?;
            if json {
                return output::json(&serde_json::json!({ "count": all.len(), "objects": all }));
            }
            return all.iter().try_for_each(show_object);
        }
        AclObjects::Get(object) => {
            let (engine, tenant) = open(object)?;
            (engine, tenant, object)
        }
        AclObjects::Set { object, acl } => {
            let acl = stated(acl)?;
            let (engine, tenant) = open(object)?;
            engine.set_acl_object(&tenant, &object.object, acl)?;
            (engine, tenant, object)
        }
        AclObjects::Remove(object) => {
            let (engine, tenant) = open(object)?;
            engine.remove_acl_object(&tenant, &object.object)?;
            (engine, tenant, object)
        }
        AclObjects::Revoke { object, principal } => {
            let (engine, tenant) = open(object)?;
            engine.revoke_acl_object(&tenant, &object.object, principal)?;
            (engine, tenant, object)
        }
        AclObjects::Restore { object, principal, reason } => {
            let (engine, tenant) = open(object)?;
            engine.restore_acl_object(&tenant, &object.object, principal, reason)?;
            (engine, tenant, object)
        }
    };
    let now = engine.acl_object(&tenant, &object.object)?;
    if json {
        return output::json(&now);
    }
    show_object(&now)?;
    output::line(&format!("acl_epoch {}", now.acl_epoch))
}

fn names<'a>(principals: impl IntoIterator<Item = &'a Principal>) -> String {
    principals.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

type List<'a> = (&'a str, &'a BTreeSet<Principal>);

fn show_lists(allow: &BTreeSet<Principal>, all_of: &BTreeSet<AllOf>, others: [List<'_>; 2]) -> Result<()> {
    if !allow.is_empty() || all_of.is_empty() {
        let allowed = if allow.is_empty() { "nobody".to_owned() } else { names(allow) };
        output::line(&output::printable(&format!("  {:<8} {allowed}", "allow")))?;
    }
    for together in all_of {
        output::line(&output::printable(&format!("  {:<8} {}", "all of", names(together))))?;
    }
    for (name, principals) in others.into_iter().filter(|(_, principals)| !principals.is_empty()) {
        output::line(&output::printable(&format!("  {name:<8} {}", names(principals))))?;
    }
    Ok(())
}

fn show_parent(parent: Option<&str>, inherit: safepassage::Inherit) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let mode = serde_json::to_value(inherit).ok().and_then(|mode| mode.as_str().map(str::to_owned)).unwrap_or_default();
    output::line(&output::printable(&format!("  {:<8} {parent} ({mode})", "parent")))
}

fn show_object(object: &AclObjectState) -> Result<()> {
    output::line(&output::printable(&object.name))?;
    if !object.stated {
        output::line("  not stated: what is under it is closed")?;
    } else {
        show_lists(&object.allow, &object.all_of, [("deny", &object.deny), ("revoked", &object.revoked)])?;
    }
    show_parent(object.parent.as_deref(), object.inherit)
}

fn show(acl: &DocumentAcl) -> Result<()> {
    output::line(&output::printable(&acl.document))?;
    show_lists(&acl.allow, &acl.all_of, [("deny", &acl.deny), ("revoked", &acl.revoked)])?;
    show_parent(acl.parent.as_deref(), acl.inherit)?;
    output::line(&format!("  {:<8} {}", "label", acl.label))?;
    output::line(&format!("acl_epoch {}", acl.acl_epoch))
}
