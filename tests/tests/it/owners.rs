//! Do the `OWNERS` files of a large real tree, imported with their folders, open what the flat lists say?
//!
//! The corpus lies outside: `OWNERS_CORPUS=FOLDER cargo nextest run -p safepassage-tests --run-ignored only owners`. FOLDER
//! has `docs.jsonl` (`path`, `allow_users`, `allow_groups`) and `identities.jsonl` (`user`, `groups`). It has the flat
//! lists and not the files they came from, so the tree that explains them is made again: a folder states what all
//! documents right in it have in common (where it has none: all below it) and its parent does not state; it stands alone
//! where it lacks something its parent has; what single documents have beside that becomes filters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use safepassage::{Engine, Identity, ImportFormat, ImportOptions, Tenant, import_acls};
use serde_json::Value;

/// Names of owners: `u:NAME` or `g:NAME`.
type Owners = BTreeSet<String>;

struct Folder {
    all: Owners,
    own: Owners,
    filters: BTreeMap<String, Owners>,
    alone: bool,
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap())
}

fn above(path: &str) -> Option<&str> {
    (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(folder, _)| folder))
}

fn in_common<'a>(mut lists: impl Iterator<Item = &'a Owners>) -> Owners {
    let first = lists.next().cloned().unwrap_or_default();
    lists.fold(first, |common, list| &common & list)
}

/// The folders that explain what every document says.
fn explained(documents: &BTreeMap<String, Owners>) -> BTreeMap<String, Folder> {
    let mut folders = BTreeMap::<String, Folder>::new();
    let names: BTreeSet<&str> =
        documents.keys().flat_map(|path| std::iter::successors(above(path), |folder| above(folder))).collect();
    // Parents come before what is in them.
    for folder in names {
        let inside = |path: &&String| folder.is_empty() || path.starts_with(&format!("{folder}/"));
        let direct: Vec<&String> = documents.keys().filter(|path| above(path) == Some(folder)).collect();
        let below: Vec<&String> = documents.keys().filter(inside).collect();
        let all = in_common(if direct.is_empty() { &below } else { &direct }.iter().map(|path| &documents[*path]));
        let parent = above(folder).map(|parent| folders[parent].all.clone()).unwrap_or_default();
        let alone = !all.is_superset(&parent);
        let own = if alone { all.clone() } else { &all - &parent };
        let beside = |path: &&String| (path.rsplit('/').next().unwrap().to_owned(), &documents[*path] - &all);
        let filters = direct.iter().map(beside).filter(|(_, beside)| !beside.is_empty()).collect();
        folders.insert(folder.to_owned(), Folder { all, own, filters, alone });
    }
    folders
}

/// `owners` as the names that stand in the files, one a line.
fn listed(owners: &Owners, indent: &str) -> String {
    owners.iter().fold(String::new(), |text, owner| format!("{text}{indent}- \"{}\"\n", &owner[2..]))
}

fn write_tree(folders: &BTreeMap<String, Folder>, root: &Path) -> usize {
    let mut files = 0;
    for (path, Folder { own, filters, alone, .. }) in folders {
        if own.is_empty() && filters.is_empty() && !alone {
            continue;
        }
        let mut text = format!("options:\n  no_parent_owners: {alone}\n");
        if filters.is_empty() {
            write!(text, "approvers:\n{}", listed(own, "")).unwrap();
        } else {
            write!(text, "filters:\n  \".*\":\n    approvers:\n{}", listed(own, "    ")).unwrap();
            for (name, owners) in filters {
                let escaped: String =
                    name.chars().flat_map(|c| (!c.is_alphanumeric()).then_some('\\').into_iter().chain([c])).collect();
                write!(text, "  '^{escaped}$':\n    reviewers:\n{}", listed(owners, "    ")).unwrap();
            }
        }
        let folder = root.join(path);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("OWNERS"), text).unwrap();
        files += 1;
    }
    files
}

#[test]
#[ignore = "needs the corpus in the folder OWNERS_CORPUS"]
fn a_real_tree_of_owners_opens_what_the_flat_lists_say() {
    let corpus = PathBuf::from(std::env::var_os("OWNERS_CORPUS").expect("OWNERS_CORPUS is set"));
    let owners = |document: &Value| {
        let users = strings(&document["allow_users"]).map(|user| format!("u:{user}"));
        users.chain(strings(&document["allow_groups"]).map(|group| format!("g:{group}"))).collect::<Owners>()
    };
    let documents: BTreeMap<String, Owners> =
        lines(&corpus.join("docs.jsonl")).iter().map(|d| (d["path"].as_str().unwrap().to_owned(), owners(d))).collect();
    let people: Vec<(String, Vec<String>)> = lines(&corpus.join("identities.jsonl"))
        .iter()
        .map(|person| {
            (person["user"].as_str().unwrap().to_owned(), strings(&person["groups"]).map(str::to_owned).collect())
        })
        .collect();
    let folders = explained(&documents);
    let tree = tempfile::tempdir().unwrap();
    let files = write_tree(&folders, tree.path());
    let alone = folders.values().filter(|folder| folder.alone).count();
    let filters: usize = folders.values().map(|folder| folder.filters.len()).sum();

    let mut aliases = String::from("aliases:\n");
    for group in documents.values().flatten().filter_map(|owner| owner.strip_prefix("g:")).collect::<BTreeSet<_>>() {
        let members = people.iter().filter(|(_, groups)| groups.iter().any(|one| one == group));
        let members: Vec<&str> = members.map(|(user, _)| user.as_str()).collect();
        writeln!(aliases, "  \"{group}\": [{}]", members.join(", ")).unwrap();
    }
    std::fs::write(tree.path().join("OWNERS_ALIASES"), aliases).unwrap();

    // Aliases as groups that the askers bring, and as the members that they have.
    for alias_prefix in [Some(String::new()), None] {
        let as_groups = alias_prefix.is_some();
        let options = ImportOptions {
            alias_prefix,
            documents: Some(documents.keys().cloned().collect()),
            ..ImportOptions::default()
        };
        let imported = import_acls(ImportFormat::Owners, tree.path(), &options).unwrap();
        assert_eq!((imported.objects.len(), imported.documents.len()), (files, documents.len()));
        let engine = Engine::imagined(&Tenant::default(), &imported).unwrap();
        engine.apply_import(&Tenant::default(), &imported).unwrap();
        let (mut different, mut seen) = (Vec::new(), 0);
        for (user, groups) in &people {
            let is = |owner: &String| match owner.split_at(2) {
                ("u:", name) => name == user,
                (_, name) => groups.iter().any(|group| group == name),
            };
            let flat: Vec<&String> =
                documents.iter().filter(|(_, list)| list.iter().any(is)).map(|(id, _)| id).collect();
            let groups = groups.iter().map(String::as_str).filter(|_| as_groups);
            let identity = Identity::asserted(user).groups(groups).issue(engine.clock()).unwrap();
            let visible = engine.session(identity).unwrap().visible().unwrap().documents;
            seen += visible.len();
            if !visible.iter().eq(flat) {
                different.push(user);
            }
        }
        println!(
            "{} documents, {} folders, {files} OWNERS files ({alone} alone, {filters} filters), aliases as groups: {as_groups}; \
             {} identities see {seen} in all, {} differ",
            documents.len(),
            folders.len(),
            people.len(),
            different.len()
        );
        assert!(seen > 0 && different.is_empty(), "{different:?}");
    }
}
