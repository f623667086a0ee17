//! The arguments of `safepassage sync`.

use std::path::PathBuf;

use clap::Args;
use safepassage::{ChunkWay, Language, SourceSpec};

use crate::args::Operate;

#[derive(Debug, Args)]
pub struct Sync {
    /// Folders, `.jsonl` files, BEIR folders, Parquet or Arrow files (or folders of them), single documents or
    /// s3://BUCKET/FOLDER; NAME= puts NAME/ before their ids
    #[arg(required = true, value_name = "[NAME=]SOURCE")]
    pub sources: Vec<SourceSpec>,
    #[command(flatten)]
    pub operate: Operate,
    /// ACL file, instead of the `acl.jsonl` beside each source
    #[arg(long, value_name = "FILE")]
    pub acl: Option<PathBuf>,
    /// File that states ACL objects (folders, sites), a JSON object a line
    #[arg(long, value_name = "FILE")]
    pub acl_objects: Option<PathBuf>,
    /// `builtin`, a model folder, or with --models a name there; only for a new index [default: builtin]
    #[arg(long, value_name = "E")]
    pub embedder: Option<String>,
    /// Catalogue of the models elsewhere that texts may be sent to; the index remembers where it lies
    #[arg(long, value_name = "FILE", requires = "embedder")]
    pub models: Option<PathBuf>,
    /// By what documents are cut: `structure`, `fixed`, `sentences:N` (each found by itself, given with N on either side),
    /// `hierarchical:N` (small chunks are found, those of N tokens given), `semantic:N` (breaks at the Nth percentile of
    /// distances; embeds every sentence besides, in dry runs too) or `none` (a chunk a document), N or not; only for a new
    /// index [default: structure]
    #[arg(long, value_name = "WAY")]
    pub chunker: Option<ChunkWay>,
    /// The most tokens of a chunk; only for a new index [default: what the model reads, 128 with `hierarchical`]
    #[arg(long, value_name = "N")]
    pub chunk_tokens: Option<usize>,
    /// Tokens that neighbouring chunks share; only for a new index [default: an eighth of a chunk]
    #[arg(long, value_name = "N")]
    pub overlap: Option<usize>,
    /// Language of the documents, for search by words (`none` for several); only for a new index [default: english]
    #[arg(long, value_name = "L")]
    pub language: Option<Language>,
    /// Label of unlabelled documents; only for a new index [default: the lowest]
    #[arg(long, value_name = "L")]
    pub default_label: Option<String>,
    /// File that declares which fields of the metadata can be asked for, `{"year": "number"}`; only for a new index,
    /// `fields set` changes them
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Memory that parsing a PDF, Office file or mail may take, in a process of its own; 0 parses in this one, where nothing
    /// keeps a file from taking all
    #[arg(long, default_value_t = 2048, value_name = "MB")]
    pub parser_memory: u64,
    /// Read every file again, also those whose size and times, or tags in a store, are as they were
    #[arg(long)]
    pub rehash: bool,
    /// Write nothing if any document would have to be put aside
    #[arg(long)]
    pub strict: bool,
    /// Write nothing; say what would be done, and what it would cost
    #[arg(long)]
    pub dry_run: bool,
    /// Embed no more once it would cost more than this, in the currency of the catalogue
    #[arg(long, value_name = "AMOUNT")]
    pub max_cost: Option<f64>,
    /// Embed no more after so many minutes
    #[arg(long, value_name = "MINUTES")]
    pub max_minutes: Option<f64>,
    /// Go on: look again every so many seconds (30 if none are given, a day with --queue) and bring the index up to date,
    /// until stopped
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, conflicts_with = "dry_run")]
    pub watch: Option<Option<u64>>,
    /// With --watch: look in between at the objects of the one S3 source that messages of this SQS queue speak of (from S3,
    /// SNS or EventBridge), and delete a message once that is in the index. What cannot be read is named and stays, for the
    /// queue's redrive policy; messages about other places are deleted, so that a queue has one reader. Needs
    /// sqs:ReceiveMessage and sqs:DeleteMessage
    #[arg(long, value_name = "https://HOST/ACCOUNT/QUEUE", requires = "watch")]
    pub queue: Option<String>,
    /// Look only at the objects of the one S3 source that these messages speak of (S3, SNS, SQS or EventBridge; `-` reads
    /// standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub events: Option<PathBuf>,
    /// Embed first by batch jobs of Bedrock, at their price, with this folder of a bucket for texts and vectors; goes on with
    /// the same jobs after an interruption. Texts lie there as plain as they are sent, and are deleted with the vectors once
    /// those are kept (s3:DeleteObject); what cannot be deleted is warned of. A bucket with versions keeps the earlier ones
    #[arg(long, value_name = "s3://BUCKET/FOLDER", requires = "batch_role", conflicts_with = "watch")]
    pub batch: Option<String>,
    /// The role that Bedrock reads and writes that bucket as
    #[arg(long, value_name = "ARN", requires = "batch")]
    pub batch_role: Option<String>,
    /// Another address of Bedrock's jobs (a VPC endpoint)
    #[arg(long, value_name = "URL", requires = "batch")]
    pub batch_endpoint: Option<String>,
    /// Seconds between two looks at a batch job
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub batch_poll: u64,
    /// Try documents again that the model refused in an earlier run
    #[arg(long)]
    pub retry_dead_letters: bool,
}
