//! `safepassage canary plant|check|remove`

use std::process::ExitCode;

use safepassage::{Acl, Engine, Error, Result, Tenant};
use safepassage_eval::{EngineRetriever, canary};
use serde_json::json;

use crate::commands::eval::{GATE_FAILED, askers};
use crate::eval_args::Canary;
use crate::output;

pub fn run(command: &Canary, json: bool) -> Result<ExitCode> {
    match command {
        Canary::Plant { operate, acl, count, tenant } => {
            let engine = Engine::open(&operate.index)?;
            let acl = Acl::new(acl.iter().cloned(), []);
            let planted = canary::plant(&engine, &Tenant(tenant.clone()), &acl, *count)?;
            engine.wait_for_merges();
            listed("planted", &planted, json)
        }
        Canary::Remove { operate, tenant } => {
            let engine = Engine::open(&operate.index)?;
            let removed = canary::remove(&engine, &Tenant(tenant.clone()))?;
            engine.wait_for_merges();
            listed("removed", &removed, json)
        }
        Canary::Check { operate, who, recall } => {
            let engine = Engine::open(&operate.index)?;
            let Some(personas) = askers(who, engine.clock())? else {
                let message = "nobody asks: give --personas FILE, --user U or --public";
                return Err(Error::invalid("check canaries", message));
            };
            let mut retriever = EngineRetriever::new(engine.clone());
            let report = canary::check(&engine, &mut retriever, &personas, *recall)?;
            if json {
                output::json(&report)?;
            } else {
                for persona in &report.personas {
                    let (may, found, leaks) = (persona.may_read, persona.found, persona.leaks.len());
                    let text = format!("{}: may read {may}, found {found}, leaks {leaks}", persona.persona);
                    output::line(&output::printable(&text))?;
                    for leak in &persona.leaks {
                        let text = format!("LEAK: {} to {} by {}", leak.canary, persona.persona, leak.by);
                        output::line(&output::printable(&text))?;
                    }
                }
                let proof = if report.proved { "" } else { ", not each found by somebody who may: this shows little" };
                output::line(&format!("{} canaries{proof}", report.canaries))?;
            }
            Ok(if report.leaked() { ExitCode::from(GATE_FAILED) } else { ExitCode::SUCCESS })
        }
    }
}

fn listed(what: &str, ids: &[String], json: bool) -> Result<ExitCode> {
    if json {
        output::json(&json!({ what: ids }))?;
    } else {
        ids.iter().try_for_each(|id| output::line(id))?;
        output::line(&format!("{} canaries {what}", ids.len()))?;
    }
    Ok(ExitCode::SUCCESS)
}
