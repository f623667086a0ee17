//! Here is a call of a model: may it be paid for, and what did it cost?
//!
//! A [`Ledger`] lies in the folder `usage` of an index: a file of JSON lines a month, only ever appended to, under the lock
//! of a file beside them, so that processes share it. A call that a [`Budget`] counts is written down with the most that it
//! can cost before it is made ([`Ledger::reserve`]), and with what it did cost after it ([`Ledger::settle`]). The lines
//! have names, numbers and times: no question, no passage, no answer. Where there is a budget, a call of which nothing can be
//! written is not made, and one that cannot be settled fails; where there is none, it is made, and the caller is told.
//! What was measured of the index ([`Ledger::measured`]) stands among them.

#![forbid(unsafe_code)]

mod budget;
mod ledger;
mod line;
mod spent;
mod summary;
mod table;

pub use budget::{Budget, Period, UsageSettings};
pub use ledger::{Kept, Ledger, Reservation};
pub use line::{Amount, Call, Entry, Measured, Operation, UsageLine, Who};
pub use summary::{By, Summed, day, sum};
pub use table::{measured_table, table};

#[cfg(test)]
mod tests;
