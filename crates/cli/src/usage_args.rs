//! Which options has the ledger?

use clap::{Args, Subcommand};

use crate::args::Operate;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Usage {
    #[command(flatten)]
    pub operate: Option<Operate>,
    /// What calls are summed by: `tenant`, `user`, `feature`, `model`, `operation` or `day`
    #[arg(long, value_name = "WHAT", default_value = "model")]
    pub by: String,
    /// Of the last so many days
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub days: u64,
    /// Show every call by itself
    #[arg(long)]
    pub calls: bool,
    #[command(subcommand)]
    pub settings: Option<Settings>,
}

#[derive(Debug, Subcommand)]
pub enum Settings {
    /// Show whether calls are written down, and the budgets
    Get(Operate),
    /// Put settings in force, `{"on": true, "budget": [{"tenant", "user", "feature", "per", "tokens", "cost"}]}`
    Set {
        #[command(flatten)]
        operate: Operate,
        /// The settings, JSON
        #[arg(long, value_name = "FILE")]
        settings: std::path::PathBuf,
    },
}
