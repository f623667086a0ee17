//! What does a sync make of ACL files, ACL objects, documents in lines and sidecars that nobody would write?
//!
//! The first byte says what kind of source it is; the rest are its files, `\n====\n` between them: the ACL file, the ACL
//! objects, the documents or the sidecar. Everything is planned; one input in eight is indexed too, and then nobody who
//! is not named sees anything.

#![no_main]

mod parts;

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Create, Embedder, EmbedderChoice, Embeddings, Engine, Identity, Kind, ModelStamp, Purpose, Result, Silent,
    SourceSpec, SyncOptions, Tokenizer,
};
use safepassage_index::storage::MemoryStorage;

/// A model with one word: every text has the same vector.
struct OneWord(ModelStamp, Tokenizer);

impl Embedder for OneWord {
    fn stamp(&self) -> &ModelStamp {
        &self.0
    }

    fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
        let values = [1.0, 0.0].repeat(texts.len());
        Ok(Embeddings { dim: 2, values, tokens: 0, truncated: Vec::new() })
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.1
    }
}

static ONE_WORD: LazyLock<Arc<OneWord>> = LazyLock::new(|| {
    let tokenizer = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
    let named = String::from;
    let stamp = ModelStamp {
        provider: named("fuzz"),
        model: named("one word"),
        dim: 2,
        normalised: true,
        document_prefix: String::new(),
        query_prefix: String::new(),
        digest: None,
    };
    Arc::new(OneWord(stamp, Tokenizer::from_json(tokenizer, 64).unwrap()))
});

fn engine() -> Engine {
    let create = Create { embedder: EmbedderChoice::Given(ONE_WORD.clone()), ..Create::default() };
    Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap()
}

struct Place {
    folder: tempfile::TempDir,
    planner: Engine,
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place { folder: tempfile::tempdir().unwrap(), planner: engine() });
}

fn write(folder: &Path, name: &str, bytes: Option<&[u8]>) {
    let path = folder.join(name);
    match bytes {
        Some(bytes) => std::fs::write(path, bytes).unwrap(),
        None => drop(std::fs::remove_file(path)),
    }
}

fn synced(engine: &Engine, source: &Path, options: &SyncOptions) -> bool {
    match engine.sync(&[SourceSpec::new(source)], options, &Silent) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), Kind::Invalid, "{error}");
            false
        }
    }
}

/// Nobody who is not written down anywhere sees anything, whatever is missing, broken or said twice.
fn check_strangers(engine: &Engine, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let clock = engine.clock();
    if text.contains("public") || text.contains("\\u") {
        return;
    }
    let anonymous = Identity::anonymous().clearance("restricted").issue(clock).unwrap();
    assert_eq!(engine.session(anonymous).unwrap().visible().unwrap().count, 0, "somebody without a name sees it");
    if text.contains("everyone") || text.contains("zebra") {
        return;
    }
    let stranger = Identity::asserted("zebra").groups(["zebra"]).clearance("restricted").issue(clock).unwrap();
    assert_eq!(engine.session(stranger).unwrap().visible().unwrap().count, 0, "a stranger sees it");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    PLACE.with_borrow(|Place { folder, planner }| {
        let parts = parts::split(rest);
        let root = folder.path();
        let part = |n: usize| parts.get(n).copied().filter(|part| !part.is_empty());
        let tree = root.join(["lines", "beir", "files"][usize::from(first) % 3]);
        std::fs::create_dir_all(&tree).unwrap();
        write(&tree, "acl.jsonl", part(0));
        write(root, "objects.jsonl", part(1));
        let acl_objects = part(1).map(|_| root.join("objects.jsonl"));
        let source = match first % 3 {
            0 => {
                write(&tree, "documents.jsonl", Some(part(2).unwrap_or_default()));
                tree.join("documents.jsonl")
            }
            1 => {
                write(&tree, "corpus.jsonl", Some(part(2).unwrap_or_default()));
                tree
            }
            _ => {
                write(&tree, "a.md", Some(b"# A title\n\nA text.\n"));
                write(&tree, "a.md.metadata.json", part(2));
                tree
            }
        };
        let options = SyncOptions { acl_objects, dry_run: true, ..SyncOptions::default() };
        if synced(planner, &source, &options) && first % 8 == 0 {
            let engine = engine();
            let options = SyncOptions { dry_run: false, ..options };
            assert!(synced(&engine, &source, &options), "what was planned cannot be done");
            check_strangers(&engine, bytes);
        }
    });
});
