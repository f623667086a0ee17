//! `sync --watch --queue`: which objects do the messages of a queue name?

#[cfg(not(feature = "aws"))]
pub use elsewhere::follow;
#[cfg(feature = "aws")]
pub use here::follow;

#[cfg(feature = "aws")]
mod here {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use safepassage::aws::sqs::{EventQueue, Taken, Unread};
    use safepassage::system::Stopwatch;
    use safepassage::{Engine, Error, Kind, Result, SyncOptions};

    use crate::commands::watch::{Rounds, wait};
    use crate::output;
    use crate::sync_args::Sync;

    /// Seconds between two looks at everything: a message may be lost, and what was put aside may be mended.
    const USUAL_S: u64 = 24 * 60 * 60;
    /// The longest wait after a round that failed.
    const LONGEST_WAIT_S: u64 = 60;
    /// Of so many messages that cannot be read it is remembered that they were named.
    const MOST_NAMED: usize = 10_000;

    /// Looks at everything, then at what messages name, and again at everything after so many seconds.
    pub fn follow(
        engine: &Engine,
        arguments: &Sync,
        options: SyncOptions,
        queue: &str,
        seconds: Option<u64>,
        json: bool,
    ) -> Result<()> {
        let [source] = &arguments.sources[..] else { return Err(one_source()) };
        let url = source.path.to_string_lossy();
        let (queue, mut taken) = (EventQueue::open(queue)?, Taken::default());
        taken.changed_below(&url).map_err(|_| one_source())?;
        let every = seconds.unwrap_or(USUAL_S).max(1) as f64;
        let mut rounds = Rounds::new(engine, arguments, options, json);
        let (mut named, mut looked, mut failures) = (BTreeSet::new(), None::<Stopwatch>, 0_u32);
        loop {
            let left = looked.as_ref().map_or(0.0, |since| (every - since.seconds()).max(0.0));
            // What waits before a look at everything is done with it.
            let first = if failures > 0 { 0.0 } else { left };
            let received = match queue.receive(Duration::from_secs_f64(first.ceil()), &mut taken) {
                Ok(unread) => {
                    name(&unread, &mut named, json);
                    true
                }
                Err(error) => again(error).and_then(|error| rounds.failed(error)).map(|()| false)?,
            };
            let whole = looked.as_ref().is_none_or(|since| since.seconds() >= every);
            let changed = taken.changed_below(&url)?;
            let done = if whole || rounds.options.speak_of_others(&changed) {
                let since = Stopwatch::start();
                rounds.options.only = None;
                let done = rounds.next()?;
                looked = if done { Some(since) } else { looked };
                done
            } else if changed.is_empty() {
                true
            } else {
                rounds.options.only = Some(changed);
                rounds.next()?
            };
            let deleted = match if done { queue.delete(&mut taken) } else { Ok(0) } {
                Ok(_) => true,
                // They come again.
                Err(error) => again(error).and_then(|error| rounds.failed(error)).map(|()| false)?,
            };
            failures = if received && done && deleted { 0 } else { failures + 1 };
            if failures > 0 {
                wait(Duration::from_secs(LONGEST_WAIT_S.min(1 << failures.min(6))));
            }
        }
    }

    fn one_source() -> Error {
        Error::invalid("sync", "--queue needs one source, s3://BUCKET/FOLDER")
    }

    /// An error of the queue after which it may answer again; any other ends the watch.
    fn again(error: Error) -> Result<Error> {
        if error.is_retryable() { Ok(error) } else { Err(error) }
    }

    /// Says which messages cannot be read, each once.
    fn name(unread: &[Unread], named: &mut BTreeSet<String>, json: bool) {
        for Unread { message, reason } in unread {
            if named.len() == MOST_NAMED {
                named.clear();
            }
            if named.insert(message.clone()) {
                let error = Error::new(Kind::Invalid, "read queue", format!("{reason}; it stays in the queue"));
                output::failed(&error.with("message", message), json);
            }
        }
    }
}

#[cfg(not(feature = "aws"))]
mod elsewhere {
    use safepassage::{Engine, Error, Result, SyncOptions};

    use crate::sync_args::Sync;

    pub fn follow(_: &Engine, _: &Sync, _: SyncOptions, _: &str, _: Option<u64>, _: bool) -> Result<()> {
        Err(Error::invalid("sync", "this program was built without SQS (`--features aws`)"))
    }
}
