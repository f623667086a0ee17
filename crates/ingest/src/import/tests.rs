//! Does every format open what it says there, and nothing else?

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use safepassage_access::specification::World;
use safepassage_access::{
    AccessEvent, Binding, DocumentNumber, Identity, LabelRank, Labels, ObjectStatement, Origin, Tenant, Version,
};
use safepassage_error::system::{Clock, Timestamp};

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/import").join(name)
}

/// What plain loops over the result say that `user` in `groups` may read.
fn seen(imported: &Imported, user: &str, groups: &[&str]) -> String {
    let clock = Clock::fixed(Timestamp(0));
    let identity = Identity::asserted(user).groups(groups.iter().copied()).issue(&clock).unwrap();
    let mut world = World::default();
    world.push(AccessEvent::Created { labels: Labels::default() });
    for object in &imported.objects {
        let acl = Some(object.acl.clone());
        let statement = ObjectStatement { source_acl: acl.clone(), acl, origin: Origin::Source };
        world.push(AccessEvent::ObjectStated { tenant: Tenant::default(), name: object.name.clone(), statement });
    }
    for (n, (id, acl)) in imported.documents.iter().enumerate() {
        let number = DocumentNumber(n as u32);
        world.push(AccessEvent::Numbered { tenant: Tenant::default(), id: id.as_str().into(), number });
        let binding = Binding::by_source(Version(1), acl.clone(), LabelRank(0));
        world.push(AccessEvent::Bound { number, binding });
    }
    let sees = |id: &&String| world.may_read(&identity, &Tenant::default(), id, Version(1), clock.now());
    imported.documents.keys().filter(sees).cloned().collect::<Vec<_>>().join(" ")
}

fn over(documents: &[&str]) -> ImportOptions {
    ImportOptions { documents: Some(documents.iter().map(|&id| id.to_owned()).collect()), ..ImportOptions::default() }
}

fn warned(imported: &Imported, words: &str) -> bool {
    imported.warnings.iter().any(|warning| warning.contains(words))
}

#[test]
fn kendra_needs_every_prefix_and_closes_what_is_open_there() {
    let documents = ["hr/pay.md", "plan.md", "drafts/a.md", "hrx.md"];
    let options = ImportOptions { strip: "s3://papers/".into(), ..over(&documents) };
    let imported = import(ImportFormat::Kendra, &fixture("kendra.json"), &options).unwrap();
    assert_eq!(seen(&imported, "ann", &["staff"]), "hrx.md plan.md");
    assert_eq!(seen(&imported, "ann", &["staff", "hr"]), "hr/pay.md hrx.md plan.md");
    assert_eq!(seen(&imported, "ann", &["hr"]), "");
    assert_eq!(seen(&imported, "ann", &["staff", "hr", "contractors"]), "hrx.md plan.md");
    assert_eq!(seen(&imported, "mallory@example.org", &["staff", "hr"]), "");
    assert!(warned(&imported, "`s3://papers/drafts/` has no entries"), "{:?}", imported.warnings);
    let elsewhere = ImportOptions { strip: "s3://other/".into(), ..over(&documents) };
    let imported = import(ImportFormat::Kendra, &fixture("kendra.json"), &elsewhere).unwrap();
    assert_eq!(seen(&imported, "ann", &["staff", "hr"]), "");
    assert!(warned(&imported, "4 documents are under no prefix"), "{:?}", imported.warnings);
}

#[test]
fn azure_lists_are_either_or_and_all_is_whoever_is_signed_in() {
    let imported = import(ImportFormat::Azure, &fixture("azure.json"), &ImportOptions::default()).unwrap();
    assert_eq!(seen(&imported, "somebody", &[]), "all.md");
    assert_eq!(seen(&imported, "9f2c-ann", &[]), "all.md either.md");
    assert_eq!(seen(&imported, "somebody", &["77aa-board", "none", "all"]), "all.md either.md");
    assert!(imported.documents["all.md"].allow.contains(&safepassage_access::Principal::Everyone));
    assert!(warned(&imported, "1 documents have an `rbacScope`"), "{:?}", imported.warnings);
}

#[test]
fn bedrock_files_without_a_list_are_closed() {
    let imported = import(ImportFormat::Bedrock, &fixture("bedrock"), &ImportOptions::default()).unwrap();
    assert_eq!(imported.documents.keys().collect::<Vec<_>>(), ["hr/pay.pdf", "open.md", "without.md"]);
    assert_eq!(seen(&imported, "bob", &[]), "hr/pay.pdf");
    assert_eq!(seen(&imported, "ann", &["hr", "contractors"]), "");
    assert!(warned(&imported, "`open.md.metadata.json` has no `accessControlList`"), "{:?}", imported.warnings);
    assert!(warned(&imported, "1 documents have no sidecar"), "{:?}", imported.warnings);
}

#[test]
fn posix_reads_the_file_and_passes_every_folder() {
    let imported = import(ImportFormat::Posix, &fixture("posix.getfacl"), &ImportOptions::default()).unwrap();
    assert_eq!(seen(&imported, "ann", &[]), "odd.md readme.md");
    assert_eq!(seen(&imported, "bob", &[]), "odd.md readme.md");
    assert_eq!(seen(&imported, "bob", &["audit"]), "hr/pay 2026.md odd.md readme.md");
    assert_eq!(seen(&imported, "carol", &[]), "hr/pay 2026.md odd.md readme.md");
    assert_eq!(seen(&imported, "zoe", &["hr"]), "hr/pay 2026.md odd.md readme.md");
    assert_eq!(seen(&imported, "mallory", &["hr"]), "odd.md readme.md");
    assert_eq!(seen(&imported, "zoe", &["guests"]), "readme.md");
    // Its owner may read it there although the group may not; here the deny wins, and it is said.
    assert_eq!(seen(&imported, "ann", &["guests"]), "readme.md");
    assert!(warned(&imported, "`srv/docs/odd.md`"), "{:?}", imported.warnings);
}

#[test]
fn nfs4_takes_the_first_entry_and_closes_what_nobody_is_named_for() {
    let imported = import(ImportFormat::Nfs4, &fixture("nfs4.getfacl"), &ImportOptions::default()).unwrap();
    assert_eq!(seen(&imported, "ann@example.org", &[]), "late.md plan.md");
    assert_eq!(seen(&imported, "zoe", &["staff@example.org"]), "late.md plan.md");
    assert_eq!(seen(&imported, "zoe", &["partners@example.org", "guests@example.org"]), "");
    assert_eq!(seen(&imported, "mallory@example.org", &["staff@example.org"]), "late.md");
    assert!(warned(&imported, "`export/late.md`") && warned(&imported, "1 paths name OWNER@ or GROUP@"));
}

#[test]
fn owners_of_all_folders_add_up_unless_one_stands_alone() {
    let read = |alias_prefix: Option<&str>| {
        let options = ImportOptions { alias_prefix: alias_prefix.map(str::to_owned), ..ImportOptions::default() };
        import(ImportFormat::Owners, &fixture("owners"), &options).unwrap()
    };
    let imported = read(None);
    let all_but_alone = "docs/design/charter.md docs/design/one.md docs/guide.md sig-auth/plan.md top.md";
    for user in ["ann", "bob", "carol"] {
        assert_eq!(seen(&imported, user, &[]), all_but_alone);
    }
    assert_eq!(seen(&imported, "emil", &[]), "docs/design/charter.md docs/design/one.md docs/guide.md");
    assert_eq!(seen(&imported, "gina", &[]), "docs/design/charter.md docs/design/one.md");
    assert_eq!(seen(&imported, "steering", &[]), "docs/design/charter.md");
    assert_eq!(seen(&imported, "freya", &[]), "sig-auth/plan.md");
    assert_eq!(seen(&imported, "hans", &[]), "sig-auth/private/keys.md");
    assert_eq!(seen(&imported, "gone", &["docs-leads"]), "");
    let grouped = read(Some("alias:"));
    assert_eq!(seen(&grouped, "freya", &[]), "");
    assert_eq!(seen(&grouped, "x", &["alias:auth-leads"]), "sig-auth/plan.md");
}

#[test]
fn the_last_pattern_of_codeowners_decides() {
    let documents = [
        "main.rs",
        "a/b.md",
        "docs/x.txt",
        "docs/deep/x.txt",
        "docs/secret/k.md",
        "apps/plan.txt",
        "apps/a/b/plan.txt",
        "with space.txt",
        "xdocs/y.txt",
    ];
    let imported = import(ImportFormat::Codeowners, &fixture("CODEOWNERS"), &over(&documents)).unwrap();
    assert_eq!(seen(&imported, "x", &["acme/everyone-else"]), "main.rs xdocs/y.txt");
    assert_eq!(seen(&imported, "ann", &[]), "a/b.md");
    assert_eq!(seen(&imported, "docs@example.org", &[]), "a/b.md");
    assert_eq!(seen(&imported, "bob", &[]), "docs/x.txt");
    assert_eq!(seen(&imported, "x", &["acme/docs"]), "docs/deep/x.txt");
    assert_eq!(seen(&imported, "x", &["acme/plans"]), "apps/a/b/plan.txt apps/plan.txt");
    assert_eq!(seen(&imported, "carol", &[]), "with space.txt");
    assert!(imported.documents["docs/secret/k.md"].allow.is_empty());
}

#[test]
fn what_cannot_be_read_refuses_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = "# file: a\n# owner: o\n# group: g\nuser::rwx\ngroup::r-x\nother::r-x\n";
    for (format, text, said) in [
        (ImportFormat::Kendra, r#"[{"keyPrefix": "a", "keyPrefix": "b", "aclEntries": []}]"#, "duplicate"),
        (ImportFormat::Kendra, r#"[{"keyPrefix": "a", "aclEntries": [["x", "USER", "DENY"]]}]"#, "an object"),
        (
            ImportFormat::Kendra,
            r#"[{"keyPrefix": "a", "aclEntries": []}, {"keyPrefix": "a", "aclEntries": []}]"#,
            "twice",
        ),
        (
            ImportFormat::Kendra,
            r#"[{"keyPrefix": "a", "aclEntries": [{"Name": "x", "Type": "ROLE", "Access": "DENY"}]}]"#,
            "ROLE",
        ),
        (ImportFormat::Azure, r#"[{"id": "a", "userIds": ["x"], "userIds": ["all"]}]"#, "twice"),
        (ImportFormat::Azure, r#"[{"id": "a", "userIds": ["x"], "UserIds": ["all"]}]"#, "twice"),
        (ImportFormat::Azure, r#"[{"id": "a", "userIds": "all"}]"#, "not a list"),
        (ImportFormat::Azure, "{\"id\": \"a\"}\n{\"id\": \"a\"}", "twice"),
        (ImportFormat::Azure, "{\"id\": \"a\"}\n{\"userIds\": []}", "no `id`"),
        (ImportFormat::Posix, "user::rwx", "a path must come first"),
        (ImportFormat::Posix, &file.replace("other::r-x", "other::rx"), "three of"),
        (ImportFormat::Posix, &file.replace("other::r-x\n", ""), "no entry for others"),
        (ImportFormat::Posix, &format!("{file}user:x:---\n"), "no mask"),
        (ImportFormat::Posix, &format!("{file}other::---\n"), "said before"),
        (ImportFormat::Posix, &format!("{file}{}", file.replace("file: a", "file: a/b/c")), "folder of `a/b/c`"),
        (ImportFormat::Posix, &format!("{file}{}", file.replace("file: a", "file: b")), "not below `a`"),
        (ImportFormat::Posix, &format!("{file}{}", file.replace("file: a", "file: a/..")), "no plain path"),
        (ImportFormat::Nfs4, "# file: a\nA::x@y", "an entry is TYPE"),
        (ImportFormat::Nfs4, "# file: a\nX::x@y:r", "type `X`"),
        (ImportFormat::Nfs4, "# file: a\nA:z:x@y:r", "flag `z`"),
        (ImportFormat::Codeowners, "*.md @a\n!x.md @b", "`!x.md`"),
        (ImportFormat::Codeowners, "*.md @a\n[Docs] @b", "`[Docs]`"),
        (ImportFormat::Codeowners, "*.md alice", "`alice`"),
    ] {
        let path = folder.path().join("permissions");
        std::fs::write(&path, text).unwrap();
        let error = import(format, &path, &over(&["x.md"])).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
    for (text, said) in [
        ("approvers:\n- a\napprovers: [b]\n", "stands twice"),
        ("approvers: &x [a]\n", "not a plain word"),
        ("options:\n  no_parent_owner: true\n", "`no_parent_owner`"),
        ("options:\n  no_parent_owners: yes\n", "neither true nor false"),
        ("approvers: alice\n", "a list is expected"),
        ("approvers:\n- a\n   no_parent_owners: true\n", "not indented"),
        ("filters:\n  \"(\":\n    approvers: [a]\n", "no pattern"),
    ] {
        let path = folder.path().join("OWNERS");
        std::fs::write(&path, text).unwrap();
        let error = import(ImportFormat::Owners, folder.path(), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
        assert!(error.context().iter().any(|(name, _)| *name == "line"), "{error:?}");
    }
}

#[test]
fn what_is_written_is_what_a_sync_reads() {
    let options = ImportOptions { prefix: "team/".into(), ..ImportOptions::default() };
    let imported = import(ImportFormat::Owners, &fixture("owners"), &options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [acl, objects] = ["acl.jsonl", "objects.jsonl"].map(|name| folder.path().join(name));
    imported.write(&acl, &objects).unwrap();
    assert_eq!(crate::source::read_acl_objects(&objects).unwrap(), imported.objects);
    for line in std::fs::read_to_string(&acl).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let acl: Acl = serde_json::from_value(line["acl"].clone()).unwrap();
        assert_eq!(acl, imported.documents[line["_id"].as_str().unwrap()]);
    }
    assert_eq!(&*imported.objects[0].name, "team/owners/");
}

/// One path of a made-up tree: owner, group, and entries by POSIX or as an ordered list.
type Entry = (usize, [bool; 2]);

#[derive(Debug, Clone)]
struct Posix {
    owner: usize,
    group: usize,
    rights: [[bool; 2]; 4],
    users: Vec<Entry>,
    groups: Vec<Entry>,
}

fn named() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::btree_map(0..3usize, any::<[bool; 2]>(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn posix() -> impl Strategy<Value = Posix> {
    (0..3usize, 0..3usize, any::<[[bool; 2]; 4]>(), named(), named())
        .prop_map(|(owner, group, rights, users, groups)| Posix { owner, group, rights, users, groups })
}

fn letters([read, pass]: [bool; 2]) -> String {
    format!("{}-{}", if read { 'r' } else { '-' }, if pass { 'x' } else { '-' })
}

impl Posix {
    fn written(&self, path: &str) -> String {
        let [own, of_group, other, mask] = self.rights.map(letters);
        let mut text = format!("# file: {path}\n# owner: u{}\n# group: g{}\nuser::{own}\n", self.owner, self.group);
        self.users.iter().for_each(|(n, rights)| text += &format!("user:u{n}:{}\n", letters(*rights)));
        text += &format!("group::{of_group}\n");
        self.groups.iter().for_each(|(n, rights)| text += &format!("group:g{n}:{}\n", letters(*rights)));
        text + &format!("mask::{mask}\nother::{other}\n\n")
    }

    /// The access check as the manual page has it, step by step.
    fn permits(&self, right: usize, user: usize, groups: &[usize]) -> bool {
        let [own, of_group, other, mask] = self.rights.map(|rights| rights[right]);
        if user == self.owner {
            return own;
        }
        if let Some((_, rights)) = self.users.iter().find(|(n, _)| *n == user) {
            return rights[right] && mask;
        }
        let owning = groups.contains(&self.group).then_some(of_group);
        let named = self.groups.iter().filter(|(n, _)| groups.contains(n)).map(|(_, rights)| rights[right]);
        let matching: Vec<bool> = owning.into_iter().chain(named).collect();
        if matching.is_empty() { other } else { mask && matching.contains(&true) }
    }
}

/// Allow or deny; a user, a group, everybody, the owner or the owning group; for reading and passing.
type Ace = (bool, usize, [bool; 2]);

fn nfs4() -> impl Strategy<Value = (usize, usize, Vec<Ace>)> {
    (0..3usize, 0..3usize, proptest::collection::vec((any::<bool>(), 0..9usize, any::<[bool; 2]>()), 0..6))
}

fn nfs4_written((owner, group, aces): &(usize, usize, Vec<Ace>), path: &str) -> String {
    let mut text = format!("# file: {path}\n# owner: u{owner}\n# group: g{group}\n");
    for (allow, who, rights) in aces {
        let (flags, who) = match who {
            n @ 0..=2 => ("", format!("u{n}")),
            n @ 3..=5 => ("g", format!("g{}", n - 3)),
            6 => ("", "OWNER@".to_owned()),
            7 => ("g", "GROUP@".to_owned()),
            _ => ("", "EVERYONE@".to_owned()),
        };
        let rights: String = letters(*rights).replace('-', "");
        text += &format!("{}:{flags}:{who}:{rights}t\n", if *allow { 'A' } else { 'D' });
    }
    text
}

fn nfs4_permits((owner, group, aces): &(usize, usize, Vec<Ace>), right: usize, user: usize, groups: &[usize]) -> bool {
    let first = aces.iter().filter(|(_, _, rights)| rights[right]).find(|(_, who, _)| match who {
        n @ 0..=2 => user == *n,
        n @ 3..=5 => groups.contains(&(n - 3)),
        6 => user == *owner,
        7 => groups.contains(group),
        _ => true,
    });
    first.is_some_and(|(allow, ..)| *allow)
}

const PATHS: [&str; 4] = ["r", "r/a", "r/a/b", "r/a/b/f"];

/// Holds an import of the four paths against `permits`, for every user in every set of groups.
fn held(imported: &Imported, permits: impl Fn(usize, usize, usize, &[usize]) -> bool) -> Result<(), TestCaseError> {
    let exact = !warned(imported, "the deny wins for both");
    for user in 0..4 {
        for some in 0..8 {
            let groups: Vec<usize> = (0..3).filter(|n| some >> n & 1 == 1).collect();
            let names: Vec<String> = groups.iter().map(|n| format!("g{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let plain = (0..3).all(|folder| permits(folder, 1, user, &groups)) && permits(3, 0, user, &groups);
            let ours = seen(imported, &format!("u{user}"), &names) == "a/b/f";
            prop_assert!(plain || !ours, "u{user} in {names:?} is let in");
            prop_assert!(!exact || plain == ours, "u{user} in {names:?} is not let in");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn posix_is_never_wider_and_equal_where_no_warning_says_otherwise(tree in proptest::array::uniform4(posix()), closed: bool) {
        let mut tree = tree;
        if closed {
            tree.iter_mut().for_each(|one| one.rights[2] = [false; 2]);
        }
        let text: String = tree.iter().zip(PATHS).map(|(one, path)| one.written(path)).collect();
        let imported = posix::import(text.as_bytes()).unwrap();
        prop_assert!(!closed || !warned(&imported, "the deny wins for both"), "others may do nothing");
        held(&imported, |at, right, user, groups| tree[at].permits(right, user, groups))?;
    }

    #[test]
    fn nfs4_is_never_wider_and_equal_where_denies_come_first(tree in proptest::array::uniform4(nfs4()), sorted: bool) {
        let mut tree = tree;
        if sorted {
            tree.iter_mut().for_each(|(_, _, aces)| aces.sort_by_key(|(allow, ..)| *allow));
        }
        let text: String = tree.iter().zip(PATHS).map(|(one, path)| nfs4_written(one, path)).collect();
        let imported = nfs4::import(text.as_bytes()).unwrap();
        prop_assert!(!sorted || !warned(&imported, "the deny wins for both"), "all denies come first");
        held(&imported, |at, right, user, groups| nfs4_permits(&tree[at], right, user, groups))?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z:@#/\\-\\[\\]{}\"'* \\\\\n,.]{0,200}") {
        let paths = BTreeSet::from(["a/b.md".to_owned()]);
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = kendra::import(bytes, &paths, "");
            let _ = azure::import(bytes, &ImportOptions::default());
            let _ = posix::import(bytes);
            let _ = nfs4::import(bytes);
            let _ = codeowners::import(bytes, &paths);
            let _ = yaml::parse(bytes);
        }
    }
}
