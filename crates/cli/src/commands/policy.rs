//! `safepassage policy get|set|remove`

use std::path::Path;

use safepassage::policy::PolicySource;
use safepassage::{Engine, Error, Result};
use serde_json::json;

use crate::args::Policy;
use crate::output;

pub fn run(policy: &Policy, json: bool) -> Result<()> {
    let (Policy::Get(operate) | Policy::Set { operate, .. } | Policy::Remove { operate, .. }) = policy;
    let engine = Engine::open(&operate.index)?;
    match policy {
        Policy::Get(_) => {}
        Policy::Set { policies, schema, entities, attribute, language, reason, .. } => {
            let source = PolicySource {
                language: language.clone(),
                policies: read(policies)?,
                schema: read(schema)?,
                entities: entities.as_deref().map_or(Ok(String::new()), read)?,
                attributes: attribute.clone(),
            };
            engine.set_policies(source, reason)?;
        }
        Policy::Remove { reason, .. } => drop(engine.remove_policies(reason)?),
    }
    let (policies, acl_epoch) = (engine.policies()?, engine.stats()?.acl_epoch);
    if json {
        return output::json(&json!({ "policies": policies, "acl_epoch": acl_epoch }));
    }
    match policies {
        None => output::line("no policies: the ACLs alone decide")?,
        Some(source) => output::line(&output::printable(&source.policies))?,
    }
    output::line(&format!("acl_epoch {acl_epoch}"))
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|e| Error::invalid("read policies", format!("`{}` cannot be read: {e}", file.display())))
}
