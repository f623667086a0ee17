//! A model elsewhere: texts go there only if it is cleared for them, and nothing is paid twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Kind, Principal, Report, Silent, SourceSpec,
    SyncOptions, Tenant,
};
use serde_json::{Value, json};

/// What a server of embeddings was sent.
#[derive(Default)]
pub struct Heard {
    /// How often each text was embedded.
    pub paid: BTreeMap<String, u64>,
    /// It answers so many requests more, and then 503.
    answers: Option<u64>,
    /// It refuses whatever says this too.
    refuses: String,
    pub requests: u64,
}

pub type Server = Arc<Mutex<Heard>>;

/// A server that speaks OpenAI's interface, of vectors that depend on the text alone. Refuses what says `REFUSE`.
pub fn serve() -> (String, Server) {
    let (listener, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), Server::default());
    let (url, heard) = (format!("http://{}/v1", listener.local_addr().unwrap()), Arc::clone(&server));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while answer(&mut stream, &heard).is_some() {}
            });
        }
    });
    (url, server)
}

fn answer(stream: &mut BufReader<TcpStream>, heard: &Server) -> Option<()> {
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let asked: Value = serde_json::from_slice(&body).ok()?;
    let texts: Vec<String> = serde_json::from_value(asked["input"].clone()).ok()?;
    let status = {
        let mut heard = heard.lock().unwrap();
        heard.requests += 1;
        let down = heard.answers == Some(0);
        heard.answers = heard.answers.map(|left| left.saturating_sub(1));
        let other = Some(&*heard.refuses).filter(|word| !word.is_empty());
        let refuses = texts.iter().any(|text| text.contains("REFUSE") || other.is_some_and(|word| text.contains(word)));
        let status = if down {
            503
        } else if refuses {
            400
        } else {
            200
        };
        if status == 200 {
            texts.iter().for_each(|text| *heard.paid.entry(text.clone()).or_default() += 1);
        }
        status
    };
    let vector = |text: &String| {
        let sum = text.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        json!((0..4).map(|n| f64::from((sum >> (8 * n)) & 255) + 1.0).collect::<Vec<_>>())
    };
    let data = texts.iter().enumerate().map(|(index, text)| json!({"index": index, "embedding": vector(text)}));
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    let body = json!({"data": data.collect::<Vec<_>>(), "usage": {"prompt_tokens": tokens}}).to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all(format!("{head}{body}").as_bytes()).ok()
}

struct House {
    folder: tempfile::TempDir,
    server: Server,
}

impl House {
    /// A catalogue with a model that is cleared for `internal` texts, and what `more` says of it.
    fn new(more: &str) -> Self {
        let (folder, (url, server)) = (tempfile::tempdir().unwrap(), serve());
        let house = Self { folder, server };
        house.write_catalogue(&url, more);
        std::fs::write(house.path("url"), url).unwrap();
        house
    }

    fn write_catalogue(&self, url: &str, more: &str) {
        let text = format!(
            "[[model]]\nname = \"m\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"internal\"\n\
             price_per_million_tokens = 1000000.0\npriced = \"2026-11-01\"\n{more}\n\
             at = {{ url = \"{url}\" }}\ntexts = {{ dim = 4, query_prefix = \"asked: \", per_call = 1 }}\n\
             limits = {{ max_attempts = 2, attempt_seconds = 5.0, deadline_seconds = 2.0, max_concurrent = 1 }}\n"
        );
        std::fs::write(self.path("models.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn create(&self) -> safepassage::Result<Engine> {
        let embedder = EmbedderChoice::Catalogued(self.path("models.toml"), "m".into());
        Engine::create(self.path("index"), Create { embedder, ..Create::default() })
    }

    /// A source of documents: id, label, text.
    fn source(&self, documents: &[(String, &str, String)]) -> SourceSpec {
        let line = |(id, label, text): &(String, &str, String)| {
            json!({"id": id, "text": text, "label": label, "acl": {"allow": ["everyone"]}}).to_string()
        };
        let lines: Vec<String> = documents.iter().map(line).collect();
        std::fs::write(self.path("documents.jsonl"), lines.join("\n")).unwrap();
        SourceSpec::new(self.path("documents.jsonl"))
    }

    fn paid(&self) -> BTreeMap<String, u64> {
        self.server.lock().unwrap().paid.clone()
    }

    fn requests(&self) -> u64 {
        self.server.lock().unwrap().requests
    }
}

fn sync(engine: &Engine, source: &SourceSpec, options: &SyncOptions) -> safepassage::Result<Report> {
    engine.sync(std::slice::from_ref(source), options, &Silent)
}

fn numbered(count: usize) -> Vec<(String, &'static str, String)> {
    (0..count).map(|n| (format!("d{n}"), "internal", format!("letter number {n} of many"))).collect()
}

#[test]
fn a_text_above_the_models_label_is_never_sent_and_is_named() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let mut documents = numbered(3);
    documents.push(("plans".into(), "restricted", "the secret plans".into()));
    let report = sync(&engine, &house.source(&documents), &SyncOptions::default()).unwrap();
    assert_eq!((report.added, report.embedded, report.skipped.len()), (3, 3, 1));
    let skipped = &report.skipped[0];
    assert_eq!(skipped.document, "plans");
    assert!(skipped.reason.contains("`restricted` is above `internal`"), "{}", skipped.reason);
    // What was sent before and is restricted now stays found by whoever may, and its new text is not sent.
    documents[0].1 = "restricted";
    documents[0].2 = "letter number 0, and now a secret".into();
    sync(&engine, &house.source(&documents), &SyncOptions::default()).unwrap();
    assert!(house.paid().keys().all(|text| !text.contains("secret")), "{:?}", house.paid());
    let session = |clearance| {
        let who = Identity::asserted("ann").clearance(clearance);
        engine.session(who.issue(engine.clock()).unwrap()).unwrap()
    };
    assert_eq!(session("internal").visible().unwrap().documents, ["d1", "d2"]);
    assert_eq!(session("restricted").visible().unwrap().documents, ["d0", "d1", "d2"]);
    // The same through documents that are handed over.
    let handed = BatchDocument {
        id: "handed".into(),
        text: Some("a secret too".into()),
        label: Some("restricted".into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine.add(vec![handed]).unwrap();
    assert_eq!(engine.commit().unwrap_err().kind(), Kind::Denied);
    assert!(house.paid().keys().all(|text| !text.contains("secret")));
}

#[test]
fn a_file_whose_label_stands_beside_it_is_never_sent() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let docs = house.path("docs");
    std::fs::create_dir_all(docs.join("hr")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(docs.join(name), text).unwrap();
    let structure = r#""documentStructureConfiguration": {"type": "RECORD_BASED_STRUCTURE_METADATA",
        "recordBasedStructureMetadata": {"contentFields": [{"fieldName": "text"}]}}"#;
    write(
        "acl.jsonl",
        "{\"_id\": \"./\", \"acl\": {\"allow\": [\"everyone\"]}}\n{\"_id\": \"hr/\", \"label\": \"restricted\"}\n",
    );
    write("a.md", "the menu");
    write("hr/b.md", "the secret salaries");
    write("c.md", "the secret plans");
    write("c.md.metadata.json", r#"{"metadataAttributes": {"label": "menu"}, "label": "restricted"}"#);
    write("d.csv", "text\nthe secret rows\n");
    write("d.csv.metadata.json", &format!(r#"{{"label": "restricted", {structure}}}"#));
    write("e.md", "the secret of a word that is no label");
    write("e.md.metadata.json", r#"{"label": "secretive"}"#);
    let source = SourceSpec::new(&docs);
    let report = sync(&engine, &source, &SyncOptions::default()).unwrap();
    let mut skipped: Vec<_> = report.skipped.iter().map(|skipped| &*skipped.document).collect();
    skipped.sort_unstable();
    assert_eq!((report.added, skipped), (1, vec!["c.md", "d.csv#1", "e.md", "hr/b.md"]), "{report:?}");
    let sent = || house.paid().into_keys().collect::<Vec<_>>();
    assert!(sent().iter().all(|text| !text.contains("secret")), "{:?}", sent());
    // A label that is stated later closes what is there to whoever is not cleared for it, and nothing is embedded.
    write("a.md.metadata.json", r#"{"label": "restricted"}"#);
    let report = sync(&engine, &source, &SyncOptions::default()).unwrap();
    assert_eq!((report.embedded, report.skipped.len()), (0, 5));
    let seen = |clearance| {
        let who = Identity::asserted("ann").clearance(clearance);
        engine.session(who.issue(engine.clock()).unwrap()).unwrap().visible().unwrap().documents
    };
    assert_eq!((seen("internal"), seen("restricted")), (vec![], vec!["a.md".to_owned()]));
}

#[test]
fn texts_above_the_models_label_go_to_the_same_model_where_it_is_cleared_for_them() {
    let house = House::new("above = \"house\"");
    let (url, near) = serve();
    let catalogue = std::fs::read_to_string(house.path("models.toml")).unwrap();
    let entry = format!(
        "[[model]]\nname = \"house\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"restricted\"\n\
         at = {{ url = \"{url}\" }}\ntexts = {{ dim = 4, query_prefix = \"asked: \" }}\n"
    );
    std::fs::write(house.path("models.toml"), format!("{catalogue}\n{entry}")).unwrap();
    let engine = house.create().unwrap();
    let mut documents = numbered(3);
    documents.push(("plans".into(), "restricted", "the secret plans".into()));
    let source = house.source(&documents);
    let summary = json!({"id": "summary", "text": "in short: secret", "label": "internal", "derived_from": ["plans"],
        "acl": {"allow": ["everyone"]}});
    let lines = std::fs::read_to_string(house.path("documents.jsonl")).unwrap();
    std::fs::write(house.path("documents.jsonl"), format!("{lines}\n{summary}")).unwrap();
    let dry = sync(&engine, &source, &SyncOptions { dry_run: true, ..SyncOptions::default() }).unwrap();
    assert_eq!((dry.embedded, dry.skipped.len()), (5, 0), "{dry:?}");
    let report = sync(&engine, &source, &SyncOptions::default()).unwrap();
    assert_eq!((report.added, report.embedded, report.skipped.len()), (5, 5, 0), "{report:?}");
    let handed = BatchDocument {
        id: "handed".into(),
        text: Some("a secret too".into()),
        label: Some("restricted".into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine.add(vec![handed]).unwrap();
    engine.commit().unwrap();
    let near: Vec<String> = near.lock().unwrap().paid.keys().cloned().collect();
    assert_eq!(near, ["a secret too", "in short: secret", "the secret plans"]);
    assert!(house.paid().len() == 3 && house.paid().keys().all(|text| !text.contains("secret")), "{:?}", house.paid());
    // It costs nothing there.
    assert!((report.cost.unwrap() - 3.0 * 5.0).abs() < 1e-6, "{report:?}");
    let who = Identity::asserted("ann").clearance("restricted").issue(engine.clock()).unwrap();
    assert_eq!(engine.session(who).unwrap().visible().unwrap().documents.len(), 6);
    // Another model's vectors would not stand beside these.
    let other = catalogue.clone() + &entry.replace("dim = 4", "dim = 8");
    std::fs::write(house.path("models.toml"), other).unwrap();
    assert_eq!(
        Engine::open(house.path("index"))
            .and_then(|engine| sync(&engine, &source, &SyncOptions::default()))
            .unwrap_err()
            .kind(),
        Kind::Invalid
    );
}

#[test]
fn a_cache_that_the_catalogue_names_is_of_all_indexes() {
    let house = House::new("");
    let catalogue = std::fs::read_to_string(house.path("models.toml")).unwrap();
    std::fs::write(house.path("models.toml"), format!("cache = \"shared.sqlite\"\n{catalogue}")).unwrap();
    let source = house.source(&numbered(20));
    sync(&house.create().unwrap(), &source, &SyncOptions::default()).unwrap();
    assert!(house.path("shared.sqlite").is_file() && !house.path("index/embeddings.sqlite").exists());
    std::fs::rename(house.path("index"), house.path("other")).unwrap();
    let report = sync(&house.create().unwrap(), &source, &SyncOptions::default()).unwrap();
    assert_eq!((report.added, report.embedded, house.paid().len()), (20, 0, 20));
    assert!(house.paid().values().all(|paid| *paid == 1));
}

#[test]
fn a_handed_document_that_the_model_refuses_is_named_and_may_be_taken_back() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let document = |id: &str, text: &str| BatchDocument {
        id: id.into(),
        text: Some(text.into()),
        label: Some("internal".into()),
        ..BatchDocument::default()
    };
    engine
        .add(vec![document("good", "a letter"), document("rude", "REFUSE this"), document("last", "a note")])
        .unwrap();
    let error = engine.commit().unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("`rude`"), "{error}");
    engine.delete(&Tenant::default(), "rude").unwrap();
    engine.commit().unwrap();
    assert_eq!((engine.stats().unwrap().documents, house.paid().values().sum::<u64>()), (2, 2));
}

#[test]
fn a_model_that_refuses_everything_puts_nothing_aside() {
    let house = House::new("");
    let engine = house.create().unwrap();
    house.server.lock().unwrap().refuses = "e".into();
    let source = house.source(&numbered(40));
    let error = sync(&engine, &source, &SyncOptions::default()).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("refuses every text"), "{error}");
    assert!(house.requests() < 10, "{}", house.requests());
    // Set up rightly, all of it is embedded: nothing was remembered as refused.
    house.server.lock().unwrap().refuses.clear();
    assert_eq!(sync(&engine, &source, &SyncOptions::default()).unwrap().embedded, 40);
}

#[test]
fn a_dry_run_says_the_price_and_sends_nothing_and_a_most_is_kept() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let source = house.source(&numbered(3000));
    let dry = sync(&engine, &source, &SyncOptions { dry_run: true, ..SyncOptions::default() }).unwrap();
    assert_eq!((dry.embedded, house.requests()), (3000, 0));
    // A token costs one.
    let cost = dry.cost.unwrap();
    assert!((cost - dry.tokens as f64).abs() < 1e-6 && dry.tokens > 3000 * 5);
    assert_eq!((dry.currency.as_deref(), dry.priced.as_deref()), (Some("USD"), Some("2026-11-01")));
    let most = SyncOptions { max_cost: Some(cost / 2.0), ..SyncOptions::default() };
    let part = sync(&engine, &source, &most).unwrap();
    assert!(part.stopped.is_some() && part.cost.unwrap() <= cost / 2.0 && part.embedded > 0, "{part:?}");
    assert_eq!(part.left + part.embedded, 3000);
    assert_eq!(engine.stats().unwrap().documents, part.embedded);
    let rest = sync(&engine, &source, &SyncOptions::default()).unwrap();
    assert_eq!((rest.stopped, rest.embedded, rest.left), (None, part.left, 0));
    assert!(house.paid().len() == 3000 && house.paid().values().all(|paid| *paid == 1));
    let time = SyncOptions { max_time: Some(Duration::ZERO), ..SyncOptions::default() };
    let late = sync(&engine, &house.source(&numbered(3001)), &time).unwrap();
    assert_eq!((late.left, late.embedded), (1, 0));
}

#[test]
fn after_an_outage_only_the_rest_is_paid_and_the_index_is_the_same() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let source = house.source(&numbered(200));
    for answers in [0, 7, 60, 20] {
        house.server.lock().unwrap().answers = Some(answers);
        let error = sync(&engine, &source, &SyncOptions::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    }
    assert_eq!(house.paid().len(), 87);
    house.server.lock().unwrap().answers = None;
    let report = sync(&engine, &source, &SyncOptions::default()).unwrap();
    assert_eq!(report.embedded, 113);
    assert!(house.paid().len() == 200 && house.paid().values().all(|paid| *paid == 1));
    let undisturbed = House::new("");
    let other = undisturbed.create().unwrap();
    sync(&other, &undisturbed.source(&numbered(200)), &SyncOptions::default()).unwrap();
    let told = |engine: &Engine, question: &str| {
        let ann =
            engine.session(Identity::asserted("ann").clearance("internal").issue(engine.clock()).unwrap()).unwrap();
        let hits = ann.search(question).k(20).recall(1.0).run().unwrap().hits;
        hits.into_iter().map(|hit| (hit.document, hit.score.to_bits())).collect::<Vec<_>>()
    };
    for question in ["letter number 7", "of many"] {
        assert_eq!(told(&engine, question), told(&other, question));
    }
    // A question is sent as one, and is not remembered.
    assert_eq!(house.paid()["asked: of many"], 1);
    told(&engine, "of many");
    assert_eq!(house.paid()["asked: of many"], 2);
}

#[test]
fn a_document_that_the_model_refuses_is_put_aside_and_not_sent_again_until_somebody_says_so() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let mut documents = numbered(30);
    documents[4].2 = "REFUSE this one".into();
    let source = house.source(&documents);
    let report = sync(&engine, &source, &SyncOptions::default()).unwrap();
    assert_eq!((report.embedded, report.skipped.len()), (29, 1), "{:?}", report.skipped);
    assert!(report.skipped[0].document == "d4" && report.skipped[0].reason.contains("refuses"));
    let before = house.requests();
    assert_eq!(sync(&engine, &source, &SyncOptions::default()).unwrap().skipped.len(), 1);
    assert_eq!(house.requests(), before, "it was sent again");
    let retry = SyncOptions { retry_refused: true, ..SyncOptions::default() };
    assert_eq!(sync(&engine, &source, &retry).unwrap().skipped.len(), 1);
    assert_eq!(house.requests(), before + 1);
}

#[test]
fn a_model_that_has_expired_or_is_not_in_the_catalogue_is_sent_nothing() {
    let house = House::new("");
    let engine = house.create().unwrap();
    let source = house.source(&numbered(3));
    sync(&engine, &source, &SyncOptions::default()).unwrap();
    let (url, before) = (std::fs::read_to_string(house.path("url")).unwrap(), house.requests());
    house.write_catalogue(&url, "expires = \"2026-01-31\"");
    let opened = || Engine::open(house.path("index")).unwrap();
    let ann = |engine: &Engine| {
        engine.session(Identity::asserted("ann").clearance("internal").issue(engine.clock()).unwrap()).unwrap()
    };
    let source = house.source(&numbered(5));
    assert_eq!(sync(&opened(), &source, &SyncOptions::default()).unwrap_err().kind(), Kind::Denied);
    assert_eq!(ann(&opened()).search("letter").run().unwrap_err().kind(), Kind::Denied);
    std::fs::write(house.path("models.toml"), "").unwrap();
    assert_eq!(sync(&opened(), &source, &SyncOptions::default()).unwrap_err().kind(), Kind::Denied);
    std::fs::remove_file(house.path("models.toml")).unwrap();
    assert_eq!(sync(&opened(), &source, &SyncOptions::default()).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(house.requests(), before);
    // By words the index still answers: no text leaves for that.
    let lexical = ann(&opened()).search("letter").mode(safepassage::Mode::Lexical).run().unwrap();
    assert_eq!(lexical.hits.len(), 3);
    assert!(Path::new(&house.path("index")).join("embeddings.sqlite").exists());
    assert!(opened().verify().is_ok());
}
