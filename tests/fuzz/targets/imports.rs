//! What do the importers of permissions make of files that nobody would write?
//!
//! The first byte says which format; the rest is the file, or the files of a folder with `\n====\n` between them. What is
//! read is read twice alike, can be kept, and names nobody whom the bytes do not name.

#![no_main]

mod parts;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use safepassage::{Acl, ImportFormat, ImportOptions, Kind, Principal, import_acls};

const FORMATS: [ImportFormat; 7] = [
    ImportFormat::Bedrock,
    ImportFormat::Kendra,
    ImportFormat::Azure,
    ImportFormat::Posix,
    ImportFormat::Nfs4,
    ImportFormat::Owners,
    ImportFormat::Codeowners,
];

thread_local! {
    static FOLDER: RefCell<tempfile::TempDir> = RefCell::new(tempfile::tempdir().unwrap());
}

fn write(path: PathBuf, bytes: Option<&&[u8]>) {
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => drop(std::fs::remove_file(path)),
    }
}

/// Where the files of a format lie.
fn placed(folder: &Path, format: ImportFormat, bytes: &[u8]) -> PathBuf {
    let parts = parts::split(bytes);
    let names: &[&str] = match format {
        ImportFormat::Bedrock => &["a.md.metadata.json", "b/c.md.metadata.json"],
        ImportFormat::Owners => &["OWNERS", "b/OWNERS", "OWNERS_ALIASES"],
        _ => {
            let file = folder.join("file");
            write(file.clone(), Some(&bytes));
            return file;
        }
    };
    let root = folder.join(format!("{format:?}"));
    std::fs::create_dir_all(root.join("b")).unwrap();
    for document in ["a.md", "b/c.md"] {
        std::fs::write(root.join(document), "# A\n\nb\n").unwrap();
    }
    for (n, name) in names.iter().enumerate() {
        write(root.join(name), parts.get(n));
    }
    root
}

/// Nobody is made up: what stands in an ACL stands in the file, unless that has escapes.
fn check_named(acl: &Acl, text: &str) {
    acl.check().unwrap();
    let named = acl.allow.iter().chain(&acl.deny).chain(acl.all_of.iter().flat_map(|all| all.iter()));
    for principal in named {
        if let Principal::Named { id, .. } = principal {
            assert!(
                text.contains('\\') || text.contains('%') || text.contains(&id.to_lowercase()),
                "`{id}` is made up"
            );
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(first) % FORMATS.len()];
    FOLDER.with_borrow(|folder| {
        let source = placed(folder.path(), format, rest);
        let documents: BTreeSet<String> = ["a.md", "b/c.md", "b/d/e.rs"].map(str::to_owned).into();
        let options =
            ImportOptions { documents: Some(documents), strip: "s3://bucket/".into(), ..ImportOptions::default() };
        match import_acls(format, &source, &options) {
            Err(error) => assert_eq!(error.kind(), Kind::Invalid, "{error}"),
            Ok(imported) => {
                let text = String::from_utf8_lossy(rest).to_lowercase();
                let objects = imported.objects.iter().map(|object| &object.acl);
                objects.chain(imported.documents.values()).for_each(|acl| check_named(acl, &text));
                assert_eq!(import_acls(format, &source, &options).unwrap(), imported, "it is read otherwise again");
            }
        }
    });
});
