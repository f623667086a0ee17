//! `safepassage acl get|set|revoke|restore`

use safepassage::{Acl as AccessList, DocumentAcl, Engine, Error, Result, Tenant};

use crate::args::{Acl, Document};
use crate::output;

pub fn run(acl: &Acl, json: bool) -> Result<()> {
    let open =
        |document: &Document| Ok::<_, Error>((Engine::open(&document.operate.index)?, Tenant(document.tenant.clone())));
    let (engine, tenant, document) = match acl {
        Acl::Get(document) => {
            let (engine, tenant) = open(document)?;
            (engine, tenant, document)
        }
        Acl::Set { document, allow, deny } => {
            if allow.is_empty() && deny.is_empty() {
                let message = "say who may read with --allow (or --deny `public` to let nobody)";
                return Err(Error::invalid("set ACL", message));
            }
            let (engine, tenant) = open(document)?;
            engine.set_acl(&tenant, &document.document, AccessList::new(allow.clone(), deny.clone()))?;
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

fn show(acl: &DocumentAcl) -> Result<()> {
    let list = |principals: &std::collections::BTreeSet<safepassage::Principal>| match principals.len() {
        0 => "nobody".to_owned(),
        _ => principals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    output::line(&output::printable(&acl.document))?;
    for (name, principals) in [("allow", &acl.allow), ("deny", &acl.deny), ("revoked", &acl.revoked)] {
        if name == "allow" || !principals.is_empty() {
            output::line(&output::printable(&format!("  {name:<8} {}", list(principals))))?;
        }
    }
    output::line(&format!("  {:<8} {}", "label", acl.label))?;
    output::line(&format!("acl_epoch {}", acl.acl_epoch))
}
