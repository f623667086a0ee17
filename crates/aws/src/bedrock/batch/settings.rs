//! What does somebody say who wants texts embedded by jobs, and what are they told?

use std::time::Duration;

use safepassage_error::Result;

use super::RecordId;

/// Where and how jobs are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSettings {
    /// `s3://BUCKET/FOLDER`, where the texts go and the vectors come from; with options as a source has them.
    pub place: String,
    /// The role that Bedrock reads and writes the bucket as.
    pub role: String,
    /// Another address of Bedrock's jobs: they are not where its models are called.
    pub endpoint_url: Option<String>,
    /// Between two looks at a job.
    pub poll: Duration,
    /// After so long the jobs are left to themselves; the next run goes on with them.
    pub patience: Option<Duration>,
    /// Texts of one job at most.
    pub most: usize,
}

impl BatchSettings {
    /// More texts the service takes in no job.
    pub const MOST: usize = 50_000;
}

/// What batch jobs did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batched {
    /// Jobs that were submitted in this run.
    pub submitted: u64,
    /// Jobs of an earlier run that were gone on with.
    pub resumed: u64,
    /// Texts that were embedded.
    pub embedded: u64,
    /// Texts that jobs gave nothing for.
    pub failed: u64,
    /// Jobs that are still under way, because patience was up.
    pub open: u64,
    /// Tokens of what was embedded, where the model says.
    pub tokens: u64,
    /// Jobs that are done whose texts and vectors could not be deleted from the bucket: where they lie, and why.
    pub undeleted: Vec<String>,
}

/// What somebody has who wants texts embedded.
pub trait BatchTexts {
    /// The vector and tokens of the record `id`, if it is one of these texts and usable. Returns whether it is kept.
    ///
    /// # Errors
    /// Whatever keeps it from being kept.
    fn keep(&mut self, id: RecordId, vector: &[f32]) -> Result<bool>;

    /// Calls `each` with every text that was not kept yet, as it is sent.
    ///
    /// # Errors
    /// What `each` fails with, or what keeps the texts from being read.
    fn left(&mut self, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()>;
}
