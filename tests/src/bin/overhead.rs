//! What does asking cost before a prompt leaves? `overhead [CHUNKS] [QUESTIONS]`: everything between the question and the
//! model's first byte but for embedding, over so many passages, of which the asker may read half and the model most of those.
//! The search by itself stands beside it, so that what asking adds is seen. Times are of the profile it is built with.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use safepassage::models::Catalogue;
use safepassage::{
    Acl, BatchDocument, Cleared, Create, EmbedderChoice, Engine, Finished, Generator, Identity, Mode, Permit, Piece,
    Pieces, Principal, Request, Result, StopReason,
};
use safepassage_tests::Numbers;

const DIM: usize = 64;
const K: usize = 6;

/// A model that notes when it is asked.
struct Noting(Cleared, Mutex<Option<Instant>>);

impl Generator for Noting {
    fn name(&self) -> &str {
        "noting"
    }

    fn window(&self) -> usize {
        16_384
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.0)
    }

    #[expect(clippy::disallowed_methods, reason = "this measures time")]
    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        permit()?;
        if let Ok(mut at) = self.1.lock() {
            *at = Some(Instant::now());
        }
        let end = Piece::Finished(Finished { reason: StopReason::End, usage: None });
        Ok(Pieces::pulled(request, std::iter::once(Ok(end))))
    }
}

fn show(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("{what}: p50 {:.3} ms, p90 {:.3} ms, p99 {:.3} ms, of {}", at(0.5), at(0.9), at(0.99), times.len());
}

fn filled(folder: &std::path::Path, chunks: usize) -> Result<Engine> {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create(folder, create)?;
    let mut numbers = Numbers(1);
    let labels = ["public", "public", "public", "confidential"];
    for first in (0..chunks).step_by(10_000) {
        let document = |n: usize, numbers: &mut Numbers| BatchDocument {
            id: format!("d{n}"),
            text: Some(format!(
                "word{} word{} pay is reviewed in the month of July by those who do it",
                n % 97,
                n % 1009
            )),
            vector: Some(numbers.vector(DIM).into()),
            acl: Some(Acl::new([Principal::group(if n.is_multiple_of(2) { "hr" } else { "it" })], [])),
            label: Some(labels[n % 4].to_owned()),
            ..BatchDocument::default()
        };
        engine.add((first..chunks.min(first + 10_000)).map(|n| document(n, &mut numbers)).collect())?;
        engine.commit()?;
    }
    engine.merge()?;
    Ok(engine)
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn measured(chunks: usize, questions: usize) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("overhead-{}", safepassage::system::process()));
    let engine = filled(&folder, chunks)?;
    let identity = Identity::asserted("ann").groups(["hr"]).clearance("restricted").issue(engine.clock())?;
    let session = engine.session(identity)?;
    let entry = "[[model]]\nname = \"m\"\nprovider = \"tests\"\nmodel = \"m\"\nhighest_label = \"internal\"";
    let model = Noting(Catalogue::parse(entry)?.model("m")?.cleared()?, Mutex::default());
    for audited in [false, true] {
        engine.audit()?.set(|settings| settings.on = audited)?;
        for mode in [Mode::Vector, Mode::Hybrid] {
            let (mut numbers, mut times) = (Numbers(2), [(); 4].map(|()| Vec::new()));
            for n in 0..questions {
                let (question, vector) = (format!("word{} word{}", n % 97, n % 1009), numbers.vector(DIM));
                let search = || -> Result<(f64, f64)> {
                    let started = Instant::now();
                    let found = session.search(&question).mode(mode).vector(&vector).k(K).find()?;
                    let searched = started.elapsed().as_secs_f64() * 1e3;
                    found.results()?;
                    Ok((searched, started.elapsed().as_secs_f64() * 1e3 - searched))
                };
                let ask = || -> Result<f64> {
                    let started = Instant::now();
                    let ask = session.ask(&question).generator(&model);
                    ask.search(|search| search.mode(mode).vector(&vector).k(K)).stream()?.finish()?;
                    let left = model.1.lock().ok().and_then(|mut at| at.take()).unwrap_or(started);
                    Ok(left.duration_since(started).as_secs_f64() * 1e3)
                };
                // Whichever comes first finds memory colder: now the one and now the other.
                let ((searched, read), asked) = if n.is_multiple_of(2) {
                    (search()?, ask()?)
                } else {
                    let asked = ask()?;
                    (search()?, asked)
                };
                for (all, time) in times.iter_mut().zip([searched, read, asked, asked - searched - read]) {
                    all.push(time);
                }
            }
            let how = if audited { ", audit log on" } else { "" };
            let names = ["search", "reading the passages", "question to first byte", "the same without both"];
            for (name, times) in names.into_iter().zip(times) {
                show(&format!("{mode:?}{how}: {name}"), times);
            }
        }
    }
    drop(session);
    std::fs::remove_dir_all(&folder).unwrap_or_default();
    Ok(())
}

fn main() -> ExitCode {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (chunks, questions) = (numbers.first().copied().unwrap_or(100_000), numbers.get(1).copied().unwrap_or(500));
    match measured(chunks, questions) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
