//! A question to a model: what is in the prompt may be there, at the moment when it leaves.

mod around;
mod clearance;
mod leaving;
mod paid;

use std::sync::{Arc, Mutex};

use safepassage::models::Catalogue;
use safepassage::system::{Clock, Timestamp};
use safepassage::{
    Acl, Answer, Ask, BatchDocument, Cleared, Create, EmbedderChoice, Engine, Error, Finished, Generator, Hook,
    Identity, Kind, Mode, Permit, Piece, Pieces, Principal, Request, Result, Session, StopReason, Usage,
};
use safepassage_index::storage::MemoryStorage;

/// A model that writes down what it is sent, and answers with what it is told.
struct Fake {
    name: &'static str,
    cleared: Option<Cleared>,
    says: Vec<&'static str>,
    fails: Option<Kind>,
    /// Tokens in, and tokens out.
    counts: u64,
    fallbacks: Vec<Arc<dyn Generator>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Default for Fake {
    fn default() -> Self {
        let heard = Arc::default();
        Self {
            name: "fake",
            cleared: None,
            says: vec!["Pay rises [1]", "."],
            fails: None,
            counts: 0,
            fallbacks: vec![],
            heard,
        }
    }
}

impl Generator for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn window(&self) -> usize {
        4096
    }

    fn cleared(&self) -> Option<&Cleared> {
        self.cleared.as_ref()
    }

    fn fallbacks(&self) -> &[Arc<dyn Generator>] {
        &self.fallbacks
    }

    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        permit()?;
        let prompt: Vec<&str> = request.messages.iter().map(|message| message.text.as_str()).collect();
        self.heard.lock().unwrap().push(prompt.join("\n"));
        if let Some(kind) = self.fails {
            return Err(Error::new(kind, "generate", "it is not well"));
        }
        let (tokens_in, tokens_out) = if self.counts > 0 { (self.counts, self.counts) } else { (1_000, 100) };
        let usage = Some(Usage { tokens_in, tokens_out, tokens_cached: 0 });
        let end = Piece::Finished(Finished { reason: StopReason::End, usage });
        let text = self.says.clone().into_iter().map(|text| Ok(Piece::Text(text.to_owned())));
        Ok(Pieces::pulled(request, text.chain([Ok(end)])))
    }
}

impl Fake {
    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Does something between the making of a prompt and its sending, once.
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Meanwhile {
    fn does(deed: impl FnOnce() + Send + 'static) -> Arc<dyn Hook> {
        Arc::new(Self(Mutex::new(Some(Box::new(deed)))))
    }
}

impl Hook for Meanwhile {
    fn before_request(&self, _: &mut Request) -> Result<()> {
        if let Some(deed) = self.0.lock().unwrap().take() {
            deed();
        }
        Ok(())
    }
}

fn cleared(label: &str) -> Option<Cleared> {
    let text = format!(
        "[[model]]\nname = \"fake\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"{label}\"\n\
         price_per_million_tokens = 2\nprice_per_million_tokens_out = 10"
    );
    Some(Catalogue::parse(&text).unwrap().model("fake").unwrap().cleared().unwrap())
}

fn document(id: &str, text: &str, reader: Principal, label: &str) -> BatchDocument {
    BatchDocument {
        id: id.into(),
        text: Some(text.into()),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([reader], [])),
        label: Some(label.into()),
        ..BatchDocument::default()
    }
}

/// Four documents about pay; the second is for hr alone, the third is confidential.
fn filled(engine: &Engine) {
    engine
        .add(vec![
            document("handbook", "Pay is reviewed once a year.", Principal::Everyone, "public"),
            document("memo", "Pay rises by four percent in July, the secret plan.", Principal::group("hr"), "public"),
            document("board", "Pay of the board doubles.", Principal::Everyone, "confidential"),
            document("notice", "Pay day is the last Friday.", Principal::Everyone, "public"),
        ])
        .unwrap();
    engine.commit().unwrap();
}

fn engine() -> Engine {
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let clock = Clock::fixed(Timestamp(1));
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, clock).unwrap();
    filled(&engine);
    engine
}

fn session(engine: &Engine, groups: &[&str]) -> Session {
    let identity = Identity::asserted("ann").groups(groups.iter().copied()).clearance("confidential");
    engine.session(identity.issue(engine.clock()).unwrap()).unwrap()
}

fn ask<'a>(session: &'a Session, model: &'a Fake) -> Ask<'a> {
    session.ask("when does pay rise?").generator(model).search(|search| search.mode(Mode::Lexical).k(3))
}

fn documents(answer: &Answer) -> Vec<&str> {
    let mut all: Vec<&str> = answer.passages.iter().map(|hit| hit.document.as_str()).collect();
    all.sort_unstable();
    all
}
