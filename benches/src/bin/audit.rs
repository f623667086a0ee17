//! What does it cost to write every search down? Latency and throughput with the audit log off, `written` and `synced`.
//!
//! `cargo run -p safepassage-benches --bin audit -- FOLDER [ROWS] [SECONDS]`: makes an index in FOLDER, on the disk that
//! is to be measured, and searches it from 1, 4 and 16 threads, the modes by turns.

use std::sync::Mutex;

use safepassage::audit::Durability;
use safepassage::system::Stopwatch;
use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Principal, Result};

const DIM: usize = 384;
const ROUNDS: usize = 3;
const SEED: u64 = 11;

/// The modes, and what the settings say in each.
const MODES: [(&str, Option<Durability>); 3] =
    [("off", None), ("written", Some(Durability::Written)), ("synced", Some(Durability::Synced))];

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn vector(&mut self) -> Vec<f32> {
        let draw = |_| {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        };
        (0..DIM).map(draw).collect()
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "audit-bench".to_owned());
    let rows: usize = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let seconds: f64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(3.0);
    let engine = Engine::create(&folder, Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() })?;
    let mut numbers = Numbers(SEED);
    let document = |n: usize| {
        let acl = Some(Acl::new([Principal::group(&format!("g{}", n % 4))], []));
        BatchDocument {
            id: format!("document-{n}"),
            vector: Some(numbers.vector().into()),
            acl,
            ..BatchDocument::default()
        }
    };
    engine.add((0..rows).map(document).collect())?;
    engine.commit()?;
    engine.wait_for_merges();
    println!("seed {SEED}, {rows} rows of {DIM}, {seconds} s a cell, best of {ROUNDS}");
    println!("| threads | log | searches/s | p50 ms | p99 ms |\n|---|---|---|---|---|");
    for threads in [1, 4, 16] {
        let mut best = MODES.map(|_| (0.0, 0.0, 0.0));
        for _ in 0..ROUNDS {
            for ((_, durability), best) in MODES.iter().zip(&mut best) {
                engine.audit()?.set(|settings| {
                    settings.on = durability.is_some();
                    settings.durability = durability.unwrap_or_default();
                })?;
                let measured = measure(&engine, threads, seconds)?;
                if measured.0 > best.0 {
                    *best = measured;
                }
            }
        }
        for ((name, _), (rate, p50, p99)) in MODES.iter().zip(best) {
            println!("| {threads} | {name} | {rate:.0} | {p50:.3} | {p99:.3} |");
        }
    }
    let verified = engine.audit()?.verify(None)?;
    println!("{} lines in {} files, verified", verified.lines, verified.files);
    Ok(())
}

/// Searches a second, and the latency of the middle and of the slowest hundredth in milliseconds.
fn measure(engine: &Engine, threads: usize, seconds: f64) -> Result<(f64, f64, f64)> {
    let all = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    let watch = Stopwatch::start();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (all, failed, watch) = (&all, &failed, &watch);
            scope.spawn(move || {
                let search = || -> Result<Vec<f64>> {
                    let user = Identity::asserted(&format!("user-{thread}")).groups(["g1", "g2"]);
                    let session = engine.session(user.issue(engine.clock())?)?;
                    let (mut numbers, mut times) = (Numbers(SEED + thread as u64), Vec::new());
                    while watch.seconds() < seconds {
                        let question = numbers.vector();
                        let one = Stopwatch::start();
                        session.search_vector(&question, 10, None)?;
                        times.push(one.seconds() * 1e3);
                    }
                    Ok(times)
                };
                match search() {
                    Ok(times) => all.lock().expect("no thread panics").extend(times),
                    Err(error) => *failed.lock().expect("no thread panics") = Some(error),
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().expect("no thread panics") {
        return Err(error);
    }
    let mut times = all.into_inner().expect("no thread panics");
    let rate = times.len() as f64 / watch.seconds();
    times.sort_by(f64::total_cmp);
    Ok((rate, times[times.len() / 2], times[times.len() * 99 / 100]))
}
