//! Whatever is written down of questions to models - audit log, ledger, spans, events, errors and all beneath them - has no
//! word of a question, a passage or an answer, and no key: however asking ends, and whatever a provider says of it.

use std::error::Error as _;
use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use safepassage::models::{open_generator, open_reranker};
use safepassage::usage::{Budget, Period, UsageSettings};
use safepassage::{
    AboveLabel, Acl, Answer, Ask, BatchDocument, Create, Direction, EmbedderChoice, Engine, Error, Guardrail, Hook,
    Identity, Kind, Mode, Permit, Principal, Redact, Request, Result, Session, Suspected, Verdict,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::provider::{VECTORLESS, serve};

/// Of a passage, of questions, of an answer; and what is taken for a key, which is in this package's description.
const WORDS: [&str; 7] = [
    "zanzibar",
    "quetzalcoatl",
    "xylophone",
    VECTORLESS,
    "sk-hemlichemlichemlichemlich",
    "wombat",
    "held to its promises",
];
/// Holds that description.
const KEY_ENV: &str = "CARGO_PKG_DESCRIPTION";

/// Keeps everything that spans and events of anybody say.
#[derive(Clone, Default)]
struct Spoken(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Spoken {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut said = self.0.lock().unwrap();
        write!(said, "\n{} ", span.metadata().name()).unwrap();
        span.record(&mut Fields(&mut said));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Intervenes one way, or fails.
struct Rail(Direction, bool);

impl Guardrail for Rail {
    fn name(&self) -> &str {
        "rail"
    }
    fn check(&self, _: &str, direction: Direction, permit: &Permit) -> Result<Verdict> {
        permit()?;
        match (direction == self.0, self.1) {
            (true, true) => Err(Error::new(Kind::Unavailable, "look", "it is not well")),
            (true, false) => Ok(Verdict::Intervened("not that".into())),
            _ => Ok(Verdict::Pass),
        }
    }
}

/// Refuses the prompt, the pieces or the answer.
struct No(u8);

impl No {
    fn at(&self, place: u8) -> Result<()> {
        if self.0 == place { Err(Error::new(Kind::Denied, "hook", "not this")) } else { Ok(()) }
    }
}

impl Hook for No {
    fn before_request(&self, _: &mut Request) -> Result<()> {
        self.at(0)
    }
    fn on_piece(&self, _: &mut String) -> Result<()> {
        self.at(1)
    }
    fn after_response(&self, _: &mut Answer) -> Result<()> {
        self.at(2)
    }
}

/// Everything that can be shown of errors, theirs beneath included.
#[derive(Default)]
struct Errors(String, Vec<Kind>);

impl Errors {
    fn take<T>(&mut self, outcome: Result<T>) -> Option<T> {
        let error = match outcome {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.1.push(error.kind());
        writeln!(self.0, "{error}\n{error:?}\n{:?}", error.context()).unwrap();
        let mut beneath = error.source();
        while let Some(cause) = beneath {
            writeln!(self.0, "{cause}\n{cause:?}").unwrap();
            beneath = cause.source();
        }
        None
    }

    /// That the last one was of this kind.
    fn last(&mut self, kind: Kind, what: &str) {
        assert_eq!(self.1.pop(), Some(kind), "{what}: {}", self.0);
    }
}

fn catalogue(folder: &Path, url: &str) -> std::path::PathBuf {
    let mut text = String::new();
    let statuses = [400, 401, 404, 413, 422, 429, 500, 503].map(|status| format!("status-{status}"));
    let others = ["good", "breaking", "garbage", "cut", "embedder", "status-400-reranker"].map(str::to_owned);
    for name in statuses.iter().chain(&others) {
        let model = name.trim_end_matches("-reranker");
        writeln!(
            text,
            "[[model]]\nname = \"{name}\"\nprovider = \"openai\"\nmodel = \"{model}\"\nhighest_label = \"internal\"\n\
             price_per_million_tokens = 1\nat = {{ url = \"{url}\", key_env = \"{KEY_ENV}\" }}\n\
             texts = {{ dim = 2, window = 4096 }}\nlimits = {{ max_attempts = 1 }}"
        )
        .unwrap();
    }
    let file = folder.join("models.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// `low`, which any model may read, and `high`, which none of these may.
fn filled(folder: &Path, models: &Path) -> Engine {
    let embedder = EmbedderChoice::Catalogued(models.to_owned(), "embedder".into());
    let engine = Engine::create(folder.join("index"), Create { embedder, ..Create::default() }).unwrap();
    let document = |id: &str, label: &str| BatchDocument {
        id: id.into(),
        text: Some(format!("{} {} pay {id}", WORDS[0], WORDS[4])),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        label: Some(label.into()),
        ..BatchDocument::default()
    };
    engine.add(vec![document("low", "public"), document("high", "restricted")]).unwrap();
    engine.commit().unwrap();
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
    engine
}

fn session(engine: &Engine) -> Session {
    let identity = Identity::asserted("ann").clearance("restricted").issue(engine.clock()).unwrap();
    engine.session(identity).unwrap()
}

#[test]
fn nothing_that_is_written_down_has_a_word_of_it() {
    let (spoken, mut errors) = (Spoken::default(), Errors::default());
    // Whatever other threads say is heard too: those of the network, those of other tests.
    tracing::subscriber::set_global_default(spoken.clone()).unwrap();
    let (folder, (url, heard)) = (tempfile::tempdir().unwrap(), serve());
    let models = catalogue(folder.path(), &url);
    let engine = filled(folder.path(), &models);
    let session = session(&engine);
    let question = format!("{} {} {} pay?", WORDS[1], WORDS[2], WORDS[4]);
    let model = |name: &str| open_generator(&models, name).unwrap();
    let good = model("good");
    let ask = |question| session.ask(question).generator(&*good);
    let asked = |with: fn(Ask<'_>) -> Ask<'_>| with(ask(question.as_str())).run();

    // Good answers, in every way, and streams that nobody reads to their end.
    let answer = errors.take(asked(|ask| ask)).unwrap();
    assert!(answer.text.contains(WORDS[5]) && answer.withheld == 1 && answer.recorded);
    assert!(heard.lock().unwrap().last().unwrap().contains(WORDS[0]), "the model has read it");
    for mode in [Mode::Lexical, Mode::Vector] {
        errors.take(ask(&question).search(|search| search.mode(mode)).redact(Redact::ALL).run()).unwrap();
    }
    let stream = errors.take(ask(&question).stream()).unwrap();
    writeln!(errors.0, "{stream:?} {:?} {session:?}", ask(&question)).unwrap();
    drop(stream);
    // Answers that are none: withheld, refused by a guardrail, nothing to send.
    for direction in [Direction::In, Direction::Out] {
        errors.take(ask(&question).guardrail(Arc::new(Rail(direction, false))).run()).unwrap();
        errors.take(ask(&question).guardrail(Arc::new(Rail(direction, true))).run());
        errors.last(Kind::Unavailable, "a guardrail that fails");
    }
    errors.take(ask(WORDS[1]).search(|search| search.mode(Mode::Lexical)).run()).unwrap();
    errors.take(asked(|ask| ask.above_label(AboveLabel::Refuse)));
    errors.last(Kind::Denied, "a label above the model's");
    for place in 0..3 {
        errors.take(ask(&question).hook(Arc::new(No(place))).run());
        errors.last(Kind::Denied, "a hook that refuses");
    }
    // Questions that are none, or have no room.
    let (control, long) = (format!("{question}\0"), question.repeat(1000));
    for none in [control.as_str(), long.as_str(), " "] {
        errors.take(ask(none).run());
        errors.last(Kind::Invalid, "no question");
    }
    errors.take(asked(|ask| ask.most_tokens(4090)));
    errors.last(Kind::Invalid, "no room");
    // What looks like an instruction, and what a template does not want.
    errors.take(asked(|ask| ask.suspected(Suspected::Mark).suspected_from(0.0))).unwrap();
    errors.take(asked(|ask| ask.suspected(Suspected::Refuse).suspected_from(0.0)));
    errors.last(Kind::Denied, "what looks like an instruction");
    errors.take(asked(|ask| ask.input("tone", WORDS[1])));
    errors.last(Kind::Invalid, "an input that is none");
    // A provider that repeats what it was sent: as a status, in the middle, in no form at all.
    for (name, kind) in [
        ("status-400", Kind::Invalid),
        ("status-401", Kind::Denied),
        ("status-404", Kind::NotFound),
        ("status-413", Kind::Invalid),
        ("status-422", Kind::Invalid),
        ("status-429", Kind::Throttled),
        ("status-500", Kind::Unavailable),
        ("status-503", Kind::Unavailable),
        ("breaking", Kind::Unavailable),
        ("garbage", Kind::Unavailable),
        ("cut", Kind::Unavailable),
    ] {
        let model = model(name);
        errors.take(session.ask(&question).generator(&*model).run());
        errors.last(kind, name);
    }
    // Whoever makes vectors or reads passages repeats it too.
    let unembedded = format!("{question} {VECTORLESS}");
    errors.take(ask(&unembedded).run());
    errors.last(Kind::Invalid, "no vector");
    errors.take(session.search(&unembedded).run());
    errors.last(Kind::Invalid, "no vector");
    let reranker = open_reranker(&models, "status-400-reranker").unwrap();
    errors.take(ask(&question).search(|search| search.rerank(&*reranker)).run());
    errors.last(Kind::Invalid, "no scores");
    let text = Some(format!("{} {VECTORLESS}", WORDS[0]));
    engine.add(vec![BatchDocument { id: "unread".into(), text, ..BatchDocument::default() }]).unwrap();
    errors.take(engine.commit());
    errors.last(Kind::Invalid, "a document without a vector");
    // Budgets, and somebody who is nobody any more.
    let budget = Budget { tenant: None, user: None, feature: None, per: Period::Day, tokens: Some(1), cost: None };
    engine.usage().unwrap().set(&UsageSettings { on: true, budgets: vec![budget] }).unwrap();
    errors.take(asked(|ask| ask));
    errors.last(Kind::Throttled, "a budget");
    session.feedback("1-2-3", 1, Some("good")).unwrap();

    let spans = spoken.0.lock().unwrap().clone();
    for said in [
        "\nask ",
        "\nchat ",
        "\nretrieval ",
        "\nembeddings ",
        "\nrerank ",
        "\nguardrail ",
        "gen_ai.operation.name=\"chat\"",
        "gen_ai.usage.input_tokens=77",
        "safepassage.withheld=1",
        "safepassage.intervened=true",
        "error.type=\"Unavailable\"",
        "error.type=\"cancelled\"",
    ] {
        assert!(spans.contains(said), "{said}: {spans}");
    }
    let mut kept = vec![("spans", spans), ("errors", errors.0)];
    for place in ["audit", "usage"] {
        for file in std::fs::read_dir(folder.path().join("index").join(place)).unwrap() {
            kept.push((place, String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()));
        }
    }
    for (place, said) in [
        ("usage", "\"tokens_in\":77"),
        ("usage", "\"operation\":\"embeddings\""),
        ("usage", "\"operation\":\"rerank\""),
        ("usage", "\"outcome\":\"guardrail\""),
        ("audit", "ask_withheld"),
        ("audit", "ask_suspected"),
        ("audit", "cancelled"),
    ] {
        assert!(kept.iter().any(|(own, text)| *own == place && text.contains(said)), "{said} in {place}");
    }
    for (place, text) in kept {
        let text = text.to_lowercase();
        for word in WORDS {
            let at = text.find(word).map(|at| &text[text.floor_char_boundary(at.saturating_sub(200))..at]);
            assert!(at.is_none(), "`{word}` is in {place}, after {at:?}");
        }
    }
}
