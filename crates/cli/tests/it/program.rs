//! The binary in a scratch folder: run it, and look at what it said and what it left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::model;

/// The repository's fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").canonicalize().unwrap()
}

/// What one run said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The kind and message of an error, checked against the shape and the exit code.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let error = json["error"].as_object().unwrap_or_else(|| panic!("no error: {self:?}"));
        let mut keys: Vec<_> = error.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["kind", "message", "retryable"]);
        let kind = error["kind"].as_str().unwrap().to_owned();
        let (code, retryable) = match kind.as_str() {
            "Internal" => (1, false),
            "Invalid" => (2, false),
            "NotFound" | "Denied" => (3, false),
            "Conflict" => (4, true),
            "Unavailable" | "Throttled" => (5, true),
            "Corrupted" => (6, false),
            other => panic!("unknown kind {other}"),
        };
        assert_eq!((self.code, error["retryable"].as_bool()), (Some(code), Some(retryable)), "{self:?}");
        (kind, error["message"].as_str().unwrap().to_owned())
    }
}

/// A folder that the binary runs in and that goes away with the test.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// Writes a file, its folders included.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_safepassage"));
        command.current_dir(self.0.path()).args(arguments).arg("--json");
        command
    }

    /// Runs `arguments` and `--json`.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let said = Said::of(&self.command(arguments).output().unwrap());
        assert!(!said.stderr.contains("panicked"), "{said:?}");
        said
    }

    /// Runs what must succeed, and gives its JSON.
    pub fn ok(&self, arguments: &[&str]) -> Value {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.json()
    }

    /// Syncs `sources` and options into the index `index`, made with the small model if it is new.
    pub fn sync(&self, arguments: &[&str]) -> Value {
        self.ok(&self.sync_arguments(arguments))
    }

    /// As [`Scratch::sync`], whatever comes of it.
    pub fn try_sync(&self, arguments: &[&str]) -> Said {
        self.run(&self.sync_arguments(arguments))
    }

    pub fn sync_arguments<'a>(&self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["sync", "--index", "index"];
        if !self.path("index").exists() {
            all.extend(["--embedder", model::folder().to_str().unwrap()]);
        }
        all.extend(arguments);
        all
    }

    /// What `who` (`alice hr leadership`: a user and groups; `-`: nobody) may see.
    pub fn visible(&self, who: &str) -> Vec<String> {
        let visible = self.ok(&[&["visible", "--index", "index"][..], &self.who(who)].concat());
        let documents = strings(&visible["documents"]);
        assert_eq!(visible["count"], documents.len());
        documents
    }

    /// Documents found by a search that asks for more than there is; all of them must be visible.
    pub fn found(&self, who: &str) -> Vec<String> {
        let mut arguments = vec!["search", "freezer", "--index", "index", "-k", "100000"];
        arguments.extend(self.who(who));
        let results = self.ok(&arguments);
        assert_eq!(results["complete"], true);
        let mut documents: Vec<String> =
            results["hits"].as_array().unwrap().iter().map(|hit| hit["document"].as_str().unwrap().into()).collect();
        documents.sort_unstable();
        documents.dedup();
        documents
    }

    fn who<'a>(&self, who: &'a str) -> Vec<&'a str> {
        if who == "-" {
            fs::write(self.path("anonymous.json"), r#"{"groups": []}"#).unwrap();
            return vec!["--identity", "anonymous.json"];
        }
        let mut words = who.split(' ');
        let mut arguments = vec!["--user", words.next().unwrap()];
        let groups: Vec<&str> = words.collect();
        if groups.is_empty() {
            arguments.push("--no-groups");
        }
        groups.into_iter().for_each(|group| arguments.extend(["--group", group]));
        arguments
    }

    /// Every file below `relative` with its bytes, by its path from there; who holds a lease is left out.
    pub fn files(&self, relative: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(relative), "", &mut files);
        files.retain(|name, _| !name.ends_with(".lock"));
        files
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

/// Copies a folder with all below it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The keys of an object, in byte order.
pub fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
