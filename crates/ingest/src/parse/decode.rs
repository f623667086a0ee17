//! Here are bytes that should be a text: which letters are they?

use std::borrow::Cow;

use encoding_rs::{Encoding, WINDOWS_1252};
use safepassage_error::{Error, Result};

/// By the mark in front, else UTF-8, else windows-1252, which has a letter for nearly every byte.
///
/// # Errors
/// `Invalid` for what is no text in any of these.
pub(super) fn decode(content: &[u8]) -> Result<Cow<'_, str>> {
    let text = match Encoding::for_bom(content) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&content[mark..]).0,
        None => match std::str::from_utf8(content) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => WINDOWS_1252.decode_without_bom_handling(content).0,
        },
    };
    // Nobody writes these into a text; every picture and every program has them.
    if text.contains('\0') {
        return Err(Error::invalid("parse", "it is no text: it has zero bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_encodings_and_nothing_else() {
        assert_eq!(decode("é".as_bytes()).unwrap(), "é");
        assert_eq!(decode(b"caf\xe9 \x80").unwrap(), "café €");
        assert_eq!(decode(b"\xff\xfea\0\xe9\0").unwrap(), "aé");
        assert_eq!(decode(b"\xef\xbb\xbfa").unwrap(), "a");
        assert!(decode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").is_err());
    }
}
