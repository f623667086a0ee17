//! SQS: which messages about objects wait in a queue, and which of them were acted upon?
//!
//! A message is deleted by [`EventQueue::delete`] alone, which whoever reads the queue calls once what it speaks of is done:
//! until then it comes again. What cannot be read is never deleted: the queue's redrive policy says what becomes of it.

mod client;
mod queue;

pub use queue::{EventQueue, Taken, Unread};
