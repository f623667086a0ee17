//! Do answers hold while permissions change as fast as they can? `race ANSWERS FOLDER`.
//!
//! One writer takes documents from readers and gives them back, durable in FOLDER; readers, half of them through an index
//! opened a second time, ask for all they may see. Every answer must be that of the epoch it states, and no answer that was
//! asked for after a change returned may be of an epoch before it.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Principal, Result, Tenant};
use safepassage_tests::Numbers;

const DOCUMENTS: usize = 48;
const READERS: usize = 4;
const DIM: usize = 8;

/// By reader, a bit for every document that they lost.
type Lost = [u64; READERS];

struct Race {
    /// What everybody lost at each epoch; written before the epoch is.
    epochs: RwLock<Vec<Lost>>,
    /// The newest epoch of which a change returned.
    returned: AtomicU64,
    answers: AtomicU64,
    wanted: u64,
    over: AtomicBool,
}

fn reader(n: usize) -> Principal {
    Principal::user(&format!("r{n}"))
}

fn id(document: usize) -> String {
    format!("d{document:02}")
}

impl Race {
    fn write(&self, engine: &Engine, mut epoch: u64, mut lost: Lost) -> Result<u64> {
        let (tenant, mut numbers) = (Tenant::default(), Numbers(7));
        while !self.over.load(Ordering::Relaxed) {
            let (document, who) = (numbers.below(DOCUMENTS), numbers.below(READERS));
            let taken = lost[who] >> document & 1 == 1;
            lost[who] ^= 1 << document;
            self.epochs.write().expect("no panic").push(lost);
            let (id, who) = (id(document), reader(who));
            let now = if taken {
                engine.restore(&tenant, &id, &who, "a test")?
            } else {
                engine.revoke(&tenant, &id, &who)?
            };
            epoch += 1;
            assert_eq!(now, epoch, "one epoch a change");
            self.returned.store(epoch, Ordering::SeqCst);
        }
        Ok(epoch)
    }

    fn read(&self, engine: &Engine, n: usize) -> Result<()> {
        let identity = Identity::asserted(&format!("r{n}")).ttl_seconds(1 << 20).issue(engine.clock())?;
        let session = engine.session(identity)?;
        let mut numbers = Numbers(n as u64);
        while self.answers.fetch_add(1, Ordering::Relaxed) < self.wanted {
            let query = numbers.vector(DIM);
            let before = self.returned.load(Ordering::SeqCst);
            let found = session.search_vector(&query, DOCUMENTS, Some(1.0))?;
            let epoch = found.acl_epoch();
            assert!(epoch >= before, "asked after epoch {before} was in force and answered by {epoch}");
            let lost = self.epochs.read().expect("no panic")[epoch as usize][n];
            let seen = found.ids().map(|id| id[1..].parse::<usize>().expect("a number")).collect::<BTreeSet<_>>();
            let right = (0..DOCUMENTS).filter(|document| lost >> document & 1 == 0).collect();
            assert_eq!(seen, right, "reader {n} at epoch {epoch}");
        }
        self.over.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn run(wanted: u64, folder: &str) -> Result<()> {
    let engine = Engine::create(folder, Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() })?;
    let mut numbers = Numbers(1);
    let document = |n: usize| BatchDocument {
        id: id(n),
        vector: Some(numbers.vector(DIM).into()),
        acl: Some(Acl::new((0..READERS).map(reader), [])),
        ..BatchDocument::default()
    };
    engine.add((0..DOCUMENTS).map(document).collect())?;
    engine.commit()?;
    engine.wait_for_merges();
    let epoch = engine.stats()?.acl_epoch;
    let other = Engine::open(folder)?;
    let race = Race {
        epochs: RwLock::new(vec![[0; READERS]; epoch as usize + 1]),
        returned: AtomicU64::new(epoch),
        answers: AtomicU64::new(0),
        wanted,
        over: AtomicBool::new(false),
    };
    let started = engine.clock().now();
    let last = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|n| (n, if n % 2 == 0 { &engine } else { &other }))
            .map(|(n, engine)| {
                scope.spawn({
                    let race = &race;
                    move || race.read(engine, n)
                })
            })
            .collect();
        let last = race.write(&engine, epoch, [0; READERS]);
        readers.into_iter().try_for_each(|reader| reader.join().expect("a reader panicked"))?;
        last
    })?;
    let seconds = engine.clock().now().0.saturating_sub(started.0) / 1000;
    println!("{wanted} answers of {READERS} readers, {} changes, {seconds} s; 0 of another epoch", last - epoch);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wanted, folder] = &arguments[..] else {
        eprintln!("race ANSWERS FOLDER");
        return ExitCode::from(2);
    };
    match run(wanted.parse().unwrap_or(100_000), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
