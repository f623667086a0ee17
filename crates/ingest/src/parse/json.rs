//! JSON: every value on a line behind the path to it, read as it comes and never held whole.
//!
//! A path is written as people write it: `staff[2].name`. Members of the outermost object and elements of lists of
//! objects begin a block each.

use std::fmt;

use safepassage_error::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Parsed;
use super::decode::decode;
use super::draft::{Draft, MOST_BYTES, too_long};
use crate::source::describe;

pub(super) fn parse(content: &[u8]) -> Result<Parsed> {
    let text = decode(content)?;
    let mut lines = Lines::default();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let whole = Value(&mut lines).deserialize(&mut reader).and_then(|()| reader.end());
    if lines.too_long {
        return Err(too_long());
    }
    whole.map_err(|e| Error::invalid("parse", format!("it is not JSON: line {}, {}", e.line(), describe(&e))))?;
    lines.end_block()?;
    Ok(lines.draft.finish())
}

#[derive(Default)]
struct Lines {
    draft: Draft,
    /// The path to the value that is read.
    path: String,
    /// Lines of the block that is open.
    open: String,
    written: usize,
    too_long: bool,
}

impl Lines {
    fn write<E: serde::de::Error>(&mut self, value: impl fmt::Display) -> Result<(), E> {
        let before = self.open.len();
        if !self.path.is_empty() {
            self.open.push_str(&self.path);
            self.open.push_str(": ");
        }
        self.open.push_str(&value.to_string());
        self.open.push('\n');
        self.written += self.open.len() - before;
        self.too_long = self.written > MOST_BYTES;
        if self.too_long { Err(E::custom("too long")) } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<()> {
        self.draft.paragraph(&std::mem::take(&mut self.open))
    }
}

/// The value at the path.
struct Value<'a>(&'a mut Lines);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.0.write(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.0.write(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.0.write(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.0.write(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        if value.trim().is_empty() { Ok(()) } else { self.0.write(value) }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self(lines) = self;
        let length = lines.path.len();
        for n in 0usize.. {
            lines.path.push_str(&format!("[{n}]"));
            let more = elements.next_element_seed(Value(lines))?.is_some();
            lines.path.truncate(length);
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(lines) = self;
        let length = lines.path.len();
        // An element of a list, or the member of the document, is what is found together.
        let begins = length == 0 || lines.path.ends_with(']');
        while let Some(name) = members.next_key::<String>()? {
            if length > 0 {
                lines.path.push('.');
            }
            lines.path.push_str(&name);
            members.next_value_seed(Value(lines))?;
            lines.path.truncate(length);
            if length == 0 {
                lines.end_block().map_err(serde::de::Error::custom)?;
            }
        }
        if begins {
            lines.end_block().map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_their_paths() {
        let parsed = parse(br#"{"team": {"name": "people", "size": 3}, "staff": [{"name": "Ann", "on": true}, {"name": "Bob", "pay": -1.5, "x": null}], "z": ""}"#).unwrap();
        let expected = "team.name: people\nteam.size: 3\n\nstaff[0].name: Ann\nstaff[0].on: true\n\nstaff[1].name: Bob\nstaff[1].pay: -1.5";
        assert_eq!(parsed.text, expected);
        assert_eq!(parsed.blocks.len(), 3);
        assert_eq!(parse(b"[1, \"a\"]").unwrap().text, "[0]: 1\n[1]: a");
        assert_eq!(parse(b"\"only\"").unwrap().text, "only");
    }

    #[test]
    fn what_is_no_json_or_has_no_end_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in ["{", "{\"a\": 1} 2", "secret", "", deep.as_str(), "{\"a\": \"secret"] {
            let refused = parse(bad.as_bytes()).unwrap_err();
            assert!(refused.message().starts_with("it is not JSON: line"), "{refused}");
            assert!(!refused.message().contains("secret"), "{refused}");
        }
        // Paths grow with the depth, so that a short file could make a long text.
        let wide = format!("{{\"{}\": [{}]}}", "n".repeat(1 << 20), "1,".repeat(64) + "1");
        assert!(parse(wide.as_bytes()).unwrap_err().message().contains("longer than"));
    }
}
