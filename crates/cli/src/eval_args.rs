//! Which options does `eval` have?

use std::path::PathBuf;

use clap::Args;

use crate::args::{self, Operate};

#[derive(Debug, Args)]
pub struct Eval {
    /// BEIR folder, or a file or folder with `questions.jsonl`
    #[arg(value_name = "QUESTIONS")]
    pub questions: PathBuf,
    #[command(flatten)]
    pub operate: Operate,
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
    /// A best score below this counts as having no answer
    #[arg(long, value_name = "SCORE")]
    pub least_score: Option<f32>,
    /// Of resampling
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Put the questions themselves into the report, with what was found
    #[arg(long)]
    pub show_questions: bool,
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
