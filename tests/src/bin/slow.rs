//! A model's server that takes 60 s: how do the calls of its tenant and of others fare? `slow [SECONDS]`: in real time, with
//! the limits that a catalogue has by default. Everybody asks again and again; first all is well, then one server is slow
//! until it is left alone and so many seconds more, then it is well again until its calls are answered.

#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use safepassage::models::{open_generator, wait};
use safepassage::system::Clock;
use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Generator, Identity, Mode, Principal, Result, Session,
};
use safepassage_index::storage::MemoryStorage;

/// Who asks each of the two servers at once.
const ASKERS: usize = 8;
const SLOW: Duration = Duration::from_secs(60);
/// Between an answer and the next question of the same asker.
const PAUSE: Duration = Duration::from_millis(50);
const PHASES: [&str; 4] = ["well", "slow, asked", "slow, left alone", "well again"];

/// A server that answers at once, unless it is slow.
fn serve(slow: &Arc<AtomicBool>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/v1", listener.local_addr()?);
    let slow = Arc::clone(slow);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let slow = slow.load(Ordering::SeqCst);
            // Who goes away in the middle is of no interest.
            std::thread::spawn(move || drop(answer(stream, slow)));
        }
    });
    Ok(url)
}

fn answer(mut to: TcpStream, slow: bool) -> std::io::Result<()> {
    let mut from = BufReader::new(to.try_clone()?);
    let (mut length, mut line) = (0, String::new());
    while from.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    from.read_exact(&mut vec![0; length])?;
    if slow {
        // Until the other side goes away, or for so long.
        to.set_read_timeout(Some(SLOW))?;
        if from.read(&mut [0]).is_ok() {
            return Ok(());
        }
    }
    let (piece, end) = (r#"{"delta": {"content": "July [1]."}}"#, r#"{"delta": {}, "finish_reason": "stop"}"#);
    write!(to, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    write!(to, "data: {{\"choices\": [{piece}]}}\n\ndata: {{\"choices\": [{end}]}}\n\ndata: [DONE]\n\n")
}

/// What became of a question: of which tenant, in which phase, after how many milliseconds, and why it failed.
struct Outcome {
    tenant: &'static str,
    phase: u8,
    ms: f64,
    error: Option<String>,
}

fn filled() -> Result<Engine> {
    let create = Create { embedder: EmbedderChoice::Vectors(2), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::system())?;
    let document = |tenant: &str| BatchDocument {
        tenant: safepassage::Tenant(tenant.to_owned()),
        id: "pay".to_owned(),
        text: Some("Pay is reviewed once a year, in July.".to_owned()),
        vector: Some(vec![1.0, 0.0].into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..BatchDocument::default()
    };
    engine.add(vec![document("hurt"), document("other")])?;
    engine.commit()?;
    Ok(engine)
}

fn session(engine: &Engine, tenant: &str) -> Result<Session> {
    engine.session(Identity::asserted("ann").tenant(tenant).issue(engine.clock())?)
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn now() -> Instant {
    Instant::now()
}

fn measured(more: Duration) -> Result<()> {
    let io = |e: std::io::Error| safepassage::Error::invalid("measure", e.to_string());
    let slow = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    let catalogue = std::env::temp_dir().join(format!("slow-{}.toml", safepassage::system::process()));
    let mut text = String::new();
    for (name, slow) in ["hurt", "other"].iter().zip(&slow) {
        let url = serve(slow).map_err(io)?;
        text.push_str(&format!(
            "[[model]]\nname = \"{name}\"\nprovider = \"openai\"\nmodel = \"m\"\nhighest_label = \"internal\"\n\
             at = {{ url = \"{url}\" }}\ntexts = {{ window = 4096 }}\n"
        ));
    }
    std::fs::write(&catalogue, text).map_err(io)?;
    let models: [Arc<dyn Generator>; 2] = [open_generator(&catalogue, "hurt")?, open_generator(&catalogue, "other")?];
    std::fs::remove_file(&catalogue).unwrap_or_default();
    let engine = filled()?;
    let (phase, over) = (AtomicU8::new(0), AtomicBool::new(false));
    let outcomes: Mutex<Vec<Outcome>> = Mutex::default();
    let asking = |tenant: &'static str, model: &dyn Generator| -> Result<()> {
        while !over.load(Ordering::SeqCst) {
            let (at, since) = (phase.load(Ordering::SeqCst), now());
            let session = session(&engine, tenant)?;
            let ask = session.ask("when is pay reviewed?").generator(model);
            let answer = ask.search(|search| search.mode(Mode::Lexical)).run();
            let (ms, error) = (since.elapsed().as_secs_f64() * 1e3, answer.err().map(|error| error.to_string()));
            let mut all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(Outcome { tenant, phase: at, ms, error });
            drop(all);
            wait(PAUSE)?;
        }
        Ok(())
    };
    // Waits until an asker of the hurt tenant had an outcome in this phase that is so.
    let until = |at: u8, is: &dyn Fn(&Outcome) -> bool| -> Result<f64> {
        let since = now();
        phase.store(at, Ordering::SeqCst);
        let seen = || {
            let all = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().any(|outcome| outcome.tenant == "hurt" && outcome.phase == at && is(outcome))
        };
        while !seen() {
            wait(PAUSE)?;
        }
        Ok(since.elapsed().as_secs_f64())
    };
    let left_alone = |outcome: &Outcome| outcome.error.as_ref().is_some_and(|error| error.contains("left alone"));
    let (opened, closed) = std::thread::scope(|scope| {
        for (tenant, model) in ["hurt", "other"].into_iter().zip(&models) {
            for _ in 0..ASKERS {
                scope.spawn(move || asking(tenant, &**model));
            }
        }
        wait(Duration::from_secs(5))?;
        slow[0].store(true, Ordering::SeqCst);
        let opened = until(1, &left_alone)?;
        phase.store(2, Ordering::SeqCst);
        wait(more)?;
        slow[0].store(false, Ordering::SeqCst);
        let closed = until(3, &|outcome| outcome.error.is_none())?;
        wait(Duration::from_secs(5))?;
        over.store(true, Ordering::SeqCst);
        Ok::<_, safepassage::Error>((opened, closed))
    })?;
    println!("left alone after {opened:.1} s of slowness; answers again {closed:.1} s after it was well");
    let all = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (at, name) in (0u8..).zip(PHASES) {
        for tenant in ["hurt", "other"] {
            let own: Vec<&Outcome> =
                all.iter().filter(|outcome| outcome.tenant == tenant && outcome.phase == at).collect();
            let mut times: Vec<f64> = own.iter().map(|outcome| outcome.ms).collect();
            times.sort_by(f64::total_cmp);
            let part = |part: f64| times.get((times.len().saturating_sub(1) as f64 * part) as usize).copied();
            let failed = own.iter().filter(|outcome| outcome.error.is_some()).count();
            let alone = own.iter().filter(|outcome| left_alone(outcome)).count();
            let (p50, p99) = (part(0.5).unwrap_or(f64::NAN), part(0.99).unwrap_or(f64::NAN));
            println!(
                "{name}, {tenant}: {} questions, {failed} failed, of which {alone} at once; p50 {p50:.1} ms, p99 {p99:.1} ms",
                own.len()
            );
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let more = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    match measured(Duration::from_secs(more)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slow: {error:?}");
            ExitCode::FAILURE
        }
    }
}
