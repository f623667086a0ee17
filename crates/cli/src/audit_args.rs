//! Which options have `audit` and `break-glass`?

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use safepassage::audit::{Digest, Durability};

use crate::args::Operate;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check every line: what was changed, dropped, put in or reordered is named (exit code 6)
    Verify {
        #[command(flatten)]
        operate: Operate,
        /// A hash that `audit head` printed once: its line must still be there
        #[arg(long, value_name = "HASH")]
        expect: Option<Digest>,
    },
    /// Print the number and the hash of the last line, to be kept somewhere else
    Head(Operate),
    /// Print lines as they are, oldest first, while the log is checked
    Show {
        #[command(flatten)]
        operate: Operate,
        /// From this line on
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
        /// About this user
        #[arg(long, value_name = "U")]
        user: Option<String>,
        /// About this document
        #[arg(long, value_name = "ID")]
        document: Option<String>,
        /// Of this kind, such as `search` or `break_glass`
        #[arg(long, value_name = "A")]
        action: Option<String>,
    },
    /// Write down every decision from now on, in every process
    On(Operate),
    /// Write down only permission changes, break glass and changes of these settings; this is written down
    Off(Operate),
    /// Show how the index is audited, or change it
    Settings(Settings),
    /// Remove whole old files; this is written down
    Retire {
        #[command(flatten)]
        operate: Operate,
        /// Keep every line of the last N days [default: what the settings keep]
        #[arg(long, value_name = "N", conflicts_with = "keep_files")]
        keep_days: Option<u32>,
        /// Keep the newest N files
        #[arg(long, value_name = "N")]
        keep_files: Option<u32>,
        /// Why; written down
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Let a log whose end is damaged go on; this is written down
    Mend {
        #[command(flatten)]
        operate: Operate,
        /// What happened; written down
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// A line survives a power cut before an answer goes out
    Synced,
    /// A line survives the end of the process
    Written,
}

impl From<When> for Durability {
    fn from(when: When) -> Self {
        match when {
            When::Synced => Self::Synced,
            When::Written => Self::Written,
        }
    }
}

#[derive(Debug, Args)]
pub struct Settings {
    #[command(flatten)]
    pub operate: Operate,
    /// Whether questions are written down as they were asked
    #[arg(long, value_name = "ON|OFF")]
    pub texts: Option<Switch>,
    /// When a line counts as written
    #[arg(long, value_name = "D")]
    pub durability: Option<When>,
    /// Begin a new file at so many bytes
    #[arg(long, value_name = "BYTES")]
    pub rotate_bytes: Option<u64>,
    /// Begin a new file after so many days
    #[arg(long, value_name = "N")]
    pub rotate_days: Option<u32>,
    /// Never retire what is younger than so many days
    #[arg(long, value_name = "N")]
    pub keep_days: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum BreakGlass {
    /// Make a secret that breaks the glass, in place of any before, and print it once
    Enable(Operate),
    /// Let no secret break the glass any more
    Disable(Operate),
    /// Ask a question over every document of a tenant
    Search {
        /// The question
        query: String,
        #[command(flatten)]
        emergency: Emergency,
        /// How many passages
        #[arg(short, default_value_t = 10)]
        k: usize,
    },
    /// List every document of a tenant
    Visible(Emergency),
}

/// The secret is in the variable SAFEPASSAGE_BREAK_GLASS or in a file, never in an argument, which others could see.
#[derive(Debug, Args)]
pub struct Emergency {
    #[command(flatten)]
    pub operate: Operate,
    /// Who breaks the glass
    #[arg(long, value_name = "U")]
    pub user: String,
    /// Tenant whose documents are opened
    #[arg(long, value_name = "T", default_value = "")]
    pub tenant: String,
    /// Why, in at least three words; written down
    #[arg(long)]
    pub reason: String,
    /// File that holds the secret [default: the variable SAFEPASSAGE_BREAK_GLASS]
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}
