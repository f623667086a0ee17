//! `safepassage break-glass enable|disable|search|visible`

use safepassage::audit::Secret;
use safepassage::{BreakGlass as Broken, Engine, Error, Identity, Result};
use serde_json::json;

use super::ask;
use crate::audit_args::{BreakGlass, Emergency};
use crate::output;

const VARIABLE: &str = "SAFEPASSAGE_BREAK_GLASS";

pub fn run(command: &BreakGlass, json: bool) -> Result<()> {
    match command {
        BreakGlass::Enable(operate) => {
            let secret = Engine::open(&operate.index)?.enable_break_glass()?;
            eprintln!("keep this secret; it is not shown again");
            if json { output::json(&json!({"secret": secret.reveal()})) } else { output::line(secret.reveal()) }
        }
        BreakGlass::Disable(operate) => {
            Engine::open(&operate.index)?.disable_break_glass()?;
            if json { output::json(&json!({"enabled": false})) } else { output::line("no secret breaks the glass") }
        }
        BreakGlass::Search { query, emergency, k } => {
            let engine = Engine::open(&emergency.operate.index)?;
            ask::show_results(&open(&engine, emergency)?.search(query, *k)?, json)
        }
        BreakGlass::Visible(emergency) => {
            let engine = Engine::open(&emergency.operate.index)?;
            ask::show_visible(&open(&engine, emergency)?.visible()?, json)
        }
    }
}

fn open(engine: &Engine, emergency: &Emergency) -> Result<Broken> {
    let identity = Identity::asserted(&emergency.user).tenant(&emergency.tenant).issue(engine.clock())?;
    engine.break_glass(&secret(emergency)?, identity, &emergency.reason)
}

fn secret(emergency: &Emergency) -> Result<Secret> {
    let invalid = |message: String| Error::invalid("break glass", message);
    if let Some(file) = &emergency.secret_file {
        let text = std::fs::read_to_string(file);
        return match text {
            Ok(text) => Ok(Secret::shown(&text)),
            Err(e) => Err(invalid(format!("`{}` cannot be read: {e}", file.display()))),
        };
    }
    match std::env::var(VARIABLE) {
        Ok(text) => Ok(Secret::shown(&text)),
        Err(_) => Err(invalid(format!("the secret is missing: put it into {VARIABLE}, or name its file"))),
    }
}
