//! Where does the log end?
//!
//! One small file beside the log says which line was the last; a log that ends before it has lost something. It is
//! written over in place, and not replaced by a new file, because a rename is only safe after two more syncs: 512 bytes
//! that never change their place are one sector of any disk, which is written whole or not at all (PostgreSQL keeps its
//! control file the same way). Any byte of it that is not what we would write is an error.

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const BYTES: usize = 512;

/// The last line of the log and its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// The number of its file.
    pub file: u32,
    /// Where it starts in the file,
    pub start: u64,
    /// and where it ends, the line feed included.
    pub end: u64,
    /// Where the last line of this file starts that states what is in force.
    pub standing_at: u64,
    /// When the file was begun, Unix milliseconds.
    pub opened_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    head: Head,
    sha256: Digest,
}

impl Head {
    pub fn write(&self) -> Vec<u8> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let sealed = Sealed { head: *self, sha256: Digest::of(&[&body]) };
        let mut bytes = serde_json::to_vec(&sealed).unwrap_or_default();
        bytes.resize(BYTES - 1, b' ');
        bytes.push(b'\n');
        bytes
    }

    /// # Errors
    /// `Corrupted`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let corrupted = || Error::corrupted("read audit head", "it is not what was written");
        let sealed: Sealed = serde_json::from_slice(bytes).map_err(|e| corrupted().because(e))?;
        if sealed.head.write() == bytes { Ok(sealed.head) } else { Err(corrupted()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_or_missing_byte_is_found() {
        let most = u64::MAX;
        let head =
            Head { seq: most, hash: Digest([255; 32]), file: u32::MAX, start: most, end: most, ..Head::default() };
        let bytes = Head { standing_at: most, opened_ms: most, ..head }.write();
        assert_eq!(bytes.len(), BYTES);
        let bytes = (Head::parse(&bytes).unwrap(), head.write()).1;
        assert_eq!(Head::parse(&bytes).unwrap(), head);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(Head::parse(&damaged).is_err(), "byte {at} bit {bit}");
            }
            assert!(Head::parse(&bytes[..at]).is_err());
        }
        assert!(Head::parse(&[&*bytes, b" "].concat()).is_err());
    }
}
