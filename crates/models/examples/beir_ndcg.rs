//! How well does a model rank a BEIR collection?
//!
//! Embeds `title + " " + text` of every document and every judged query, ranks by exact search and prints nDCG@10 over the
//! queries of `qrels/test.tsv`.
//!
//! ```text
//! cargo run -p safepassage-models --features builtin --example beir_ndcg -- BEIR_FOLDER [MODEL_FOLDER | builtin | builtin-float]
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use safepassage_error::system::Stopwatch;
use safepassage_models::{Arithmetic, Embedder, Embeddings, Purpose, Transformer, builtin_with};
use serde_json::Value;

const K: usize = 10;

/// Grades of one query: document id → grade.
type Grades = HashMap<String, f64>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which BEIR folder?")?;
    let folder = Path::new(&folder);
    let model = arguments.next().unwrap_or_else(|| "builtin".into());
    let embedder = match model.as_str() {
        "builtin" => builtin_with(Arithmetic::Fastest)?,
        "builtin-float" => builtin_with(Arithmetic::Float)?,
        path => Transformer::open(Path::new(path))?,
    };

    let documents = texts(&folder.join("corpus.jsonl"))?;
    let judged = grades(&folder.join("qrels/test.tsv"))?;
    let mut queries = texts(&folder.join("queries.jsonl"))?;
    queries.retain(|(id, _)| judged.contains_key(id));

    let watch = Stopwatch::start();
    let documents_embedded = embed(&embedder, &documents, Purpose::Document)?;
    let seconds = watch.seconds();
    let queries_embedded = embed(&embedder, &queries, Purpose::Query)?;

    let total: f64 = queries
        .iter()
        .zip(queries_embedded.rows())
        .map(|((id, _), query)| {
            let mut scores: Vec<(f32, &str)> = documents
                .iter()
                .zip(documents_embedded.rows())
                .map(|((id, _), document)| (query.iter().zip(document).map(|(a, b)| a * b).sum(), id.as_str()))
                .collect();
            scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let ranked: Vec<&str> = scores.iter().take(K).map(|(_, id)| *id).collect();
            ndcg(&ranked, &judged[id])
        })
        .sum();
    println!(
        "{model}: nDCG@{K} {:.4} over {} queries, {} documents ({} cut, {} tokens) in {seconds:.1} s",
        total / queries.len() as f64,
        queries.len(),
        documents.len(),
        documents_embedded.truncated.len(),
        documents_embedded.tokens,
    );
    Ok(())
}

/// nDCG@K with gain = grade and discount log2(rank + 1), as trec_eval computes it.
fn ndcg(ranked: &[&str], grades: &Grades) -> f64 {
    let discounted = |gains: &mut dyn Iterator<Item = f64>| -> f64 {
        gains.take(K).enumerate().map(|(rank, gain)| gain / (rank as f64 + 2.0).log2()).sum()
    };
    let mut ideal: Vec<f64> = grades.values().copied().filter(|grade| *grade > 0.0).collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let best = discounted(&mut ideal.into_iter());
    let got = discounted(&mut ranked.iter().map(|id| grades.get(*id).copied().unwrap_or(0.0).max(0.0)));
    if best > 0.0 { got / best } else { 0.0 }
}

fn embed(embedder: &Transformer, texts: &[(String, String)], purpose: Purpose) -> Result<Embeddings, Box<dyn Error>> {
    let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    Ok(embedder.embed(&texts, purpose)?)
}

/// Id and `title + " " + text` of each line of a JSONL file.
fn texts(path: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let json: Value = serde_json::from_str(line)?;
        let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        texts.push((field("_id"), format!("{} {}", field("title"), field("text")).trim().to_owned()));
    }
    Ok(texts)
}

/// The judgements of a tab-separated file with a header line: query id, document id, grade.
fn grades(path: &Path) -> Result<HashMap<String, Grades>, Box<dyn Error>> {
    let mut grades: HashMap<String, Grades> = HashMap::new();
    for line in fs::read_to_string(path)?.lines().skip(1) {
        let mut fields = line.split('\t');
        if let (Some(query), Some(document), Some(grade)) = (fields.next(), fields.next(), fields.next()) {
            grades.entry(query.to_owned()).or_default().insert(document.to_owned(), grade.trim().parse()?);
        }
    }
    Ok(grades)
}
