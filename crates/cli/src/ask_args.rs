//! Which options has a question to a model?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use safepassage::Suspected;

use crate::args::{Mode, Who};
use crate::filter_args::Narrowed;

#[derive(Debug, Args)]
pub struct Ask {
    /// The question
    pub query: String,
    #[command(flatten)]
    pub who: Who,
    #[command(flatten)]
    pub generator: Generator,
    /// How many passages go with it
    #[arg(short, default_value_t = 6)]
    pub k: usize,
    /// How passages are found: by meaning (`vector`), by words (`lexical`), or both
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// Share of the truly nearest passages to be found; 1 is exact
    #[arg(long, default_value_t = 0.95, value_name = "R")]
    pub recall: f32,
    #[command(flatten)]
    pub narrowed: Narrowed,
    /// Template of the prompt, TOML [default: one that asks for short answers with citations]
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// What the template wants besides, as NAME=VALUE; once for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = input)]
    pub input: Vec<(String, String)>,
    /// Most tokens of the answer
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub tokens: u32,
    /// How freely the model writes, from 0 to 2 [default: as it does by itself]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f32>,
    /// Refuse the question if a passage has a label that the model is not cleared for, instead of leaving it out
    #[arg(long)]
    pub refuse_above_label: bool,
    /// Send the question also if no passage goes with it
    #[arg(long)]
    pub without_passages: bool,
    /// Look for what speaks to the model rather than to its reader, and mark such passages, leave them out, or refuse the
    /// question; signs are no proof
    #[arg(long, value_name = "mark|drop|refuse", value_parser = suspected)]
    pub suspected: Option<Suspected>,
    /// From which score on a text is suspected, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "SCORE", requires = "suspected")]
    pub suspected_from: Option<f32>,
    /// What it is for: in the ledger, and for budgets that name it
    #[arg(long, value_name = "NAME")]
    pub feature: Option<String>,
    /// Take mail addresses, telephone, card and account numbers, keys and tokens out of question, passages or answer
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0.., default_missing_value = "all")]
    pub redact: Vec<Where>,
}

/// Which model answers.
#[derive(Debug, Args)]
pub struct Generator {
    /// Model that answers: with --models a name there, or `openai:URL#MODEL` of a server on this machine
    #[arg(long, value_name = "MODEL")]
    pub generator: String,
    /// Catalogue of the models that questions and passages may be sent to, up to the label of each
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    /// Guardrail of the catalogue that looks at what goes to the model and comes back; once for each
    #[arg(long, value_name = "NAME", requires = "models")]
    pub guardrail: Vec<String>,
    /// Highest label of passages that a server on this machine may be sent, where no catalogue says so
    #[arg(long, value_name = "L", conflicts_with = "models")]
    pub highest_label: Option<String>,
    /// How many tokens prompt and answer may have together, where no catalogue says so
    #[arg(long, value_name = "N", default_value_t = 4096, conflicts_with = "models")]
    pub window: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Where {
    All,
    Question,
    Passages,
    Answer,
}

fn suspected(name: &str) -> Result<Suspected, String> {
    name.parse().map_err(|error: safepassage::Error| error.message().to_owned())
}

fn input(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
