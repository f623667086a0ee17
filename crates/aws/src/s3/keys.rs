//! Keys as S3 writes them where not every byte may stand: percent signs, and `+` for a blank.

/// The key that was written so; `None` if it is not UTF-8.
pub(super) fn decoded(written: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.as_bytes();
    while let [first, tail @ ..] = rest {
        (rest, _) = match (first, tail) {
            (b'+', _) => (tail, bytes.push(b' ')),
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (tail, bytes.push(high << 4 | low)),
                _ => return None,
            },
            (b'%', _) => return None,
            (other, _) => (tail, bytes.push(*other)),
        };
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_back() {
        assert_eq!(decoded("a+b%2Bc/%C3%A9%01.md").as_deref(), Some("a b+c/é\u{1}.md"));
        for bad in ["%", "%2", "%zz", "%FF"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
