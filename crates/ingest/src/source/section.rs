//! Which part of a text may fewer read than the whole?

use std::ops::Range;

use safepassage_access::Acl;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A part of a document's text that is narrower than the document: its rows need the document's ACL and this one.
///
/// JSON: `{"span": [START, END], "acl": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Bytes of the text, half open.
    pub span: (usize, usize),
    /// Who of those that may read the document may read it.
    pub acl: Acl,
}

/// Whether these can be sections of `text`.
///
/// # Errors
/// `Invalid` if one is empty, ends outside the text or within a letter, begins before the one before it ends, or has an
/// ACL that makes no sense.
pub(crate) fn check(sections: &[Section], text: &str) -> Result<()> {
    let mut from = 0;
    for Section { span: (start, end), acl } in sections {
        let whole = text.is_char_boundary(*start) && text.is_char_boundary(*end);
        if *start < from || start >= end || !whole {
            let message = format!("the section {start} to {end} is empty, overlaps another, or is no part of the text");
            return Err(Error::invalid("read section", message));
        }
        acl.check()?;
        from = *end;
    }
    Ok(())
}

/// The parts of a text of `bytes` bytes, with the number of their section: 0 for what lies between sections.
pub(crate) fn parts(sections: &[Section], bytes: usize) -> Vec<(Range<usize>, u16)> {
    let (mut parts, mut from) = (Vec::new(), 0);
    for (Section { span: (start, end), .. }, number) in sections.iter().zip(1..) {
        parts.push((from..*start, 0));
        parts.push((*start..*end, number));
        from = *end;
    }
    parts.push((from..bytes, 0));
    parts.retain(|(range, _)| !range.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(start: usize, end: usize) -> Section {
        Section { span: (start, end), acl: Acl::default() }
    }

    #[test]
    fn metadata_is_one_text_in_any_order() {
        let text = |json: &str| crate::source::metadata_text(&serde_json::from_str(json).unwrap());
        assert_eq!(
            text(r#"{"b": {"y": 1, "x": 2}, "a": [{"d": 1, "c": 2}]}"#),
            r#"{"a":[{"c":2,"d":1}],"b":{"x":2,"y":1}}"#
        );
    }

    #[test]
    fn parts_cover_the_text_once() {
        let sections = [section(0, 2), section(2, 5), section(7, 9)];
        assert!(check(&sections, "0123456789").is_ok());
        assert_eq!(parts(&sections, 10), [(0..2, 1), (2..5, 2), (5..7, 0), (7..9, 3), (9..10, 0)]);
        assert_eq!(parts(&[], 3), [(0..3, 0)]);
        assert_eq!(parts(&[], 0), []);
        for bad in [[section(2, 2)], [section(3, 2)], [section(0, 11)], [section(1, 2)]] {
            assert!(check(&bad, "é12345678").is_err(), "{bad:?}");
        }
        assert!(check(&[section(0, 3), section(2, 4)], "0123456789").is_err());
    }
}
