//! The arguments of `safepassage re-embed` and `safepassage switch`.

use std::path::PathBuf;

use clap::Args;

use crate::args::Operate;

#[derive(Debug, Args)]
pub struct ReEmbed {
    #[command(flatten)]
    pub operate: Operate,
    /// The new model: `builtin`, a model folder, or with --models a name there
    #[arg(long, value_name = "E", required_unless_present = "drop")]
    pub embedder: Option<String>,
    /// Catalogue of the models elsewhere that texts may be sent to; the index remembers where it lies
    #[arg(long, value_name = "FILE", requires = "embedder")]
    pub models: Option<PathBuf>,
    /// Write and send nothing; say what would be done, and what it would cost
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub limits: Limits,
    /// Try passages again that the model refused in an earlier run
    #[arg(long)]
    pub retry_dead_letters: bool,
    /// Take the candidate away instead, and give its disk back
    #[arg(long, conflicts_with_all = ["embedder", "dry_run", "max_cost", "max_minutes", "retry_dead_letters", "leave_out"])]
    pub drop: bool,
}

#[derive(Debug, Args)]
pub struct Switch {
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub limits: Limits,
}

/// What embedding may take.
#[derive(Debug, Args)]
pub struct Limits {
    /// Embed no more once it would cost more than this, in the currency of the catalogue
    #[arg(long, value_name = "AMOUNT")]
    pub max_cost: Option<f64>,
    /// Embed no more after so many minutes
    #[arg(long, value_name = "MINUTES")]
    pub max_minutes: Option<f64>,
    /// Do without documents that the model may not read, refuses, or that have no text; they are named
    #[arg(long)]
    pub leave_out: bool,
}
