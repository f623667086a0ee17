//! Here is a passage as it is kept: what was embedded for it?
//!
//! The line before a passage (title and headings) is not kept, but what it is made of is, and a digest of the whole. So
//! each line that it can have been is tried.

use safepassage_index::NewChunk;
use sha2::{Digest, Sha256};

use crate::source::first_16;

const BETWEEN: &str = " > ";

/// What was embedded for `chunk` of a document with this title; for one that came with its vector what would have been.
/// `None` if there is no text.
pub(super) fn input(title: Option<&str>, chunk: &NewChunk) -> Option<String> {
    if chunk.text.trim().is_empty() {
        return None;
    }
    let embedded = |line: &str| {
        let input = if line.is_empty() { chunk.text.clone() } else { format!("{line}\n{}", chunk.text) };
        (first_16(&Sha256::digest(input.as_bytes())) == chunk.hash).then_some(input)
    };
    let known = lines(title, &chunk.heading).iter().find_map(|line| embedded(line));
    known.or_else(|| {
        let line = lines(title, &chunk.heading).into_iter().next().filter(|line| !line.is_empty());
        Some(line.map_or_else(|| chunk.text.clone(), |line| format!("{line}\n{}", chunk.text)))
    })
}

/// The lines that can stand before a passage under `heading`, the likeliest first.
fn lines(title: Option<&str>, heading: &str) -> Vec<String> {
    // A passage that begins with its heading does not have it in the line before it.
    let cuts = [heading.len()].into_iter().chain(heading.rmatch_indices(BETWEEN).map(|(at, _)| at)).chain([0]);
    let mut lines = Vec::new();
    for above in cuts.map(|at| &heading[..at]) {
        // A title that is the first heading too is said once.
        let titled = match title {
            Some(title) if above.is_empty() => Some(title.to_owned()),
            Some(title) if !heading.starts_with(title) => Some(format!("{title}{BETWEEN}{above}")),
            _ => None,
        };
        lines.extend(titled);
        lines.push(above.to_owned());
        if let Some(title) = title.filter(|title| heading.starts_with(*title) && !above.is_empty()) {
            lines.push(format!("{title}{BETWEEN}{above}"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use safepassage_models::Tokenizer;

    use super::*;
    use crate::chunk::{ChunkSettings, Chunker};
    use crate::parse::parse;
    use crate::source::Format;
    use crate::sync::cut;

    /// A tokenizer with one word.
    fn words() -> Tokenizer {
        let json = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
        Tokenizer::from_json(json, 32).unwrap()
    }

    #[test]
    fn what_was_embedded_is_found_again_whatever_titles_and_headings_there_are() {
        let long = "some words that fill more than one passage of so few tokens ".repeat(6);
        let text = format!(
            "{long}\n\n# A > B\n\n{long}\n\n## Deep > down\n\n{long}\n\n### Below\n\n{long}\n\n# A\n\nshort\n\n## A\n\n{long}"
        );
        let tokenizer = words();
        let chunker = Chunker::new(&tokenizer, ChunkSettings::new(32, Some(24), None).unwrap());
        assert!(!parse(text.as_bytes(), Format::Markdown).unwrap().blocks.is_empty());
        let mut tried = 0;
        for title in [None, Some("A"), Some("A > B"), Some("Another > title"), Some("A > B > Deep > down")] {
            let title = title.map(str::to_owned);
            let (title, chunks, inputs) =
                cut(&parse, &chunker, text.as_bytes(), Format::Markdown, title, None, &[]).unwrap();
            for (chunk, wanted) in chunks.iter().zip(&inputs) {
                assert_eq!(input(title.as_deref(), chunk).as_ref(), Some(wanted), "{title:?} {}", chunk.heading);
                tried += 1;
            }
        }
        assert!(tried > 50, "{tried}");
    }

    #[test]
    fn a_passage_that_came_with_its_vector_is_embedded_as_it_stands_and_one_without_text_cannot_be() {
        let chunk = |text: &str| NewChunk {
            ordinal: 0,
            text: text.into(),
            span: (0, 0),
            heading: String::new(),
            hash: 7,
            section: 0,
            page: None,
            parent: None,
        };
        assert_eq!(input(None, &chunk("text")).as_deref(), Some("text"));
        assert_eq!(input(Some("title"), &chunk("text")).as_deref(), Some("title\ntext"));
        assert_eq!(input(Some("title"), &chunk(" ")), None);
    }
}
