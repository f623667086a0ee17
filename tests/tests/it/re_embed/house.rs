//! Models that count what they are asked, and an index of everything that a passage can be.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use safepassage::models::Catalogue;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, BatchDocument, ChunkWay, Cleared, Create, Embedder, EmbedderChoice, Embeddings, Engine, Error, Identity, Kind,
    ModelStamp, Principal, Purpose, Result, Section, Tenant, Tokenizer,
};
use safepassage_index::storage::Storage;

pub const DIM: usize = 4;

type Meanwhile = Box<dyn FnOnce() + Send>;

/// A model whose vectors depend on its name and the text alone.
pub struct Model {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    cleared: Option<Cleared>,
    /// How often each passage was embedded.
    pub paid: Mutex<BTreeMap<String, u64>>,
    /// Whether it fails.
    pub down: AtomicBool,
    /// Done once, when it is next asked for passages.
    pub meanwhile: Mutex<Option<Meanwhile>>,
}

impl Model {
    pub fn new(name: &str) -> Arc<Self> {
        Arc::new(Self::cleared_for(name, None))
    }

    /// One elsewhere, that may read texts up to `label`.
    pub fn elsewhere(name: &str, label: &str) -> Arc<Self> {
        let text =
            format!("[[model]]\nname = \"{name}\"\nprovider = \"p\"\nmodel = \"m\"\nhighest_label = \"{label}\"");
        let cleared = Catalogue::parse(&text).unwrap().model(name).unwrap().cleared().unwrap();
        Arc::new(Self::cleared_for(name, Some(cleared)))
    }

    fn cleared_for(name: &str, cleared: Option<Cleared>) -> Self {
        let words = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
        let stamp = ModelStamp {
            provider: "test".into(),
            model: name.into(),
            dim: DIM,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: None,
        };
        let tokenizer = Tokenizer::from_json(words, 64).unwrap();
        let (paid, down, meanwhile) = (Mutex::default(), AtomicBool::new(false), Mutex::default());
        Self { stamp, tokenizer, cleared, paid, down, meanwhile }
    }

    /// While it is asked for passages, `what` happens.
    pub fn meanwhile(&self, what: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(what));
    }

    /// The most that any passage was paid.
    pub fn most_paid(&self) -> u64 {
        self.paid.lock().unwrap().values().max().copied().unwrap_or(0)
    }

    pub fn passages_paid(&self) -> usize {
        self.paid.lock().unwrap().len()
    }
}

impl Embedder for Model {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        if purpose == Purpose::Document {
            let what = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take();
            what.into_iter().for_each(|what| what());
            if self.down.load(Ordering::SeqCst) {
                return Err(Error::new(Kind::Unavailable, "embed", "down"));
            }
            let mut paid = self.paid.lock().unwrap();
            texts.iter().for_each(|text| *paid.entry((*text).to_owned()).or_default() += 1);
        }
        let number = |text: &str, n: usize| {
            let mut hash = DefaultHasher::new();
            hash.write(format!("{} {n} {text}", self.stamp.model).as_bytes());
            (hash.finish() % 1999) as f32 - 999.5
        };
        let mut values: Vec<f32> = texts.iter().flat_map(|text| (0..DIM).map(|n| number(text, n))).collect();
        for row in values.chunks_exact_mut(DIM) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
        Ok(Embeddings { dim: DIM, values, tokens: texts.len() as u64, truncated: Vec::new() })
    }

    fn cleared(&self) -> Option<&Cleared> {
        self.cleared.as_ref()
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

pub fn clock() -> Clock {
    Clock::fixed(Timestamp(1_000_000))
}

pub fn create(storage: Arc<dyn Storage>, model: &Arc<Model>, chunker: &str) -> Engine {
    let embedder = EmbedderChoice::Given(Arc::clone(model) as _);
    let chunker: ChunkWay = chunker.parse().unwrap();
    let create = Create { embedder, chunker, chunk_tokens: Some(24), ..Create::default() };
    Engine::create_in(storage, create, clock()).unwrap()
}

pub fn document(id: &str, text: &str, reader: Principal) -> BatchDocument {
    BatchDocument {
        id: id.into(),
        text: Some(text.into()),
        acl: Some(Acl::new([reader], [])),
        ..BatchDocument::default()
    }
}

/// Everything that a passage can be: titled, under headings, in sections, of two tenants, of several commits.
pub fn fill(engine: &Engine) {
    let long = |word: &str| {
        (0..6).map(|n| format!("{word} says thing {n}. Then it says {word} {n} again. ")).collect::<String>()
    };
    let titled = BatchDocument {
        title: Some("A title > of parts".into()),
        ..document("titled", &format!("# One\n\n{}\n\n## Two > three\n\n{}", long("a"), long("b")), Principal::Everyone)
    };
    let text = format!("{}\n\n{}", long("open"), long("closed"));
    let at = text.find("closed").unwrap();
    let sections = vec![Section { span: (at, text.len()), acl: Acl::new([Principal::group("hr")], []) }];
    let narrowed = BatchDocument { sections, ..document("narrowed", &text, Principal::Everyone) };
    let elsewhere =
        BatchDocument { tenant: Tenant("other".into()), ..document("titled", &long("their"), Principal::Everyone) };
    engine.add(vec![titled, narrowed, elsewhere]).unwrap();
    engine.commit().unwrap();
    for n in 0..6 {
        let id = format!("d{n}");
        engine.add(vec![document(&id, &format!("# H\n\n{}", long(&id)), Principal::Everyone)]).unwrap();
        engine.commit().unwrap();
    }
    engine
        .add(vec![document("hr", &long("salary"), Principal::group("hr")), document("empty", "", Principal::Everyone)])
        .unwrap();
    engine.commit().unwrap();
    engine.delete(&Tenant::default(), "d3").unwrap();
    engine.commit().unwrap();
    engine.wait_for_merges();
}

pub fn who(engine: &Engine, user: &str, groups: &[&str], tenant: &str) -> Identity {
    let mut identity = Identity::asserted(user).groups(groups.iter().copied()).clearance("restricted");
    if !tenant.is_empty() {
        identity = identity.tenant(tenant);
    }
    identity.issue(engine.clock()).unwrap()
}

/// What everybody gets for one question, exactly, with the bits of the scores.
pub fn answers(engine: &Engine) -> Vec<String> {
    let mut all = Vec::new();
    for (user, groups, tenant) in [("ann", &[][..], ""), ("bob", &["hr"][..], ""), ("eve", &[][..], "other")] {
        let session = engine.session(who(engine, user, groups, tenant)).unwrap();
        let hits = session.search("what does it say?").k(10_000).recall(1.0).run().unwrap().hits;
        all.extend(hits.into_iter().map(|hit| {
            format!("{user} {} {} {:08x} {} {:?}", hit.document, hit.chunk, hit.score.to_bits(), hit.text, hit.title)
        }));
    }
    all
}

/// What is live, with the digests of its content and its vectors.
pub fn content(engine: &Engine) -> String {
    engine.verify().unwrap();
    let vectors = engine.vectors(None, usize::MAX).unwrap();
    let mut drawn: Vec<String> = vectors
        .drawn
        .iter()
        .map(|v| format!("{} {:?}", v.document, v.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>()))
        .collect();
    drawn.sort_unstable();
    format!("{:?}\n{}\n{}", vectors.documents, vectors.model, drawn.join("\n"))
}
