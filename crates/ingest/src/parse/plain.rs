//! Plain text: blocks end at blank lines.

use super::{Block, Parsed};

pub(super) fn parse(source: &str) -> Parsed {
    let mut blocks = Vec::new();
    let (mut start, mut end, mut at) = (None, 0, 0);
    for line in source.split_inclusive('\n') {
        if line.trim().is_empty() {
            blocks.extend(start.take().map(|from| Block { range: from..end, heading: None }));
        } else {
            start.get_or_insert(at);
            end = at + line.len();
        }
        at += line.len();
    }
    blocks.extend(start.map(|from| Block { range: from..end, heading: None }));
    Parsed { text: source.to_owned(), blocks, ..Parsed::default() }
}
