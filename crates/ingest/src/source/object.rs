//! Is this a JSON object?
//!
//! Derived structs also take lists, whose values then count by their place: a list of two would be an ACL. [`Object`]
//! takes objects only. [`describe`] says what is wrong with a line without quoting it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

/// A `T` that was written as an object.
#[derive(Debug)]
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// For a field that must be an object.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|object| object.0)
}

/// For a field that is an object or `null`.
pub(super) fn object_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// The object that `bytes` are.
///
/// # Errors
/// A sentence for a person.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice::<Object<T>>(bytes).map(|object| object.0).map_err(|e| describe(&e))
}

/// serde's message without its position in a one-line text, but for the column, and without the string that stood
/// where it should not.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let unquoted = what.strip_prefix("invalid type: string ").and_then(|rest| rest.rsplit_once(", expected "));
    let what =
        unquoted.map_or_else(|| what.to_owned(), |(_, expected)| format!("invalid type: string, expected {expected}"));
    format!("{what} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Pair {
        #[serde(default, deserialize_with = "object_or_null")]
        a: Option<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        b: u8,
    }

    #[test]
    fn lists_are_no_objects() {
        assert_eq!(parse::<Pair>(br#"{"a": {"b": 1}}"#), Ok(Pair { a: Some(Inner { b: 1 }) }));
        assert_eq!(parse::<Pair>(br#"{"a": null}"#), Ok(Pair::default()));
        assert_eq!(parse::<Pair>(b"{}"), Ok(Pair::default()));
        for bad in ["[null]", "[[1]]", r#"{"a": [1]}"#, "7", r#""a""#] {
            let said = parse::<Pair>(bad.as_bytes()).unwrap_err();
            assert!(said.contains("expected an object"), "{bad}: {said}");
        }
    }

    #[test]
    fn a_misplaced_string_is_not_quoted() {
        let said = parse::<Pair>(br#"{"a": "a secret, expected or not"}"#).unwrap_err();
        assert_eq!(said, "invalid type: string, expected an object (column 33)");
    }
}
