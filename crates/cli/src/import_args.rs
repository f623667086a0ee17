//! What does `acl import` take?

use std::path::PathBuf;

use clap::Args;
use safepassage::ImportFormat;

#[derive(Debug, Args)]
pub struct Import {
    /// File or folder that has the permissions
    pub source: PathBuf,
    /// `bedrock`, `kendra`, `azure`, `posix`, `nfs4`, `owners` or `codeowners`
    #[arg(long, value_name = "F")]
    pub format: ImportFormat,
    /// Folder of the documents [default: the source if it is a folder, else what the index has]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Stands before every id: `NAME/` for a source that is synced as NAME=PATH
    #[arg(long, value_name = "P", default_value = "")]
    pub prefix: String,
    /// What the source's names have in front and ids have not, such as `s3://bucket/`
    #[arg(long, value_name = "P", default_value = "")]
    pub strip: String,
    /// For `azure`: the field that is the id [default: id]
    #[arg(long, value_name = "FIELD")]
    pub key: Option<String>,
    /// For `owners`: aliases become groups with this before their names [default: they become their members]
    #[arg(long, value_name = "P")]
    pub alias_prefix: Option<String>,
    /// Tenant of the documents
    #[arg(long, value_name = "T", default_value = "")]
    pub tenant: String,
    /// Folder of the index
    #[arg(long, value_name = "DIR", required_unless_present_any = ["dry_run", "out_acl"])]
    pub index: Option<PathBuf>,
    /// Write the ACLs of documents here, for `sync --acl`
    #[arg(long, value_name = "FILE", requires = "out_objects", conflicts_with = "dry_run")]
    pub out_acl: Option<PathBuf>,
    /// Write the ACL objects here, for `sync --acl-objects`
    #[arg(long, value_name = "FILE", requires = "out_acl")]
    pub out_objects: Option<PathBuf>,
    /// Put it in force in the index, at one epoch
    #[arg(long, requires = "index", conflicts_with = "dry_run", required_unless_present_any = ["dry_run", "out_acl"])]
    pub apply: bool,
    /// Write nothing; say what would become visible to whom, in the index or among the documents of the source
    #[arg(long)]
    pub dry_run: bool,
}
