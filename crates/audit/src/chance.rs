//! The one place that asks the machine for chance: names of logs, salts and secrets.

use safepassage_error::{Error, Kind, Result};

/// Bytes that nobody can guess.
pub(crate) fn bytes() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Kind::Unavailable, "make a secret", format!("the system gives no chance: {e}")))?;
    Ok(bytes)
}
