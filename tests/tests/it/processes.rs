//! Several processes on one folder: one writes all the time, some search all the time, one takes a document away.
//!
//! The test starts its own binary again for each part; [`part`] is what those run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Principal, Tenant};
use safepassage_tests::Numbers;

const DIM: usize = 8;
const READERS: usize = 3;
const COMMITS: usize = 40;
const PART: &str = "SAFEPASSAGE_TEST_PART";
const FOLDER: &str = "SAFEPASSAGE_TEST_FOLDER";

fn document(id: &str, vector: Vec<f32>, allow: Principal) -> BatchDocument {
    let (vector, acl) = (Some(vector.into()), Some(Acl::new([allow], [])));
    BatchDocument { id: id.to_owned(), text: Some(format!("text of {id}")), vector, acl, ..BatchDocument::default() }
}

fn start(part: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::part", "--nocapture"]).env(PART, part).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn part() {
    let (Ok(part), Ok(folder)) = (std::env::var(PART), std::env::var(FOLDER)) else { return };
    let folder = PathBuf::from(folder);
    let engine = Engine::open(folder.join("index")).unwrap();
    match part.as_str() {
        "writer" => write(&engine, &folder),
        "revoker" => {
            engine.revoke(&Tenant::default(), "target", &Principal::user("eve")).unwrap();
            fs::write(folder.join("revoked"), "").unwrap();
        }
        reader => read(&engine, &folder, reader),
    }
}

/// Replaces open and secret documents under the same ids, so that a stale row would show.
fn write(engine: &Engine, folder: &Path) {
    let mut numbers = Numbers(3);
    for round in 0..COMMITS {
        let mut documents = Vec::new();
        for n in 0..6 {
            let (open, secret) = (format!("open-{n}"), format!("secret-{n}"));
            documents.push(document(&open, numbers.vector(DIM), Principal::Everyone));
            documents.push(document(&secret, vec![1.0; DIM], Principal::group("hr")));
        }
        engine.add(documents).unwrap();
        if round % 7 == 3 {
            engine.delete(&Tenant::default(), "secret-0").unwrap();
        }
        engine.commit().unwrap();
        match round % 10 {
            4 => drop(engine.merge().unwrap()),
            8 => drop(engine.rollback(engine.stats().unwrap().generation - 1).unwrap()),
            _ => {}
        }
    }
    fs::write(folder.join("written"), "").unwrap();
}

/// Searches until told to stop; what it finds must be open, and without the target once that is revoked.
fn read(engine: &Engine, folder: &Path, name: &str) {
    let session = engine.session(Identity::asserted("eve").issue(engine.clock()).unwrap()).unwrap();
    let (mut searches, mut after) = (0u64, 0u64);
    while !folder.join("stop").exists() {
        let revoked = folder.join("revoked").exists();
        let results = session.search_vector(&[1.0; DIM], 40, Some(1.0)).unwrap().results().unwrap();
        let found: Vec<&str> = results.hits.iter().map(|hit| hit.document.as_str()).collect();
        assert!(results.complete && found.len() >= 6, "{found:?}");
        assert!(found.iter().all(|id| id.starts_with("open-") || *id == "target"), "forbidden: {found:?}");
        assert!(!(revoked && found.contains(&"target")), "the revocation does not hold after {searches} searches");
        assert!(revoked || after > 0 || searches > 0 || found.contains(&"target"), "{found:?}");
        searches += 1;
        after += u64::from(revoked);
        if searches == 3 {
            fs::write(folder.join(format!("{name}-ready")), "").unwrap();
        }
        if after == 20 {
            fs::write(folder.join(format!("{name}-saw")), "").unwrap();
        }
    }
}

#[test]
fn readers_never_fail_never_leak_and_see_a_revocation_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create(path.join("index"), create).unwrap();
    let mut numbers = Numbers(2);
    let mut documents = vec![document("target", vec![1.0; DIM], Principal::Everyone)];
    documents.extend((0..6).map(|n| document(&format!("open-{n}"), numbers.vector(DIM), Principal::Everyone)));
    engine.add(documents).unwrap();
    engine.commit().unwrap();
    let readers: Vec<String> = (0..READERS).map(|n| format!("reader-{n}")).collect();
    let mut children: Vec<Child> = readers.iter().map(|name| start(name, path)).collect();
    let failed = |children: &mut Vec<Child>| {
        children.iter_mut().any(|child| child.try_wait().unwrap().is_some_and(|status| !status.success()))
    };
    for name in &readers {
        while !path.join(format!("{name}-ready")).exists() {
            assert!(!failed(&mut children), "a reader ended early");
            std::thread::yield_now();
        }
    }
    children.push(start("writer", path));
    assert!(start("revoker", path).wait().unwrap().success());
    for file in readers.iter().map(|name| format!("{name}-saw")).chain(["written".to_owned()]) {
        while !path.join(&file).exists() && !failed(&mut children) {
            std::thread::yield_now();
        }
    }
    fs::write(path.join("stop"), "").unwrap();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(path.join("written").exists());
    engine.verify().unwrap();
}
