//! `safepassage generations`, `rollback`, `merge`, `verify`, `inspect` and `stats`

use safepassage::{DocumentSource, Engine, Result, StoredFile, Tenant, Verified};
use serde::Serialize;
use serde_json::json;

use crate::args::{Document, Operate, Rollback, Verify};
use crate::output;

pub fn generations(arguments: &Operate, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.index)?;
    let (all, candidate) = (engine.generations()?, engine.candidate()?);
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|m| {
                json!({"generation": m.generation, "parent": m.parent, "created_ms": m.created_ms, "operation": m.operation,
                       "acl_epoch": m.acl_epoch, "model": m.settings.model["model"], "dim": m.settings.dim, "segments": m.segments.len(),
                       "documents": m.segments.iter().map(|s| u64::from(s.documents)).sum::<u64>(),
                       "chunks": m.segments.iter().map(|s| u64::from(s.rows)).sum::<u64>()})
            })
            .collect();
        let mut listed = json!({"generations": all});
        if let Some(candidate) = candidate {
            listed["candidate"] = json!(candidate);
        }
        return output::json(&listed);
    }
    for m in &all {
        let rows: u64 = m.segments.iter().map(|segment| u64::from(segment.rows)).sum();
        output::line(&format!(
            "{:>6}  {:<8}  from {:>6}  {:>3} segments  {rows:>9} rows  acl_epoch {}  {}",
            m.generation,
            m.operation,
            m.parent,
            m.segments.len(),
            m.acl_epoch,
            output::printable(m.settings.model_name())
        ))?;
    }
    if let Some(candidate) = candidate {
        let (model, documents, missing) = (&candidate.model, candidate.documents, candidate.missing);
        output::line(&output::printable(&format!("candidate: {model}, {documents} documents, {missing} missing")))?;
    }
    Ok(())
}

fn generation(number: u64, json: bool) -> Result<()> {
    if json { output::json(&json!({"generation": number})) } else { output::line(&format!("generation {number}")) }
}

pub fn rollback(arguments: &Rollback, json: bool) -> Result<()> {
    generation(Engine::open(&arguments.operate.index)?.rollback(arguments.generation)?, json)
}

pub fn merge(arguments: &Operate, json: bool) -> Result<()> {
    generation(Engine::open(&arguments.index)?.merge()?, json)
}

pub fn verify(arguments: &Verify, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    let verified = engine.verify()?;
    let digest = arguments.digest.then(|| engine.digest()).transpose()?;
    if json {
        #[derive(Serialize)]
        struct Said {
            #[serde(flatten)]
            verified: Verified,
            #[serde(skip_serializing_if = "Option::is_none")]
            digest: Option<String>,
        }
        return output::json(&Said { verified, digest });
    }
    output::line(&format!(
        "whole: {} generations, {} epochs, {} segments, {} documents, {} bytes checked",
        verified.generations, verified.acl_epochs, verified.segments, verified.documents, verified.bytes
    ))?;
    digest.map_or(Ok(()), |digest| output::line(&format!("digest {digest}")))
}

pub fn inspect(arguments: &Document, json: bool) -> Result<()> {
    let Document { operate, document, tenant } = arguments;
    let found = Engine::open(&operate.index)?.source_of(&Tenant(tenant.clone()), document)?;
    if json {
        return output::json(&found);
    }
    let DocumentSource { source, uri, content, passages, file, .. } = found;
    let passages = passages.to_string();
    let mut lines =
        vec![("source", Some(source)), ("uri", uri), ("content", Some(content)), ("passages", Some(passages))];
    if let Some(StoredFile { bytes, tag, modified, version, .. }) = file {
        lines.extend([("bytes", Some(bytes.to_string())), ("tag", tag), ("modified", modified), ("version", version)]);
    }
    let mut lines = lines.into_iter().filter_map(|(name, value)| Some((name, value?)));
    lines.try_for_each(|(name, value)| output::line(&output::printable(&format!("{name:<9} {value}"))))
}

pub fn stats(arguments: &Operate, json: bool) -> Result<()> {
    let stats = Engine::open(&arguments.index)?.stats()?;
    if json {
        return output::json(&stats);
    }
    for (name, value) in [
        ("documents", stats.documents),
        ("chunks", stats.chunks),
        ("tombstones", stats.tombstones),
        ("segments", stats.segments as u64),
        ("graphs", stats.graphs as u64),
        ("distinct ACLs", stats.distinct_acls as u64),
        ("dim", stats.dim as u64),
        ("generation", stats.generation),
        ("acl_epoch", stats.acl_epoch),
    ] {
        output::line(&format!("{name:<14} {value:>10}"))?;
    }
    output::line(&format!("{:<14} {}", "default label", stats.default_label))?;
    output::line(&format!("{:<14} {}", "model", stats.model["model"].as_str().unwrap_or("none")))
}
