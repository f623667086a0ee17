//! `safepassage facets` and `count`

use safepassage::{Engine, FacetValues, Result};
use serde_json::Value;

use crate::filter_args::{Count, Facets};
use crate::{identity, output};

pub fn facets(arguments: &Facets, json: bool) -> Result<()> {
    let filter = arguments.narrowed.filter()?;
    let engine = Engine::open(&arguments.who.operate.index)?;
    let session = identity::session(&engine, &arguments.who)?;
    let counting = session.facets(&arguments.field).limit(arguments.limit);
    let facets = filter.into_iter().fold(counting, |counting, filter| counting.filter(filter)).run()?;
    if json {
        return output::json(&facets);
    }
    match &facets.values {
        FacetValues::Values { distinct, values } => {
            for value in values {
                output::line(&output::printable(&format!("{:>9}  {}", value.count, plain(&value.value))))?;
            }
            let more = distinct - values.len() as u64;
            if more > 0 {
                output::line(&format!("{:>9}  {more} more values", "…"))?;
            }
        }
        FacetValues::Range { buckets, .. } => {
            for bucket in buckets {
                output::line(&format!("{:>9}  {} to {}", bucket.count, plain(&bucket.from), plain(&bucket.to)))?;
            }
        }
    }
    output::line(&format!("{} documents, {} with the field", facets.documents, facets.present))
}

pub fn count(arguments: &Count, json: bool) -> Result<()> {
    let filter = arguments.narrowed.filter()?;
    let engine = Engine::open(&arguments.who.operate.index)?;
    let session = identity::session(&engine, &arguments.who)?;
    let counted = filter.into_iter().fold(session.count(), |counting, filter| counting.filter(filter)).run()?;
    if json {
        return output::json(&counted);
    }
    output::line(&format!("{} documents, {} passages", counted.documents, counted.passages))
}

/// A string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
