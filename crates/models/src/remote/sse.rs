//! Bytes of an event stream arrive in any portions: which events do they hold?
//!
//! The form of server-sent events: lines that end with LF, CR or both; `data:` lines of one event are joined by LF; an empty
//! line ends it. Other fields and comments are left out. A byte-order mark at the beginning is none of the text.

use super::call::CallError;

/// No event is longer.
const MOST_BYTES: usize = 1 << 20;

/// Reads events out of bytes.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    /// The last byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
}

impl Events {
    /// The data of every event that `bytes` end.
    ///
    /// # Errors
    /// One that may be tried again, if an event is too long.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, CallError> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    events.extend(self.ended());
                }
                _ => {
                    self.line.push(byte);
                    if self.line.len() + self.data.as_ref().map_or(0, Vec::len) > MOST_BYTES {
                        return Err(CallError::unavailable("an event of the answer is too long"));
                    }
                }
            }
        }
        Ok(events)
    }

    /// What the end of a line makes of it.
    fn ended(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            return self.data.take();
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        if name == b"data" {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The whole stream at once, by its lines: the judge.
    fn plain(text: &str) -> Vec<String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let mut events = Vec::new();
        let mut data: Vec<&str> = Vec::new();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            match line.split_once(':').unwrap_or((line, "")) {
                _ if line.is_empty() => events.extend((!data.is_empty()).then(|| std::mem::take(&mut data).join("\n"))),
                ("data", value) => data.push(value.strip_prefix(' ').unwrap_or(value)),
                _ => {}
            }
        }
        events
    }

    fn read(portions: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let all = portions.iter().flat_map(|portion| events.push(portion).unwrap());
        all.map(|event| String::from_utf8(event).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn events_are_the_same_however_bytes_arrive(
            parts in prop::collection::vec(
                prop::sample::select(vec!["data: é", "data:", "data:  x", "\n", "\r\n", "\r", "\n\n", ": note", "id: 7", "data", "{}", ":", "\u{feff}"]),
                0..40,
            ),
            cuts in prop::collection::vec(0usize..200, 0..12),
        ) {
            let text: String = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let portions: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read(&portions), plain(&text));
        }
    }

    #[test]
    fn an_event_that_never_ends_is_an_error() {
        let mut events = Events::default();
        let portion = [b'x'; 4096];
        assert!((0..300).any(|_| events.push(&portion).is_err()));
        let mut events = Events::default();
        assert!((0..300).any(|_| events.push(&[b"data: ".as_slice(), &portion, b"\n"].concat()).is_err()));
    }
}
