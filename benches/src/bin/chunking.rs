//! How well is a text cut? Ranges of characters that answer questions, against what a search for the questions gives.
//!
//! `cargo run -p safepassage-benches --bin chunking -- FOLDER WORK [WAY,TOKENS,OVERLAP ...]`
//!
//! FOLDER has `questions.jsonl` (`question, corpus, references: [{start_index, end_index}]`, in characters) and
//! `CORPUS.md`. WORK is for indexes, which are deleted again. The measures are those of Smith and Troynikov, Evaluating Chunking Strategies
//! for Retrieval (2024): of the five best passages, how much of what answers is in them (recall), how much of them answers (precision), and both at once
//! (IoU); and what precision would be if every chunk that has some of the answer came, and no other (precision omega).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use safepassage::system::Stopwatch;
use safepassage::{
    Acl, BatchDocument, ChunkWay, Create, Embedder, EmbedderChoice, Embeddings, Engine, Identity, Mode, ModelStamp,
    Principal, Purpose, Result, Session, Tokenizer,
};
use serde::Deserialize;

/// Passages for a question, as published.
const PASSAGES: usize = 5;

#[derive(Deserialize)]
struct Question {
    question: String,
    corpus: String,
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    start_index: usize,
    end_index: usize,
}

/// The built-in model, which embeds no text twice.
struct Remembering {
    model: Arc<dyn Embedder>,
    known: Mutex<HashMap<(Purpose, String), Vec<f32>>>,
}

impl Embedder for Remembering {
    fn stamp(&self) -> &ModelStamp {
        self.model.stamp()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new: Vec<&str> =
            texts.iter().copied().filter(|t| !known.contains_key(&(purpose, (*t).into()))).collect();
        new.sort_unstable();
        new.dedup();
        for part in new.chunks(256) {
            let embeddings = self.model.embed(part, purpose)?;
            known.extend(part.iter().zip(embeddings.rows()).map(|(t, row)| ((purpose, (*t).into()), row.to_vec())));
        }
        let values = texts.iter().flat_map(|text| known[&(purpose, (*text).into())].clone()).collect();
        Ok(Embeddings { dim: self.stamp().dim, values, tokens: 0, truncated: Vec::new() })
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.model.tokenizer()
    }
}

/// A text, and how many characters stand before each of its bytes.
struct Corpus {
    text: String,
    characters: Vec<usize>,
}

/// Half open, in characters.
type Span = (usize, usize);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, work, ways @ ..] = &arguments[..] else {
        eprintln!("usage: chunking FOLDER WORK [WAY,TOKENS,OVERLAP ...]");
        std::process::exit(2);
    };
    run(Path::new(folder), Path::new(work), ways).expect("the run failed");
}

fn run(folder: &Path, work: &Path, ways: &[String]) -> Result<()> {
    let questions = std::fs::read_to_string(folder.join("questions.jsonl")).expect("the questions are there");
    let questions: Vec<Question> =
        questions.lines().map(|line| serde_json::from_str(line).expect("the documented shape")).collect();
    let mut corpora: HashMap<&str, Corpus> = HashMap::new();
    for Question { corpus, .. } in &questions {
        corpora.entry(corpus).or_insert_with(|| {
            let text = std::fs::read_to_string(folder.join(format!("{corpus}.md"))).expect("the corpus is there");
            let mut characters = Vec::with_capacity(text.len() + 1);
            text.chars().enumerate().for_each(|(n, c)| characters.extend(std::iter::repeat_n(n, c.len_utf8())));
            characters.push(text.chars().count());
            Corpus { text, characters }
        });
    }
    let model = Engine::create(work.join("model"), Create::default())?.embedder()?;
    let embedder = Arc::new(Remembering { model, known: Mutex::default() });
    println!(
        "| way | tokens | overlap | passages | characters a passage | recall | precision | IoU | precision omega | recall, hybrid | precision, hybrid | IoU, hybrid | s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for way in ways {
        let watch = Stopwatch::start();
        let parts: Vec<&str> = way.split(',').collect();
        let [way, tokens, overlap] = parts[..] else { panic!("`{way}` is no WAY,TOKENS,OVERLAP") };
        let number = |text: &str| text.parse().expect("a number");
        let path = work.join("index");
        let create = Create {
            embedder: EmbedderChoice::Given(Arc::clone(&embedder) as _),
            chunker: way.parse::<ChunkWay>()?,
            chunk_tokens: Some(number(tokens)),
            overlap_tokens: Some(number(overlap)),
            ..Create::default()
        };
        let engine = Engine::create(&path, create)?;
        let document = |(id, corpus): (&&str, &Corpus)| BatchDocument {
            id: (*id).to_owned(),
            text: Some(corpus.text.clone()),
            acl: Some(Acl::new([Principal::Everyone], [])),
            ..BatchDocument::default()
        };
        engine.add(corpora.iter().map(document).collect())?;
        engine.commit()?;
        let session = engine.session(Identity::asserted("reader").groups([]).issue(engine.clock())?)?;
        let all = all(&session, engine.dim()?, &corpora)?;
        let length: usize = all.values().flatten().map(|(start, end)| end - start).sum();
        let count: usize = all.values().map(Vec::len).sum();
        let (vector, hybrid) = (
            score(&session, Mode::Vector, &questions, &corpora)?,
            score(&session, Mode::Hybrid, &questions, &corpora)?,
        );
        let omega = mean(questions.iter().map(|question| omega(question, &all[question.corpus.as_str()])));
        println!(
            "| {way} | {tokens} | {overlap} | {count} | {} | {} | {omega:.3} | {} | {:.0} |",
            length / count,
            vector.map(|n| format!("{n:.3}")).join(" | "),
            hybrid.map(|n| format!("{n:.3}")).join(" | "),
            watch.seconds()
        );
        drop((session, engine));
        std::fs::remove_dir_all(&path).expect("the index can be deleted");
    }
    Ok(())
}

/// Every chunk of every corpus.
fn all<'c>(session: &Session, dim: usize, corpora: &HashMap<&'c str, Corpus>) -> Result<HashMap<&'c str, Vec<Span>>> {
    let mut all: HashMap<&str, Vec<Span>> = corpora.keys().map(|id| (*id, Vec::new())).collect();
    let any: Vec<f32> = (0..dim).map(|n| if n == 0 { 1.0 } else { 0.0 }).collect();
    for hit in session.nearest(&any).k(1_000_000).recall(1.0).find()?.results()?.hits {
        let (id, corpus) = corpora.get_key_value(hit.document.as_str()).expect("it was added");
        all.entry(id).or_default().push(span(corpus, hit.span));
    }
    Ok(all)
}

fn span(corpus: &Corpus, bytes: (u64, u64)) -> Span {
    (corpus.characters[bytes.0 as usize], corpus.characters[bytes.1 as usize])
}

/// Recall, precision and IoU of what is given, each the mean over all questions.
fn score(session: &Session, mode: Mode, questions: &[Question], corpora: &HashMap<&str, Corpus>) -> Result<[f64; 3]> {
    let mut scores: [Vec<f64>; 3] = Default::default();
    for question in questions {
        let results = session.search(&question.question).mode(mode).k(PASSAGES).recall(1.0).run()?;
        let given: Vec<(&str, Span)> = results
            .hits
            .iter()
            .map(|hit| (hit.document.as_str(), span(&corpora[hit.document.as_str()], hit.span)))
            .collect();
        let own: Vec<Span> = given.iter().filter(|(id, _)| *id == question.corpus).map(|(_, span)| *span).collect();
        let wanted = references(question);
        let found = length(&intersections(&own, &wanted)) as f64;
        let given: usize = given.iter().map(|(_, (start, end))| end - start).sum();
        let missed = length(&wanted) as f64 - found;
        let of = [length(&wanted) as f64, given as f64, given as f64 + missed];
        scores.iter_mut().zip(of).for_each(|(scores, of)| scores.push(found / of.max(1.0)));
    }
    Ok(scores.map(|scores| mean(scores.into_iter())))
}

fn omega(question: &Question, chunks: &[Span]) -> f64 {
    let wanted = references(question);
    let touched: Vec<Span> =
        chunks.iter().copied().filter(|chunk| !intersections(&[*chunk], &wanted).is_empty()).collect();
    length(&intersections(&touched, &wanted)) as f64 / (length(&touched) as f64).max(1.0)
}

fn references(question: &Question) -> Vec<Span> {
    question.references.iter().map(|reference| (reference.start_index, reference.end_index)).collect()
}

fn intersections(a: &[Span], b: &[Span]) -> Vec<Span> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    pairs.filter(|(start, end)| start < end).collect()
}

/// How many characters are in at least one of `spans`.
fn length(spans: &[Span]) -> usize {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut until = 0;
    spans.into_iter().fold(0, |length, (start, end)| {
        let new = end.saturating_sub(start.max(until));
        until = until.max(end);
        length + new
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}
