//! Whatever is written down of a question to a model - audit log, ledger, spans, errors - has no word of it.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use safepassage::models::{Catalogue, CataloguedModel};
use safepassage::{
    Acl, BatchDocument, Cleared, Create, EmbedderChoice, Engine, Error, Finished, Generator, Identity, Kind, Mode,
    Permit, Piece, Pieces, Principal, Redact, Request, Result, StopReason, Usage,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What must not be found anywhere: of a passage, of a question, of an answer, of a key.
const WORDS: [&str; 5] = ["zanzibar", "quetzalcoatl", "xylophone", "sk-hemlichemlichemlichemlich", "wombat"];

/// Keeps everything that spans and events say.
#[derive(Default)]
struct Spoken(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
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

/// Answers, or fails before or after its first piece.
struct Model(Cleared, Option<(bool, Kind)>);

impl Generator for Model {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn window(&self) -> usize {
        4096
    }
    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.0)
    }
    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        permit()?;
        assert!(request.messages.iter().any(|message| message.text.contains(WORDS[0])));
        let fail = |kind| Error::new(kind, "generate", "it is not well");
        let text = Piece::Text(format!("The {} says [1].", WORDS[4]));
        let usage = Some(Usage { tokens_in: 77, tokens_out: 7, tokens_cached: 0 });
        let end = Piece::Finished(Finished { reason: StopReason::End, usage });
        match self.1 {
            Some((true, kind)) => Err(fail(kind)),
            Some((false, kind)) => Ok(Pieces::pulled(request, [Ok(text), Err(fail(kind))].into_iter())),
            None => Ok(Pieces::pulled(request, [Ok(text), Ok(end)].into_iter())),
        }
    }
}

#[test]
fn nothing_that_is_written_down_has_a_word_of_it() {
    let said = Arc::new(Mutex::new(String::new()));
    let folder = tempfile::tempdir().unwrap();
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create(folder.path(), create).unwrap();
    let document = |id: &str, label: &str| BatchDocument {
        id: id.into(),
        text: Some(format!("{} {} pay", WORDS[0], WORDS[3])),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        label: Some(label.into()),
        ..BatchDocument::default()
    };
    engine.add(vec![document("low", "public"), document("high", "restricted")]).unwrap();
    engine.commit().unwrap();
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
    let identity = Identity::asserted("ann").clearance("restricted").issue(engine.clock()).unwrap();
    let session = engine.session(identity).unwrap();
    let entry = "[[model]]\nname = \"house\"\nprovider = \"tests\"\nmodel = \"m\"\nhighest_label = \"internal\"";
    let cleared = Catalogue::parse(entry).unwrap().model("house").and_then(CataloguedModel::cleared).unwrap();
    let question = format!("{} {} {} pay?", WORDS[1], WORDS[2], WORDS[3]);
    let mut errors = String::new();
    tracing::subscriber::with_default(Spoken(Arc::clone(&said)), || {
        let faults =
            [None, Some((true, Kind::Unavailable)), Some((true, Kind::Invalid)), Some((false, Kind::Unavailable))];
        for fault in faults {
            for redact in [Redact::default(), Redact { answer: true, ..Redact::default() }] {
                let model = Model(cleared.clone(), fault);
                let ask = |question| session.ask(question).generator(&model).redact(redact);
                let lexical = |question| ask(question).search(|search| search.mode(Mode::Lexical));
                let answer = lexical(question.as_str()).run();
                errors.extend(answer.err().map(|error| format!("{error:?}\n")));
                drop(lexical(question.as_str()).stream());
                let bad = format!("{question}\0");
                errors.extend(lexical(bad.as_str()).run().err().map(|error| format!("{error:?}\n")));
                let long = question.repeat(1000);
                errors.extend(lexical(long.as_str()).run().err().map(|error| format!("{error:?}\n")));
                errors.extend(
                    lexical(question.as_str()).most_tokens(4090).run().err().map(|error| format!("{error:?}\n")),
                );
            }
        }
    });
    session.feedback("1-2-3", 1, Some("good")).unwrap();
    let spans = said.lock().unwrap().clone();
    for name in [
        "chat",
        "gen_ai.operation.name=\"chat\"",
        "gen_ai.usage.input_tokens=77",
        "safepassage.withheld=1",
        "error.type=\"Unavailable\"",
    ] {
        assert!(spans.contains(name), "{name}: {spans}");
    }
    let mut kept = vec![("spans", spans), ("errors", errors)];
    for place in ["audit", "usage"] {
        for file in std::fs::read_dir(folder.path().join(place)).unwrap() {
            kept.push((place, String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()));
        }
    }
    assert!(kept.iter().any(|(place, text)| *place == "usage" && text.contains("\"tokens_in\":77")));
    assert!(kept.iter().any(|(place, text)| *place == "audit" && text.contains("ask_withheld")));
    for (place, text) in kept {
        for word in WORDS {
            assert!(!text.to_lowercase().contains(word), "`{word}` is in {place}: {text}");
        }
    }
}
