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

use super::Parsed;

const STACK_BYTES: usize = 64 << 20;
/// Far longer than any file that was tried takes.
const DEADLINE: Duration = Duration::from_secs(60);
const MOST_STUCK: usize = 4;

/// Threads that were waited for in vain and are still running.
static STUCK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PARSES: Cell<bool> = const { Cell::new(false) };
}

enum State {
    Running,
    /// `None` if the parser panicked.
    Done(Option<Result<Parsed>>),
    /// Nobody waits any more.
    Left,
}

/// What `parse` makes of `content`, as on any other thread.
pub(super) fn run(content: &[u8], parse: impl FnOnce(&[u8]) -> Result<Parsed> + Send + 'static) -> Result<Parsed> {
    run_within(DEADLINE, content, parse)
}

fn run_within(
    deadline: Duration,
    content: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<Parsed> + Send + 'static,
) -> Result<Parsed> {
    if STUCK.load(Ordering::Relaxed) >= MOST_STUCK {
        let message = format!("{MOST_STUCK} files are still being parsed and do not end; begin again without them");
        return Err(Error::new(Kind::Unavailable, "parse", message));
    }
    say_nothing_of_panics();
    let shared = Arc::new((Mutex::new(State::Running), Condvar::new()));
    let (content, theirs) = (content.to_vec(), Arc::clone(&shared));
    let thread = std::thread::Builder::new().name("parse".into()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        PARSES.set(true);
        let parsed = catch_unwind(AssertUnwindSafe(|| parse(&content))).ok();
        let (state, ended) = &*theirs;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Left) {
            STUCK.fetch_sub(1, Ordering::Relaxed);
        }
        *state = State::Done(parsed);
        ended.notify_one();
    });
    started.map_err(|e| Error::new(Kind::Unavailable, "parse", "no thread could be started").because(e))?;
    let (state, ended) = &*shared;
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = ended.wait_timeout_while(state, deadline, |state| matches!(state, State::Running));
    let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, State::Left) {
        State::Done(Some(parsed)) => parsed,
        State::Done(None) => {
            Err(Error::invalid("parse", "the parser fell over it: the file is damaged, or the parser has a fault"))
        }
        State::Running | State::Left => {
            STUCK.fetch_add(1, Ordering::Relaxed);
            Err(Error::invalid("parse", format!("it was not parsed within {} seconds", deadline.as_secs())))
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

    #[test]
    fn a_parser_that_panics_or_stays_is_a_file_that_cannot_be_read() {
        let parsed = run(b"abc", |content| Ok(Parsed { text: format!("{}", content.len()), ..Parsed::default() }));
        assert_eq!(parsed.unwrap().text, "3");
        let fell = run(b"", |content| Ok(Parsed { text: content[7].to_string(), ..Parsed::default() })).unwrap_err();
        assert_eq!(fell.kind(), Kind::Invalid);
        assert!(fell.message().contains("fell over"), "{fell}");

        // Some that stay until they are let go.
        let mut held = Vec::new();
        for _ in 0..MOST_STUCK {
            let (go, wait) = channel::<()>();
            held.push(go);
            let stayed = run_within(Duration::ZERO, b"", move |_| {
                drop(wait.recv());
                Ok(Parsed::default())
            });
            assert!(stayed.unwrap_err().message().contains("not parsed within"));
        }
        assert_eq!(run(b"", |_| Ok(Parsed::default())).unwrap_err().kind(), Kind::Unavailable);
        drop(held);
        while STUCK.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        assert!(run(b"", |_| Ok(Parsed::default())).is_ok());
    }

    #[test]
    fn deep_recursion_has_room() {
        fn deep(n: usize) -> usize {
            if n == 0 { 0 } else { std::hint::black_box(deep(n - 1)) + 1 }
        }
        let parsed = run(b"", |_| Ok(Parsed { text: deep(100_000).to_string(), ..Parsed::default() })).unwrap();
        assert_eq!(parsed.text, "100000");
    }
}
