//! Here is a file from anywhere and a parser that may fall over it: how does nothing else fall?
//!
//! The parser runs on a thread of its own, with a stack that deep files do not fill, and is waited for only so long. One
//! that panics or does not come back is a file that cannot be read. A thread cannot be ended from outside: one that
//! does not come back is left alone, and after [`MOST_STUCK`] of them no more files are taken until some are done.
//! Memory is bounded by what parsers may make of a file: parcels, texts and lists all have their most.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::Duration;

use safepassage_error::{Error, Kind, Result};

use super::PARSE;

const STACK_BYTES: usize = 64 << 20;
/// Far longer than any file that was tried takes.
const DEADLINE: Duration = Duration::from_secs(60);
const MOST_STUCK: usize = 4;

/// Threads that were waited for in vain and are still running.
static STUCK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PARSES: Cell<bool> = const { Cell::new(false) };
}

/// What a parser unwinds with that has to stop where nothing can be returned: the reason, for a person.
pub(super) struct Stop(pub &'static str);

enum State<T> {
    Running,
    Done(Result<T>),
    /// Nobody waits any more.
    Left,
}

/// What `parse` gives, as on any other thread.
pub(crate) fn run<T: Send + 'static>(parse: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    run_within(DEADLINE, &STUCK, parse)
}

fn run_within<T: Send + 'static>(
    deadline: Duration,
    stuck: &'static AtomicUsize,
    parse: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if stuck.load(Ordering::Relaxed) >= MOST_STUCK {
        let message = format!("{MOST_STUCK} files are still being parsed and do not end; begin again without them");
        return Err(Error::new(Kind::Unavailable, PARSE, message));
    }
    say_nothing_of_panics();
    let shared = Arc::new((Mutex::new(State::Running), Condvar::new()));
    let theirs = Arc::clone(&shared);
    let thread = std::thread::Builder::new().name("parse".into()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        PARSES.set(true);
        let parsed = catch_unwind(AssertUnwindSafe(parse)).unwrap_or_else(|panic| {
            let fell = "the parser fell over it: the file is damaged, or the parser has a fault";
            Err(Error::invalid(PARSE, panic.downcast_ref::<Stop>().map_or(fell, |stop| stop.0)))
        });
        let (state, ended) = &*theirs;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Left) {
            stuck.fetch_sub(1, Ordering::Relaxed);
        }
        *state = State::Done(parsed);
        ended.notify_one();
    });
    started.map_err(|e| Error::new(Kind::Unavailable, PARSE, "no thread could be started").because(e))?;
    let (state, ended) = &*shared;
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = ended.wait_timeout_while(state, deadline, |state| matches!(state, State::Running));
    let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, State::Left) {
        State::Done(parsed) => parsed,
        State::Running | State::Left => {
            stuck.fetch_add(1, Ordering::Relaxed);
            Err(Error::invalid(PARSE, format!("it was not parsed within {} seconds", deadline.as_secs())))
        }
    }
}

/// A panic writes its message to the log of the program, and one about a text quotes the text. What a parser panics
/// about is said nowhere; all other panics go to whatever took them before.
fn say_nothing_of_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !PARSES.get() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    static COUNT: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_parser_that_panics_or_stays_is_a_file_that_cannot_be_read() {
        assert_eq!(run(|| Ok("abc".len())).unwrap(), 3);
        let content = Vec::<u8>::new();
        let fell = run(move || Ok(content[7])).unwrap_err();
        assert_eq!(fell.kind(), Kind::Invalid);
        assert!(fell.message().contains("fell over"), "{fell}");

        let stopped = run::<()>(|| std::panic::resume_unwind(Box::new(Stop("it has no end")))).unwrap_err();
        assert_eq!(stopped.message(), "it has no end");

        // Some that stay until they are let go.
        let mut held = Vec::new();
        for _ in 0..MOST_STUCK {
            let (go, wait) = channel::<()>();
            held.push(go);
            let stayed = run_within(Duration::ZERO, &COUNT, move || {
                wait.recv().unwrap_err();
                Ok(())
            });
            assert!(stayed.unwrap_err().message().contains("not parsed within"));
        }
        let next = || run_within(DEADLINE, &COUNT, || Ok(()));
        assert_eq!(next().unwrap_err().kind(), Kind::Unavailable);
        drop(held);
        while COUNT.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        assert!(next().is_ok());
    }

    #[test]
    fn deep_recursion_has_room() {
        fn deep(n: usize) -> usize {
            if n == 0 { 0 } else { std::hint::black_box(deep(n - 1)) + 1 }
        }
        assert_eq!(run(|| Ok(deep(100_000))).unwrap(), 100_000);
    }
}
