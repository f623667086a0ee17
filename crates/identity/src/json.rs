//! Here are bytes: which JSON object is it, without doubt?
//!
//! Unlike most readers this one refuses an object that has a name twice (readers differ in which one they believe) and
//! JSON that is nested deeper than any token needs.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Objects and lists within each other.
const MAX_DEPTH: usize = 32;

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// They are no JSON, or not an object.
    Syntax,
    /// An object has a name twice.
    Duplicate,
    /// It is nested too deep.
    Depth,
}

/// The one object that `bytes` hold.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    let fault = Cell::new(Fault::Syntax);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: MAX_DEPTH, fault: &fault }.deserialize(&mut reader).map_err(|_| fault.get())?;
    match (value, reader.end()) {
        (Value::Object(object), Ok(())) => Ok(object),
        _ => Err(Fault::Syntax),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    left: usize,
    fault: &'a Cell<Fault>,
}

impl Strict<'_> {
    fn fail<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| self.fail(Fault::Depth))?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut names: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = names.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(self.fail(Fault::Duplicate));
            }
            let value = names.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_by_example() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        for (bytes, fault) in [
            (nested(MAX_DEPTH + 1).into_bytes(), Fault::Depth),
            (nested(100_000).into_bytes(), Fault::Depth),
            (b"{\"a\":1,\"a\":1}".to_vec(), Fault::Duplicate),
            (b"{\"a\":1,\"\\u0061\":1}".to_vec(), Fault::Duplicate),
            (b"{\"b\":[{\"a\":1,\"a\":1}]}".to_vec(), Fault::Duplicate),
            (b"[]".to_vec(), Fault::Syntax),
            (b"{}{}".to_vec(), Fault::Syntax),
            (b"".to_vec(), Fault::Syntax),
            (b"{\"a\":\"\xff\"}".to_vec(), Fault::Syntax),
            (b"{\"a\":1e999}".to_vec(), Fault::Syntax),
        ] {
            assert_eq!(object(&bytes), Err(fault), "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_the_usual_reader_reads(text in "[{}\\[\\]\":,a-c0-2 ]{0,24}") {
            if let Ok(strict) = object(text.as_bytes()) {
                prop_assert_eq!(Value::Object(strict), serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&bytes);
        }
    }
}
