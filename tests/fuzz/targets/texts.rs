//! What do the parsers of texts make of any text?
//!
//! The first byte says which format, and by which way it is cut. What a block says must lie in the source, and cutting it must not fail.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use safepassage::Tokenizer;
use safepassage_ingest::{ChunkSettings, ChunkWay, Chunker, Format, parse};

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let tokenizer = br#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;
    Tokenizer::from_json(tokenizer, 64).unwrap()
});

const WAYS: [ChunkWay; 5] = [
    ChunkWay::Structure,
    ChunkWay::Fixed,
    ChunkWay::Sentences { window: 1 },
    ChunkWay::Hierarchical { parent_tokens: 40 },
    ChunkWay::Whole,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let format = [Format::Plain, Format::Markdown, Format::Html][usize::from(first) % 3];
    let parsed = parse(rest, format).expect("any text parses");
    let way = WAYS[usize::from(first) / 3 % WAYS.len()];
    let overlap = (!matches!(way, ChunkWay::Sentences { .. })).then_some(4);
    let settings = ChunkSettings::by(way, 64, Some(16), overlap).unwrap();
    for block in &parsed.blocks {
        assert!(parsed.text.get(block.range.clone()).is_some(), "a block is no part of the text");
    }
    for chunk in Chunker::new(&TOKENIZER, settings).chunk(&parsed, None).expect("any text can be cut") {
        assert!(parsed.text.get(chunk.range.clone()).is_some_and(|chunk| !chunk.is_empty()));
        let std::ops::Range { start, end } = parsed.source_span(chunk.range);
        assert!(start <= end && end <= text.len(), "{start}..{end} of {}", text.len());
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{start}..{end} cuts a letter");
    }
});
