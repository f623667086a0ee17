//! Here are hits: what stands around them, and which of them are one passage?
//!
//! Each passage around a hit is looked up among the visible ones by itself; where some between two are withheld, the text
//! has [`GAP`]. What is asked for: hits whose passages meet are one hit, at the place of the best. What the index was cut
//! for, windows of sentences and parents of small chunks: nothing that a better hit has given is given again.

use safepassage_error::{Error, Result};
use safepassage_index::{Around, ChunkRow, Hit, Snapshot, VisibleRows};
use safepassage_ingest::{ChunkSettings, ChunkWay};

/// Stands where text between two passages of a document is withheld.
pub const GAP: &str = "\n[…]\n";

/// The most passages around a hit that can be asked for.
const MOST: u32 = 64;

/// What stands around a hit, itself among it, in the order of the document; `None` where some is withheld.
pub(crate) type Block = Vec<Option<Hit>>;

/// A block as one text.
pub(crate) struct Joined {
    pub text: String,
    pub span: (u64, u64),
    /// The places of its passages within the document.
    pub chunks: Vec<u32>,
}

pub(crate) fn check(around: Around) -> Result<()> {
    let (Around::Neighbours(n) | Around::Section(n) | Around::Page(n) | Around::Parent(n)) = around;
    if n > MOST {
        return Err(Error::invalid("search", format!("{n} passages around a hit are too many; {MOST} can be")));
    }
    Ok(())
}

/// What is given around a hit because the index was cut for it.
pub(crate) fn natural(snapshot: &Snapshot) -> Result<Option<Around>> {
    let chunker = &snapshot.manifest().settings.chunker;
    if chunker.is_null() {
        return Ok(None);
    }
    Ok(match ChunkSettings::read(chunker)?.way {
        ChunkWay::Sentences { window } => Some(Around::Neighbours(window)),
        ChunkWay::Hierarchical { .. } => Some(Around::Parent(MOST)),
        ChunkWay::Structure | ChunkWay::Fixed | ChunkWay::Semantic { .. } | ChunkWay::Whole => None,
    })
}

/// Each of `hits` with what stands around it; those that meet are one, at the place of the best.
pub(crate) fn blocks(
    snapshot: &Snapshot,
    visible: &VisibleRows,
    hits: &[Hit],
    around: Option<Around>,
) -> Result<Vec<(Hit, Block)>> {
    let mut blocks: Vec<(Hit, Block)> = Vec::with_capacity(hits.len());
    for hit in hits {
        let around = snapshot.around(visible, hit, around.unwrap_or(Around::Neighbours(0)))?;
        match blocks.iter_mut().find(|(_, block)| snapshot.meet(block, &around)) {
            Some((_, block)) => *block = snapshot.joined(block, &around),
            None if around.is_empty() => {}
            None => blocks.push((*hit, around)),
        }
    }
    Ok(blocks)
}

/// The passages of a block as one text; `None` stands for a gap.
pub(crate) fn join(parts: &[Option<&ChunkRow>]) -> Joined {
    let mut joined = Joined { text: String::new(), span: (u64::MAX, 0), chunks: Vec::new() };
    let mut end = 0;
    let mut gap = false;
    for part in parts {
        let Some(chunk) = part else {
            gap = true;
            continue;
        };
        let overlaps = !joined.chunks.is_empty() && chunk.span.0 < end;
        let shared = if overlaps && !gap { shared(&joined.text, &chunk.text) } else { 0 };
        if gap {
            joined.text.push_str(GAP);
        } else if shared == 0 && !joined.text.is_empty() {
            joined.text.push_str(between(&joined.text, chunk.span.0.saturating_sub(end)));
        }
        joined.text.push_str(&chunk.text[shared..]);
        joined.span = (joined.span.0.min(chunk.span.0), joined.span.1.max(chunk.span.1));
        joined.chunks.push(chunk.chunk);
        (end, gap) = (chunk.span.1, false);
    }
    joined
}

/// What stands between `text` and a passage that begins so many bytes after it. White space is not kept: one byte of it
/// after a sentence is a blank.
fn between(text: &str, bytes: u64) -> &'static str {
    match bytes {
        0 => "",
        1 if text.ends_with(['.', '!', '?', ':', ';', ',', '"', '”', '’', ')']) => " ",
        _ => "\n",
    }
}

/// How many bytes at the beginning of `next` are the end of `text`.
fn shared(text: &str, next: &str) -> usize {
    let mut ends = next.char_indices().map(|(at, _)| at).chain([next.len()]);
    ends.rfind(|&at| at > 0 && text.ends_with(&next[..at])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(n: u32, span: (u64, u64), text: &str) -> ChunkRow {
        let (document, heading) = ("d".to_owned(), String::new());
        let text = text.to_owned();
        ChunkRow {
            document,
            chunk: n,
            title: None,
            uri: None,
            heading,
            text,
            span,
            metadata: None,
            hash: 0,
            page: None,
            parent: None,
        }
    }

    #[test]
    fn what_overlaps_is_said_once_and_gaps_are_marked() {
        let (a, b) = (chunk(0, (0, 12), "one two three"), chunk(1, (8, 20), "three four"));
        let (c, d) = (chunk(2, (22, 26), "four"), chunk(5, (50, 60), "ten é"));
        let joined = join(&[Some(&a), Some(&b), Some(&c), None, Some(&d)]);
        assert_eq!(joined.text, "one two three four\nfour\n[…]\nten é");
        let (a, b, c) = (chunk(0, (0, 4), "One."), chunk(1, (5, 9), "Two."), chunk(2, (9, 14), "三。"));
        assert_eq!(join(&[Some(&a), Some(&b), Some(&c)]).text, "One. Two.三。");
        assert_eq!((joined.span, joined.chunks), ((0, 60), vec![0, 1, 2, 5]));
        assert_eq!((shared("aé", "éa"), shared("ab", "cd"), shared("aa", "aaa")), (2, 0, 2));
        assert!(join(&[]).text.is_empty());
    }
}
