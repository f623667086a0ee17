//! Which commands and options are there?

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use safepassage::jwt::Algorithm;
use safepassage::{Fusion, Inherit, Principal};

use crate::audit_args::{Audit, BreakGlass};
use crate::eval_args::{Canary, Eval};
use crate::filter_args::{Count, Facets, Narrowed};
use crate::import_args::Import;
use crate::rerank::Rerank;

/// Retrieval that returns only the passages the asker may read.
#[derive(Debug, Parser)]
#[command(name = "safepassage", version, max_term_width = 110)]
pub struct Arguments {
    /// Print one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring an index up to date with folders, JSON Lines files or BEIR folders
    Sync(crate::sync_args::Sync),
    /// Find the passages that answer a question, as somebody
    Search(Search),
    /// Put a question to a model, with the passages that somebody may read; the answer names them
    Ask(crate::ask_args::Ask),
    /// List the documents that somebody may see
    Visible(Who),
    /// Count the values that documents have in a field, of those that somebody may see
    Facets(Facets),
    /// Count the documents and passages that somebody may see
    Count(Count),
    /// Say why somebody may or may not read a document
    Explain(Explain),
    /// Look up or change who may read a document
    #[command(subcommand)]
    Acl(Acl),
    /// Check, show and set up the log of who was given what
    #[command(subcommand)]
    Audit(Audit),
    /// See every document of a tenant in an emergency; needs a secret and a reason, and is written down
    #[command(subcommand)]
    BreakGlass(BreakGlass),
    /// Look up or change the policies that must permit beside the ACLs
    #[command(subcommand)]
    Policy(Policy),
    /// Measure retrieval on questions with known answers: quality, leaks, speed
    Eval(Eval),
    /// Documents that nobody has a reason to be given: add some, ask for them, take them away
    #[command(subcommand)]
    Canary(Canary),
    /// Look up, change or suggest which fields of the metadata can be asked for
    #[command(subcommand)]
    Fields(Fields),
    /// Embed every passage with another model, in a candidate beside the index
    ReEmbed(crate::re_embed_args::ReEmbed),
    /// Make the candidate with another model the newest generation
    Switch(crate::re_embed_args::Switch),
    /// List the generations of an index, each with its model, and the candidate
    Generations(Operate),
    /// Make a generation with the content of an earlier one; permissions stay as they are now
    Rollback(Rollback),
    /// Merge segments and drop what is dead
    Merge(Operate),
    /// Check every byte and every rule of the format
    Verify(Verify),
    /// Show where a document comes from: its source, and the file and version of it that were read
    Inspect(Document),
    /// Show the sizes of an index
    Stats(Operate),
    /// Sum what calls of models cost; look up or change what they may cost
    Usage(crate::usage_args::Usage),
    /// Parse the file on stdin, for a sync
    #[command(hide = true)]
    Parse(Parse),
}

#[derive(Debug, Args)]
pub struct Parse {
    /// Its format
    pub format: String,
    /// The memory that it may take
    pub most_bytes: u64,
}

#[derive(Debug, Args)]
pub struct Operate {
    /// Folder of the index
    #[arg(long, value_name = "DIR")]
    pub index: PathBuf,
}

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub operate: Operate,
    /// Say a digest too of everything that can be asked of the index (documents, passages, fields, vectors, permissions): the
    /// same for indexes that say the same, whatever their generations and segments
    #[arg(long)]
    pub digest: bool,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The generation whose content is wanted
    pub generation: u64,
    #[command(flatten)]
    pub operate: Operate,
}

/// Who asks: `--identity FILE`, or `--user U` with `--group G…` or `--no-groups`, or `--token JWT` with the issuer's keys.
#[derive(Debug, Args)]
pub struct Identity {
    /// Identity as JSON; without a user it is anonymous
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "group", "no_groups", "tenant", "clearance"], required_unless_present_any = ["user", "token"])]
    pub identity: Option<PathBuf>,
    /// User id
    #[arg(long, value_name = "U")]
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
    #[command(flatten)]
    pub token: Token,
}

#[derive(Debug, Default, Args)]
pub struct Token {
    /// Token that says who asks, or @FILE that holds it
    #[arg(long, value_name = "JWT", requires = "jwks", conflicts_with_all = ["identity", "user"])]
    pub token: Option<String>,
    /// Key set of the token's issuer
    #[arg(long, value_name = "FILE", requires = "token")]
    pub jwks: Option<PathBuf>,
    /// Issuer the token must be from
    #[arg(long, value_name = "I", requires = "token")]
    pub issuer: Option<String>,
    /// For whom the token must be made; once for each that is taken
    #[arg(long, value_name = "A", requires = "token")]
    pub audience: Vec<String>,
    /// How the token may be signed; once for each [default: by the keys, if all are of one family]
    #[arg(long, value_name = "ALG", requires = "token")]
    pub algorithm: Vec<Algorithm>,
    /// Whose claims they are: `oidc`, `entra`, `cognito`, `cognito-access` or `okta` [default: oidc]
    #[arg(long, value_name = "PROVIDER", requires = "token")]
    pub claims: Option<String>,
    /// The issuer is the local one: `group:hr`, not `I|group:hr`
    #[arg(long, requires = "token")]
    pub local_issuer: bool,
    /// All of that and more as JSON, instead of `--issuer`, `--audience`, `--algorithm` and `--claims`
    #[arg(long, value_name = "FILE", requires = "token", conflicts_with_all = ["issuer", "audience", "algorithm", "claims", "local_issuer"])]
    pub verifier: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Who {
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub who: Identity,
    /// Ask the engine that this JSON file describes too, for each document: `{"openfga": {"at": {"url": URL, "token_env":
    /// VARIABLE}, "store": ID}}` or `{"authzen": {"at": {…}}}`. It only takes away
    #[arg(long, value_name = "FILE")]
    pub authorizer: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Hybrid,
    Vector,
    Lexical,
}

impl From<Mode> for safepassage::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Hybrid => Self::Hybrid,
            Mode::Vector => Self::Vector,
            Mode::Lexical => Self::Lexical,
        }
    }
}

#[derive(Debug, Args)]
pub struct Search {
    /// The question
    pub query: String,
    #[command(flatten)]
    pub who: Who,
    /// How many passages
    #[arg(short, default_value_t = 10)]
    pub k: usize,
    /// How passages are found: by meaning (`vector`), by words (`lexical`), or both
    #[arg(long, value_enum, default_value_t = Mode::Hybrid)]
    pub mode: Mode,
    /// How meaning and words are brought together: `scores:W` with the weight of words, or `ranks:K`
    #[arg(long, default_value_t = Fusion::default(), value_name = "F")]
    pub fusion: Fusion,
    /// Share of the truly nearest passages to be found; 1 is exact
    #[arg(long, default_value_t = 0.95, value_name = "R")]
    pub recall: f32,
    #[command(flatten)]
    pub narrowed: Narrowed,
    #[command(flatten)]
    pub refine: Refine,
}

/// What is done with what was found.
#[derive(Debug, Args)]
pub struct Refine {
    #[command(flatten)]
    pub rerank: Rerank,
    /// How many candidates are read or chosen from [default: three times k, at least 50]
    #[arg(long, value_name = "N")]
    pub candidates: Option<usize>,
    /// Spread what is given: from 1, the best as they are, to 0, as unlike each other as can be
    #[arg(long, value_name = "R")]
    pub diverse: Option<f32>,
    /// Leave out passages that say the same as a better one
    #[arg(long)]
    pub distinct: bool,
    /// Give each hit with so many passages before and after it
    #[arg(long, value_name = "N", conflicts_with_all = ["section", "page"])]
    pub around: Option<u32>,
    /// Give each hit with the passages under the same heading, so many before and after it at most
    #[arg(long, value_name = "N", conflicts_with = "page")]
    pub section: Option<u32>,
    /// Give each hit with the passages on the same page, so many before and after it at most
    #[arg(long, value_name = "N")]
    pub page: Option<u32>,
    /// Make one hit of hits that follow each other in a document
    #[arg(long)]
    pub merged: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub who: Who,
    /// Id of the document
    #[arg(long, value_name = "ID")]
    pub document: String,
}

#[derive(Debug, Args)]
pub struct Document {
    #[command(flatten)]
    pub operate: Operate,
    /// Id of the document
    #[arg(long, value_name = "ID")]
    pub document: String,
    /// Tenant of the document
    #[arg(long, value_name = "T", default_value = "")]
    pub tenant: String,
}

#[derive(Debug, Subcommand)]
pub enum Acl {
    /// Show who may read a document
    Get(Document),
    /// Replace the ACL of a document
    Set {
        #[command(flatten)]
        document: Document,
        #[command(flatten)]
        acl: Stated,
    },
    /// Take a document from a principal until restored, whatever a later sync says
    Revoke {
        #[command(flatten)]
        document: Document,
        /// Who loses it
        #[arg(long, value_name = "P")]
        principal: Principal,
    },
    /// Lift a revocation
    Restore {
        #[command(flatten)]
        document: Document,
        /// Who may pass the ACL again
        #[arg(long, value_name = "P")]
        principal: Principal,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
    /// List which documents became visible or invisible to whom between two epochs
    Diff {
        #[command(flatten)]
        operate: Operate,
        /// The earlier epoch
        #[arg(long, value_name = "EPOCH")]
        from: u64,
        /// The later epoch [default: the newest]
        #[arg(long, value_name = "EPOCH")]
        to: Option<u64>,
        /// Only to this identity, exactly; else to every principal by itself
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Tenant of the documents
        #[arg(long, value_name = "T", default_value = "", conflicts_with = "identity")]
        tenant: String,
    },
    /// Say for how long permissions that nobody confirmed open anything; every change and every sync confirms them
    MaxAge {
        #[command(flatten)]
        operate: Operate,
        /// Seconds; 0 is for ever
        #[arg(long, value_name = "S")]
        seconds: u64,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
    /// Say that the permissions in this folder are the newest, though nobody confirmed them in time
    Confirm {
        #[command(flatten)]
        operate: Operate,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
    /// Read permissions that another product has; say what they would open, write them down, or put them in force
    Import(Import),
    /// Look up or change ACL objects: folders, sites, spaces that documents inherit from
    #[command(subcommand)]
    Objects(AclObjects),
}

#[derive(Debug, Subcommand)]
pub enum Fields {
    /// Show the declared fields, and how many documents have them
    Get(Operate),
    /// Replace the declared fields; writes no document
    Set {
        #[command(flatten)]
        operate: Operate,
        /// Names and types, `{"dept": "string", "year": "number", "open": "bool", "tags": "list", "day": "date"}`
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
    },
    /// Propose a schema from the metadata of all documents
    Suggest(Operate),
}

#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Show the policies in force
    Get(Operate),
    /// Replace the policies; they are checked strictly against their schema
    Set {
        #[command(flatten)]
        operate: Operate,
        /// The policies
        #[arg(long, value_name = "FILE")]
        policies: PathBuf,
        /// Their schema
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// What they know besides the asker and the document, as JSON
        #[arg(long, value_name = "FILE")]
        entities: Option<PathBuf>,
        /// Field of a document's metadata that they know; once for each
        #[arg(long, value_name = "FIELD")]
        attribute: Vec<String>,
        /// Their language
        #[arg(long, default_value = "cedar")]
        language: String,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
    /// Take the policies out of force: the ACLs alone decide
    Remove {
        #[command(flatten)]
        operate: Operate,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
}

/// What an ACL says.
#[derive(Debug, Args)]
pub struct Stated {
    /// Who may read: `user:ID`, `group:ID`, `everyone`, `public`
    #[arg(long, value_name = "P", num_args = 0..)]
    pub allow: Vec<Principal>,
    /// Who may read if they are all of these; once for each such list
    #[arg(long, value_name = "P,P…")]
    pub all_of: Vec<String>,
    /// Who may not, whatever else allows them
    #[arg(long, value_name = "P", num_args = 0..)]
    pub deny: Vec<Principal>,
    /// The ACL object it inherits from
    #[arg(long, value_name = "NAME")]
    pub parent: Option<String>,
    /// How it inherits: `deny-wins` (allows of both count, a deny of either wins), `child-overrides`, `parent-overrides` or
    /// `both-permit`
    #[arg(long, value_name = "MODE", requires = "parent", default_value = "deny-wins", value_parser = inherit)]
    pub inherit: Inherit,
}

fn inherit(text: &str) -> Result<Inherit, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "it is `deny-wins`, `child-overrides`, `parent-overrides` or `both-permit`".to_owned())
}

#[derive(Debug, Args)]
pub struct Object {
    #[command(flatten)]
    pub operate: Operate,
    /// Name of the ACL object
    #[arg(long, value_name = "NAME")]
    pub object: String,
    /// Tenant of the ACL object
    #[arg(long, value_name = "T", default_value = "")]
    pub tenant: String,
}

#[derive(Debug, Subcommand)]
pub enum AclObjects {
    /// List all ACL objects of a tenant
    List {
        #[command(flatten)]
        operate: Operate,
        /// Tenant
        #[arg(long, value_name = "T", default_value = "")]
        tenant: String,
    },
    /// Show one
    Get(Object),
    /// State one, or move it by giving another parent; writes no document
    Set {
        #[command(flatten)]
        object: Object,
        #[command(flatten)]
        acl: Stated,
    },
    /// Take back what was stated: what is under it is closed
    Remove(Object),
    /// Take everything under it from a principal until restored
    Revoke {
        #[command(flatten)]
        object: Object,
        /// Who loses it
        #[arg(long, value_name = "P")]
        principal: Principal,
    },
    /// Lift a revocation
    Restore {
        #[command(flatten)]
        object: Object,
        /// Who may pass the ACLs again
        #[arg(long, value_name = "P")]
        principal: Principal,
        /// Why; kept in the access log
        #[arg(long)]
        reason: String,
    },
}
