//! What did calls of models cost, and what may they? The operator's side of the ledger.
//!
//! The ledger lies beside the index, and what is in force in it, so no process and no surface can forget it. An index that
//! does not lie in a local folder has none, and no budgets.

use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Result};
pub use safepassage_usage::{
    Amount, Budget, By, Call, Entry as UsageEntry, Kept, Ledger, Measured, Operation, Period, Summed, UsageLine,
    UsageSettings, Who, day, measured_table, sum, table,
};

use crate::engine::Engine;

impl Engine {
    /// The ledger, for operators.
    ///
    /// # Errors
    /// `Invalid` if the index does not lie in a local folder.
    pub fn usage(&self) -> Result<&Ledger> {
        let none = || Error::invalid("open usage ledger", "only an index in a local folder has a usage ledger");
        self.ledger().ok_or_else(none)
    }

    /// All lines of the ledger from `from` on and before `to`, oldest first.
    ///
    /// # Errors
    /// As [`Engine::usage`]; `Unavailable`.
    pub fn usage_lines(&self, from: Timestamp, to: Timestamp) -> Result<Vec<UsageLine>> {
        let mut lines = Vec::new();
        let mut keep = |line| {
            lines.push(line);
            Ok(())
        };
        self.usage()?.each(from, to, &mut keep)?;
        Ok(lines)
    }
}
