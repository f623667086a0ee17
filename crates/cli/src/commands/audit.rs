//! `safepassage audit verify|head|show|on|off|settings|retire|mend`

use safepassage::audit::{AuditFilter, AuditSettings, KeepAudit};
use safepassage::{Engine, Result};
use serde_json::json;

use crate::args::Operate;
use crate::audit_args::{Audit, Settings, Switch};
use crate::output;

fn open(operate: &Operate) -> Result<Engine> {
    Engine::open(&operate.index)
}

pub fn run(audit: &Audit, json: bool) -> Result<()> {
    match audit {
        Audit::Verify { operate, expect } => {
            let verified = open(operate)?.audit()?.verify(*expect)?;
            if json {
                return output::json(&verified);
            }
            output::line(&format!(
                "whole: {} lines in {} files, {} to {}, {} times set aside, {} bytes not finished",
                verified.lines,
                verified.files,
                verified.first_seq,
                verified.seq,
                verified.set_aside,
                verified.unfinished_bytes
            ))?;
            output::line(&format!("head {}", verified.hash))
        }
        Audit::Head(operate) => {
            let head = open(operate)?.audit()?.head()?;
            if json {
                return output::json(&json!({"seq": head.seq(), "hash": head.hash()}));
            }
            output::line(&format!("{} {}", head.seq(), head.hash()))
        }
        Audit::Show { operate, since, user, document, action } => {
            let (since, user) = (*since, user.clone());
            let filter = AuditFilter { since, user, document: document.clone(), action: action.clone() };
            show(&open(operate)?, &filter, json)
        }
        Audit::On(operate) => set(operate, json, |settings| settings.on = true),
        Audit::Off(operate) => set(operate, json, |settings| settings.on = false),
        Audit::Settings(settings) => change(settings, json),
        Audit::Retire { operate, keep_days, keep_files, reason } => {
            let engine = open(operate)?;
            let audit = engine.audit()?;
            let keep = match (keep_files, keep_days) {
                (Some(files), _) => KeepAudit::Files(*files),
                (None, Some(days)) => KeepAudit::Days(*days),
                (None, None) => KeepAudit::Days(audit.settings()?.keep_days),
            };
            let retired = audit.retire(keep, reason)?;
            if json {
                return output::json(&retired);
            }
            output::line(&format!("{} files removed; the log begins with line {}", retired.files, retired.first_seq))
        }
        Audit::Mend { operate, reason } => {
            let mended = open(operate)?.audit()?.mend(reason)?;
            if json {
                return output::json(&mended);
            }
            let lost = mended.head_seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
            let (seq, aside) = (mended.seq, mended.set_aside_bytes);
            output::line(&format!("the log goes on with line {seq}; the head knew {lost}; {aside} bytes set aside"))
        }
    }
}

fn show(engine: &Engine, filter: &AuditFilter, json: bool) -> Result<()> {
    let mut lines = Vec::new();
    engine.audit()?.show(filter, &mut |line| {
        if json {
            lines.push(line.clone());
            return Ok(());
        }
        output::json(line)
    })?;
    if json { output::json(&json!({"lines": lines})) } else { Ok(()) }
}

fn set(operate: &Operate, json: bool, change: impl FnOnce(&mut AuditSettings)) -> Result<()> {
    print(&open(operate)?.audit()?.set(change)?, json)
}

fn change(arguments: &Settings, json: bool) -> Result<()> {
    let Settings { operate, texts, durability, rotate_bytes, rotate_days, keep_days } = arguments;
    let asks = texts.is_none() && durability.is_none() && rotate_bytes.is_none();
    if asks && rotate_days.is_none() && keep_days.is_none() {
        return print(&open(operate)?.audit()?.settings()?, json);
    }
    set(operate, json, |settings| {
        settings.texts = texts.map_or(settings.texts, |texts| texts == Switch::On);
        settings.durability = durability.map_or(settings.durability, Into::into);
        settings.rotate_bytes = rotate_bytes.unwrap_or(settings.rotate_bytes);
        settings.rotate_days = rotate_days.unwrap_or(settings.rotate_days);
        settings.keep_days = keep_days.unwrap_or(settings.keep_days);
    })
}

fn print(settings: &AuditSettings, json: bool) -> Result<()> {
    if json {
        return output::json(settings);
    }
    let fields = serde_json::to_value(settings).unwrap_or_default();
    let fields = fields.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| (name, value.to_string()))
        .try_for_each(|(name, value)| output::line(&format!("{name:<14} {}", value.trim_matches('"'))))
}
