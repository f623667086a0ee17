//! Here is a text for a batch job: what is its line, and what does a line of the output say?
//!
//! A record is called by a digest of what is sent, so that an answer finds its text by itself: also after a kill, also if the
//! documents changed meanwhile. Eleven letters and digits, as the documentation wants them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::settings::TextKey;

/// What a record is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RecordId([u8; Self::LETTERS]);

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl RecordId {
    const LETTERS: usize = 11;

    /// Of the body that is sent.
    pub(super) fn of(body: &[u8]) -> Self {
        let digest = Sha256::digest(body);
        let mut number = digest[..16].iter().fold(0u128, |all, &byte| all << 8 | u128::from(byte));
        Self([(); Self::LETTERS].map(|()| {
            let letter = LETTERS[(number % 62) as usize];
            number /= 62;
            letter
        }))
    }

    fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    record_id: &'a str,
    model_input: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    record_id: String,
    model_output: Option<Box<RawValue>>,
    error: Option<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    error_code: Option<serde_json::Value>,
}

/// Adds the line of a record.
pub(super) fn write(id: RecordId, body: &[u8], to: &mut Vec<u8>) -> serde_json::Result<()> {
    let body: &RawValue = serde_json::from_slice(body)?;
    serde_json::to_writer(&mut *to, &Input { record_id: id.as_str(), model_input: body })?;
    to.push(b'\n');
    Ok(())
}

/// What became of a record: the body of an answer, or the code of an error.
pub(super) type Became = Result<Vec<u8>, String>;

/// What a line of the output says; `None` if it is none, or of a record that we did not name.
pub(super) fn read(line: &[u8]) -> Option<(RecordId, Became)> {
    let Output { record_id, model_output, error } = serde_json::from_slice(line).ok()?;
    let became = match (model_output, error) {
        (Some(output), None) => Ok(output.get().as_bytes().to_vec()),
        (_, error) => {
            let code = error.and_then(|error| error.error_code).map(|code| code.to_string());
            Err(code.unwrap_or_else(|| "no answer".into()))
        }
    };
    Some((RecordId::parse(&record_id)?, became))
}

/// Adds the line that says by what the text of a record is remembered.
pub(super) fn write_key(id: RecordId, key: &TextKey, to: &mut Vec<u8>) {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    to.extend_from_slice(format!("{} {key}\n", id.as_str()).as_bytes());
}

/// What such a line says.
pub(super) fn read_key(line: &[u8]) -> Option<(RecordId, TextKey)> {
    let (id, hex) = std::str::from_utf8(line).ok()?.trim_end().split_once(' ')?;
    let mut key = TextKey::default();
    let digits = hex.as_bytes().chunks_exact(2);
    if hex.len() != 2 * key.len() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some((RecordId::parse(id)?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_finds_its_answer() {
        let body = br#"{"inputText":"a","dimensions":256}"#;
        let id = RecordId::of(body);
        let mut lines = Vec::new();
        write(id, body, &mut lines).unwrap();
        let line = String::from_utf8(lines).unwrap();
        assert_eq!(
            line,
            format!(
                "{{\"recordId\":\"{}\",\"modelInput\":{}}}\n",
                id.as_str(),
                r#"{"inputText":"a","dimensions":256}"#
            )
        );
        assert!(id.as_str().len() == 11 && id.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(id, RecordId::of(b"{}"));
        let output = line.trim().replacen('{', r#"{"modelOutput": {"embedding": [1.0]}, "#, 1);
        assert_eq!(read(output.as_bytes()), Some((id, Ok(br#"{"embedding": [1.0]}"#.to_vec()))));
        let failed = line.trim().replacen('{', r#"{"error": {"errorCode": 400, "errorMessage": "quotes"}, "#, 1);
        assert_eq!(read(failed.as_bytes()), Some((id, Err("400".into()))));
        assert_eq!(read(line.as_bytes()), Some((id, Err("no answer".into()))));
        for other in [&b"{"[..], b"", br#"{"recordId": "short", "modelOutput": {}}"#] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn a_record_finds_what_its_text_is_remembered_by() {
        let (id, key) = (RecordId::of(b"a"), std::array::from_fn(|n| n as u8 * 7));
        let mut line = Vec::new();
        write_key(id, &key, &mut line);
        assert_eq!(read_key(&line), Some((id, key)));
        for other in [&line[..line.len() - 2], b"", b"x", b"short 00", &line[1..]] {
            assert_eq!(read_key(other), None);
        }
    }
}
