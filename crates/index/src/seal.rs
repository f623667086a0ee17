//! Is this small file what was written?
//!
//! Manifests, segment headers and the access log are JSON behind one line that names the kind, the format and the
//! XXH3 checksum of the rest, seeded with the format. Every single flipped byte is found: in the body by the checksum, in the line because it
//! must equal the line we would write.

use safepassage_error::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use twox_hash::XxHash3_64;

use crate::storage::Storage;

/// The format this program writes; it reads this one and all older ones.
pub(crate) const FORMAT: u32 = 3;

fn header(kind: &str, format: u32, body: &[u8]) -> String {
    format!(
        "{{\"safepassage\":\"{kind}\",\"format\":{format},\"xxh3\":\"{:016x}\"}}\n",
        XxHash3_64::oneshot_with_seed(u64::from(format), body)
    )
}

/// The sealed bytes of `value`.
pub(crate) fn seal<T: Serialize>(kind: &str, value: &T) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(value)
        .map_err(|e| Error::new(Kind::Internal, "write sealed file", "cannot be written as JSON").because(e))?;
    let mut bytes = header(kind, FORMAT, &body).into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads back what [`seal`] wrote.
///
/// # Errors
/// `Invalid` for an intact file of a newer format, `Corrupted` for anything else that is not what was written.
pub(crate) fn unseal<T: DeserializeOwned>(kind: &str, path: &str, bytes: &[u8]) -> Result<T> {
    let corrupted = |what: &str| Error::corrupted("read sealed file", what).with("path", path);
    let end = bytes.iter().position(|&b| b == b'\n').ok_or_else(|| corrupted("the first line is missing"))?;
    let (line, body) = bytes.split_at(end + 1);
    if !(1..=FORMAT).any(|format| line == header(kind, format, body).as_bytes()) {
        let format = stated_format(line);
        if let Some(format) = format.filter(|&f| f > FORMAT && line == header(kind, f, body).as_bytes()) {
            let message = format!("format {format} is newer than this program reads ({FORMAT}); upgrade safepassage");
            return Err(Error::invalid("read sealed file", message).with("path", path));
        }
        return Err(corrupted("checksum, kind or format do not match"));
    }
    serde_json::from_slice(body).map_err(|e| corrupted("the content does not parse").because(e))
}

fn stated_format(line: &[u8]) -> Option<u32> {
    let header: serde_json::Value = serde_json::from_slice(line).ok()?;
    header.get("format")?.as_u64()?.try_into().ok()
}

/// Seals `value` and writes it to `path`, which must not exist.
pub(crate) fn put<T: Serialize>(storage: &dyn Storage, kind: &str, path: &str, value: &T) -> Result<()> {
    let bytes = seal(kind, value)?;
    storage.put_if_absent(path, &mut |out| out.write_all(&bytes))
}

/// Reads and checks the sealed file at `path`.
pub(crate) fn get<T: DeserializeOwned>(storage: &dyn Storage, kind: &str, path: &str) -> Result<T> {
    unseal(kind, path, &storage.read(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let bytes = seal("manifest", &vec!["a", "b"]).unwrap();
        assert_eq!(unseal::<Vec<String>>("manifest", "m", &bytes).unwrap(), ["a", "b"]);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let error = unseal::<Vec<String>>("manifest", "m", &damaged).unwrap_err();
                assert_eq!(error.kind(), Kind::Corrupted, "byte {at} bit {bit}");
            }
            assert!(unseal::<Vec<String>>("manifest", "m", &bytes[..at]).is_err());
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let body = b"[]";
        let bytes = [header("manifest", FORMAT + 1, body).as_bytes(), body].concat();
        let error = unseal::<Vec<String>>("manifest", "m", &bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains(&format!("format {}", FORMAT + 1)));
    }
}
