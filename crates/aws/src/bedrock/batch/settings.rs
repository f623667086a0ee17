//! What does somebody say who wants texts embedded by jobs, and what are they told?

use std::time::Duration;

use safepassage_error::Result;

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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batched {
    /// Jobs that were submitted in this run.
    pub submitted: u64,
    /// Jobs of an earlier run that were gone on with.
    pub resumed: u64,
    /// Texts that were embedded.
    pub embedded: u64,
    /// Texts that jobs gave nothing for, in the end.
    pub failed: u64,
    /// Jobs that are still under way, because patience was up.
    pub open: u64,
    /// What was embedded cost, where somebody knows the price.
    pub cost: Option<f64>,
    /// Jobs that are done whose texts and vectors could not be deleted from the bucket: where they lie, and why.
    pub undeleted: Vec<String>,
}

/// By what a text's vector is remembered, also once nobody has the text any more.
pub type TextKey = [u8; 32];

/// What somebody has who wants texts embedded.
pub trait BatchTexts {
    /// Keeps the vector of the text that is remembered by `key`, for which the model read so many tokens if it says. It may
    /// be a text of an earlier run that none of these is: it was paid for. Returns whether it is usable.
    ///
    /// # Errors
    /// Whatever keeps it from being kept.
    fn keep(&mut self, key: TextKey, vector: &[f32], tokens: Option<u64>) -> Result<bool>;

    /// Calls `each` with every text that was not kept yet, as it is sent, after what it is remembered by.
    ///
    /// # Errors
    /// What `each` fails with, or what keeps the texts from being read.
    fn left(&mut self, each: &mut dyn FnMut(TextKey, &str) -> Result<()>) -> Result<()>;
}
