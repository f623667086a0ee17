//! What narrows a search or a count?

use std::path::PathBuf;

use clap::Args;
use safepassage::{Error, Filter, Result};

use crate::args::Who;

#[derive(Debug, Args)]
pub struct Narrowed {
    /// What documents must have in declared fields, as the filter JSON of Amazon Bedrock, or @FILE that holds it
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
}

impl Narrowed {
    /// The filter, if one is given.
    pub fn filter(&self) -> Result<Option<Filter>> {
        let Some(given) = &self.filter else { return Ok(None) };
        let text = match given.strip_prefix('@').map(PathBuf::from) {
            Some(file) => std::fs::read_to_string(&file)
                .map_err(|e| Error::invalid("read filter", format!("`{}` cannot be read: {e}", file.display())))?,
            None => given.clone(),
        };
        text.parse().map(Some)
    }
}

#[derive(Debug, Args)]
pub struct Facets {
    #[command(flatten)]
    pub who: Who,
    /// The field; it must be declared
    #[arg(long, value_name = "F")]
    pub field: String,
    /// How many values, or how many buckets of numbers and dates at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    #[command(flatten)]
    pub narrowed: Narrowed,
}

#[derive(Debug, Args)]
pub struct Count {
    #[command(flatten)]
    pub who: Who,
    #[command(flatten)]
    pub narrowed: Narrowed,
}
