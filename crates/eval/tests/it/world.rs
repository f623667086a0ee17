//! A small index of vectors, with personas and questions whose answers are known.

use std::collections::BTreeMap;

use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Fusion, Mode, Principal, Result, SharedVectors, Silent,
};
use safepassage_eval::{
    Chance, Collection, EngineRetriever, Evaluation, Found, OfIndex, Passage, Persona, Question, Report, Retriever,
    Run, Standing, Wanted, evaluate,
};

pub const DIM: usize = 16;
pub const DOCUMENTS: usize = 60;

pub struct World {
    pub engine: Engine,
    pub collection: Collection,
    _folder: tempfile::TempDir,
}

pub fn vector(seed: u64) -> Vec<f32> {
    let mut chance = Chance::new(seed);
    (0..DIM).map(|_| chance.below(2001) as f32 / 1000.0 - 1.0).collect()
}

fn document(n: usize) -> BatchDocument {
    // `d0`, `d3` … are the staff's, `d1`, `d4` … the chiefs', the others everybody's.
    let reader = match n % 3 {
        0 => Principal::group("staff"),
        1 => Principal::group("chiefs"),
        _ => Principal::Public,
    };
    BatchDocument {
        id: format!("d{n}"),
        text: Some(format!("Document {n}.")),
        vector: Some(SharedVectors::from(vector(n as u64))),
        acl: Some(Acl::new([reader], [])),
        ..BatchDocument::default()
    }
}

/// Sixty documents, the first `left_out` of them left out, twenty questions, each the very vector of a document, and four
/// personas.
pub fn world_without(left_out: usize) -> World {
    let folder = tempfile::tempdir().unwrap();
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create(folder.path(), create).unwrap();
    engine.add((left_out..DOCUMENTS).map(document).collect()).unwrap();
    engine.commit().unwrap();
    let persona = |id: &str, groups: &[&str]| {
        let who = serde_json::json!({"user": id, "groups": groups, "groups_complete": true});
        Persona::described(id, who.to_string())
    };
    let personas = vec![
        persona("ann", &["staff", "chiefs"]),
        persona("bob", &["staff"]),
        persona("eve", &[]),
        Persona::described("nobody", r#"{"tenant": "other", "user": "x", "groups": []}"#),
    ];
    let question = |n: usize| Question {
        id: format!("q{n}"),
        text: format!("Question {n}?"),
        expected: BTreeMap::from([(format!("d{n}"), 1)]),
        ..Question::default()
    };
    let collection = Collection {
        name: "world".into(),
        questions: (0..20).map(question).collect(),
        personas,
        ..Collection::default()
    };
    World { engine, collection, _folder: folder }
}

pub fn world() -> World {
    world_without(0)
}

impl World {
    pub fn retriever(&self) -> EngineRetriever {
        let vectors = (0..20).map(|n| (format!("Question {n}?"), vector(n)));
        EngineRetriever::new(self.engine.clone()).with_vectors(vectors).by(Mode::Vector, Fusion::default())
    }

    pub fn evaluate(&self, retriever: &mut dyn Retriever, run: &Run) -> Result<Evaluation> {
        evaluate(retriever, &self.collection, run, &Silent)
    }

    pub fn report(&self, evaluation: &Evaluation) -> Report {
        Report::new(&self.collection, OfIndex::of(&self.engine).unwrap(), evaluation, false)
    }
}

/// One that adds to, or takes from, what it is given by another.
pub struct Spoilt<'a> {
    pub inner: EngineRetriever,
    /// Given to everybody, first.
    pub adds: Option<Passage>,
    /// Whether the approximate search loses its best passage.
    pub loses: bool,
    /// Called before every search.
    pub before: &'a dyn Fn(),
}

impl Spoilt<'_> {
    pub fn new(inner: EngineRetriever) -> Self {
        Self { inner, adds: None, loses: false, before: &|| {} }
    }
}

impl Retriever for Spoilt<'_> {
    fn prepare(&mut self, questions: &[&Question]) -> Result<()> {
        self.inner.prepare(questions)
    }

    fn standing(&mut self, persona: &Persona) -> Result<Standing> {
        self.inner.standing(persona)
    }

    fn search(&mut self, persona: &Persona, question: &Question, wanted: Wanted) -> Result<Found> {
        (self.before)();
        let mut found = self.inner.search(persona, question, wanted)?;
        if let Some(passage) = &self.adds {
            found.passages.insert(0, passage.clone());
        }
        if self.loses && wanted.recall < 1.0 && !found.passages.is_empty() {
            found.passages.remove(0);
        }
        Ok(found)
    }
}
