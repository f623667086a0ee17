//! `safepassage acl import`

use safepassage::{AclDiff, Engine, ImportOptions, Imported, Result, Tenant, import_acls};

use super::acl::show_changes;
use crate::import_args::Import;
use crate::output;

pub fn run(arguments: &Import, json: bool) -> Result<()> {
    let tenant = Tenant(arguments.tenant.clone());
    let engine = arguments.index.as_ref().map(Engine::open).transpose()?;
    // A folder says itself which documents there are; other sources of the index are none of its business.
    let listing = engine.as_ref().filter(|_| !arguments.source.is_dir());
    let documents = listing.map(|engine| engine.documents(&tenant)).transpose()?;
    let options = ImportOptions {
        tenant: tenant.clone(),
        prefix: arguments.prefix.clone(),
        strip: arguments.strip.clone(),
        key: arguments.key.clone(),
        alias_prefix: arguments.alias_prefix.clone(),
        root: arguments.root.clone(),
        documents,
    };
    let imported = import_acls(arguments.format, &arguments.source, &options)?;
    if arguments.dry_run {
        let changes = match &engine {
            Some(engine) => engine.preview_import(&tenant, &imported)?,
            None => Engine::imagined(&tenant, &imported)?.preview_import(&tenant, &imported)?,
        };
        return if json { dry_run_json(&imported, &changes) } else { show_dry_run(&imported, &changes) };
    }
    if let (Some(acl), Some(objects)) = (&arguments.out_acl, &arguments.out_objects) {
        imported.write(acl, objects)?;
    }
    let engine = engine.filter(|_| arguments.apply);
    let applied = engine.map(|engine| engine.apply_import(&tenant, &imported)).transpose()?;
    let Imported { objects, documents, warnings } = &imported;
    if json {
        return output::json(&serde_json::json!({
            "objects": objects.len(), "documents": documents.len(), "warnings": warnings, "applied": applied,
        }));
    }
    show_read(&imported)?;
    let Some(applied) = applied else { return Ok(()) };
    output::line(&format!("{} changed, {} documents not in the index", applied.changed, applied.unknown))?;
    output::line(&format!("acl_epoch {}", applied.acl_epoch))
}

fn show_read(imported: &Imported) -> Result<()> {
    let Imported { objects, documents, warnings } = imported;
    output::line(&format!("{} ACL objects, {} documents", objects.len(), documents.len()))?;
    warnings.iter().try_for_each(|warning| output::line(&output::printable(&format!("warning: {warning}"))))
}

fn dry_run_json(imported: &Imported, diff: &AclDiff) -> Result<()> {
    let Imported { objects, documents, warnings } = imported;
    output::json(&serde_json::json!({
        "dry_run": true, "objects": objects.len(), "documents": documents.len(), "warnings": warnings,
        "changes": diff.changes,
    }))
}

fn show_dry_run(imported: &Imported, diff: &AclDiff) -> Result<()> {
    show_read(imported)?;
    show_changes(diff)?;
    for change in &diff.changes {
        let (gained, lost) = (change.difference.gained.len(), change.difference.lost.len());
        output::line(&output::printable(&format!("{}: would gain {gained}, lose {lost}", change.principal)))?;
    }
    output::line("nothing was written")
}
