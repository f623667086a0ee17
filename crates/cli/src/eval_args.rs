//! Which options have `eval` and `canary`?

use std::path::PathBuf;

use clap::{Args, Subcommand};
use safepassage::{Fusion, Principal};

use crate::args::{self, Mode, Operate};
use crate::rerank::Rerank;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Eval {
    #[command(subcommand)]
    pub command: Option<EvalCommand>,
    #[command(flatten)]
    pub measure: Measure,
}

#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Compare the embeddings of two generations, or of two indexes
    Drift(Drift),
    /// Find by judged questions how much words should count beside meaning
    Learn(Learn),
}

#[derive(Debug, Args)]
pub struct Measure {
    /// BEIR folder, or a file or folder with `questions.jsonl`
    #[arg(value_name = "QUESTIONS", required = true)]
    pub questions: Option<PathBuf>,
    /// Folder of the index
    #[arg(long, value_name = "DIR", required = true)]
    pub index: Option<PathBuf>,
    /// Measure the candidate of `re-embed` instead of the index; --against DIR is the index then
    #[arg(long)]
    pub candidate: bool,
    /// Write the figures into the index's ledger, beside the calls of models; `usage` shows them
    #[arg(long)]
    pub record: bool,
    #[command(flatten)]
    pub who: Askers,
    /// How many documents count; several with commas between, of which searches are for the first
    #[arg(short, long, default_value = "10", value_delimiter = ',', value_name = "N")]
    pub k: Vec<usize>,
    /// Which judgements of a BEIR folder [default: test]
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// Share of the truly nearest passages to be found; 1 is exact
    #[arg(long, default_value_t = 0.95, value_name = "R")]
    pub recall: f32,
    /// How passages are found: by meaning (`vector`), by words (`lexical`), or both
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// How meaning and words are brought together: `scores:W` with the weight of words, or `ranks:K`
    #[arg(long, default_value_t = Fusion::default(), value_name = "F")]
    pub fusion: Fusion,
    #[command(flatten)]
    pub rerank: Rerank,
    /// A best score below this counts as having no answer
    #[arg(long, value_name = "SCORE")]
    pub least_score: Option<f32>,
    /// Of resampling and of swapping sides
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Ask another index the same, and say whether this one is better
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// Ask for another recall on the other side [default: the same]
    #[arg(long, value_name = "R")]
    pub against_recall: Option<f32>,
    /// Find passages by another way on the other side [default: the same]
    #[arg(long, value_enum)]
    pub against_mode: Option<Mode>,
    /// Bring the two ways together otherwise on the other side [default: the same]
    #[arg(long, value_name = "F")]
    pub against_fusion: Option<Fusion>,
    /// Rerank with another model on the other side, or with `none` [default: the same]
    #[arg(long, value_name = "MODEL")]
    pub against_rerank: Option<String>,
    /// What must hold, as JSON or TOML: else the exit code is 7
    #[arg(long, value_name = "FILE")]
    pub gate: Option<PathBuf>,
    /// Write the report as one page of HTML too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Put the questions themselves into the report, with what was found
    #[arg(long)]
    pub show_questions: bool,
}

#[derive(Debug, Args)]
pub struct Learn {
    /// BEIR folder, or a file or folder with `questions.jsonl`
    #[arg(value_name = "QUESTIONS")]
    pub questions: PathBuf,
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub who: Askers,
    /// How many documents count
    #[arg(short, default_value_t = 10, value_name = "N")]
    pub k: usize,
    /// Which judgements of a BEIR folder [default: test]
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
}

#[derive(Debug, Args)]
pub struct Drift {
    #[command(flatten)]
    pub operate: Operate,
    /// The earlier generation [default: the newest, with --against]
    #[arg(long, value_name = "GENERATION", required_unless_present = "against")]
    pub from: Option<u64>,
    /// The later generation [default: the newest]
    #[arg(long, value_name = "GENERATION")]
    pub to: Option<u64>,
    /// Another index as the later side
    #[arg(long, value_name = "DIR")]
    pub against: Option<PathBuf>,
    /// Questions whose scores are compared: BEIR folder, or a file or folder with `questions.jsonl`
    #[arg(long, value_name = "QUESTIONS")]
    pub questions: Option<PathBuf>,
    /// Which judgements of a BEIR folder [default: test]
    #[arg(long, value_name = "SPLIT", requires = "questions")]
    pub split: Option<String>,
    /// The most vectors of each side
    #[arg(long, default_value_t = 2000, value_name = "N")]
    pub drawn: usize,
    /// A best score below this counts as having no answer
    #[arg(long, value_name = "SCORE")]
    pub least_score: Option<f32>,
    /// Of mixing the sides
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Write the figures into the index's ledger, beside the calls of models; `usage` shows them
    #[arg(long)]
    pub record: bool,
}

#[derive(Debug, Subcommand)]
pub enum Canary {
    /// Add documents of words that stand nowhere else, and that few may read
    Plant {
        #[command(flatten)]
        operate: Operate,
        /// Who may read them; `user:ID` or `group:ID`
        #[arg(long, value_name = "P", num_args = 1.., default_value = "group:canary-keepers")]
        acl: Vec<Principal>,
        /// How many
        #[arg(long, default_value_t = 3, value_name = "N")]
        count: usize,
        /// Tenant
        #[arg(long, value_name = "T", default_value = "")]
        tenant: String,
    },
    /// Ask for them as somebody, and as those who may read them; who gets one and may not ends it with exit code 7
    Check {
        #[command(flatten)]
        operate: Operate,
        #[command(flatten)]
        who: Askers,
        /// Share of the truly nearest passages to be found
        #[arg(long, default_value_t = 0.95, value_name = "R")]
        recall: f32,
    },
    /// Take all of them away
    Remove {
        #[command(flatten)]
        operate: Operate,
        /// Tenant
        #[arg(long, value_name = "T", default_value = "")]
        tenant: String,
    },
}

/// Who asks: the personas of a file, or one identity; without any, the `personas.jsonl` beside the questions.
#[derive(Debug, Args)]
pub struct Askers {
    /// Who asks, a JSON object `{"_id", "identity"}` a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "user", "public"])]
    pub personas: Option<PathBuf>,
    /// Only this identity asks; as JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "public"])]
    pub identity: Option<PathBuf>,
    /// Only this user asks
    #[arg(long, value_name = "U", conflicts_with = "public")]
    pub user: Option<String>,
    /// Group id; once for each group, all of them
    #[arg(long, value_name = "G", conflicts_with = "no_groups", requires = "user")]
    pub group: Vec<String>,
    /// The user is in no group
    #[arg(long, requires = "user")]
    pub no_groups: bool,
    /// Tenant
    #[arg(long, value_name = "T", requires = "user")]
    pub tenant: Option<String>,
    /// Highest label the user may see [default: the lowest]
    #[arg(long, value_name = "C", requires = "user")]
    pub clearance: Option<String>,
    /// Only somebody who has not signed in asks
    #[arg(long)]
    pub public: bool,
}

impl Askers {
    /// The one identity, where there is one.
    pub fn one(&self) -> Option<args::Identity> {
        (self.identity.is_some() || self.user.is_some()).then(|| args::Identity {
            identity: self.identity.clone(),
            user: self.user.clone(),
            group: self.group.clone(),
            no_groups: self.no_groups,
            tenant: self.tenant.clone(),
            clearance: self.clearance.clone(),
            token: args::Token::default(),
        })
    }
}
