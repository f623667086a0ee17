//! `safepassage fields get|set|suggest`

use std::path::Path;

use safepassage::{Engine, Error, Result};
use serde_json::json;

use crate::args::{Fields, Operate};
use crate::output;

pub fn run(command: &Fields, json: bool) -> Result<()> {
    let open = |operate: &Operate| Engine::open(&operate.index);
    match command {
        Fields::Get(operate) => show(&open(operate)?, json),
        Fields::Suggest(operate) => suggest(&open(operate)?, json),
        Fields::Set { operate, schema } => {
            let fields = read(schema)?;
            let engine = open(operate)?;
            engine.set_fields(&fields)?;
            show(&engine, json)
        }
    }
}

/// The schema in `file`.
pub fn read(file: &Path) -> Result<safepassage::Fields> {
    let text = std::fs::read_to_string(file);
    text.map_err(|e| Error::invalid("read fields", format!("`{}` cannot be read: {e}", file.display())))?.parse()
}

fn show(engine: &Engine, json: bool) -> Result<()> {
    let (fields, stats) = (engine.fields()?, engine.field_stats()?);
    if json {
        return output::json(&json!({"fields": fields, "stats": stats, "generation": engine.stats()?.generation}));
    }
    for field in &stats {
        let other = if field.mistyped == 0 { String::new() } else { format!(", {} of another type", field.mistyped) };
        let line = format!("{:<8}  {}  in {} documents{other}", field.kind.name(), field.field, field.documents);
        output::line(&output::printable(&line))?;
    }
    output::line(&format!("{} fields", fields.len()))
}

fn suggest(engine: &Engine, json: bool) -> Result<()> {
    let suggestion = engine.suggest_fields()?;
    if json {
        return output::json(&suggestion);
    }
    for (name, kinds) in &suggestion.mixed {
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        eprintln!("{}", output::printable(&format!("`{name}` is of no one type: {}", kinds.join(", "))));
    }
    // What `fields set --schema` reads.
    output::json(&suggestion.fields)
}
