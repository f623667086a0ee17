//! Laws of cutting, on texts of all kinds, with the built-in model's tokenizer.

use proptest::prelude::*;
use safepassage_models::{Embedder, Transformer};
use std::sync::OnceLock;

use super::*;
use crate::parse::parse;
use crate::source::Format;

fn model() -> &'static Transformer {
    static MODEL: OnceLock<Transformer> = OnceLock::new();
    MODEL.get_or_init(|| safepassage_models::builtin().unwrap())
}

fn chunks(text: &str, format: Format, tokens: usize, overlap: usize) -> (Parsed, Vec<Chunk>) {
    let parsed = parse(text.as_bytes(), format).unwrap();
    let settings = ChunkSettings { chunk_tokens: tokens, overlap_tokens: overlap };
    let chunks = Chunker::new(model().tokenizer(), settings).chunk(&parsed, None).unwrap();
    (parsed, chunks)
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-z]{1,12}", 1 => "[A-Z][a-z]{1,6}[.!?]", 1 => "\\PC{1,6}", 1 => "[a-z]{60,90}"]
}

fn document() -> impl Strategy<Value = String> {
    let block = (proptest::collection::vec(word(), 1..60), 0..6u8).prop_map(|(words, kind)| match kind {
        0 => format!("## {}", words[..words.len().min(6)].join(" ")),
        1 => format!("- {}\n- two", words.join(" ")),
        2 => format!("```\n{}\n```", words.join("\n")),
        _ => words.join(" "),
    });
    proptest::collection::vec(block, 0..8).prop_map(|blocks| blocks.join("\n\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_word_is_in_a_chunk_and_no_chunk_is_too_long(text in document(), html in any::<bool>(), tokens in 16usize..80, share in 0usize..5) {
        let (text, format) = if html { (format!("<p>{}</p>", text.replace("\n\n", "</p><p>")), Format::Html) } else { (text, Format::Markdown) };
        let (parsed, chunks) = chunks(&text, format, tokens, tokens * share / 10);
        let mut covered = 0;
        for chunk in &chunks {
            let passage = &parsed.text[chunk.range.clone()];
            prop_assert!(!passage.trim().is_empty());
            // Half a word read by itself may make more tokens than it did within the word.
            let within_word = !parsed.text[..chunk.range.start].ends_with(char::is_whitespace) && chunk.range.start > 0;
            let budget = if within_word { tokens * 2 } else { tokens };
            prop_assert!(model().tokenizer().offsets(passage).unwrap().len() <= budget, "{passage:?}");
            let between = parsed.text.get(covered..chunk.range.start).unwrap_or_default();
            prop_assert!(model().tokenizer().offsets(between).unwrap().is_empty() || covered == 0, "left out: {between:?}");
            prop_assert!(chunk.range.end > covered, "no progress");
            covered = chunk.range.end;
            if format == Format::Markdown {
                prop_assert_eq!(parsed.source_span(chunk.range.clone()), chunk.range.clone());
            }
            prop_assert!(text.get(parsed.source_span(chunk.range.clone())).is_some());
        }
        let rest = &parsed.text[covered..];
        prop_assert!(chunks.is_empty() || model().tokenizer().offsets(rest).unwrap().is_empty(), "left out: {rest:?}");
    }
}

#[test]
fn a_chunk_under_a_long_heading_is_not_within_the_one_before() {
    let text = "## xaaaebvjbzb gcxbqb aabmaaaaa gxb jfmcfabvf fgbbj\n\n- bdjpqb bgabvba wjbjb \
                aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n- two";
    let (_, chunks) = chunks(text, Format::Markdown, 34, 10);
    assert!(chunks.windows(2).all(|pair| pair[0].range.end < pair[1].range.end), "{chunks:?}");
}

const HANDBOOK: &str = "---\nowner: people\n---\n# Handbook\n\nWelcome to the company. Please read on.\n\n## Leave\n\n\
    Everyone has 25 days of leave a year. Ask your lead two weeks before. Days are carried over until March.\n\n\
    ### Illness\n\nTell your lead on the first day. A note is needed from the third day on, please.\n\n## Pay\n\n\
    Pay is on the last working day of the month. Questions go to the people team.\n";

#[test]
fn cuts_follow_the_headings_and_keep_their_path() {
    let (parsed, chunks) = chunks(HANDBOOK, Format::Markdown, 40, 5);
    let first_line = |chunk: &Chunk| parsed.text[chunk.range.clone()].lines().next().unwrap_or_default().to_owned();
    let lines: Vec<String> = chunks.iter().map(first_line).collect();
    assert_eq!(lines, ["# Handbook", "## Leave", "### Illness", "## Pay"]);
    assert_eq!(chunks[2].headings, ["Handbook", "Leave", "Illness"]);
    assert_eq!(chunks[2].prefix, "Handbook > Leave");
    assert_eq!(parsed.title.as_deref(), Some("Handbook"));
    assert!(!parsed.text[chunks[0].range.clone()].contains("owner"));
}

#[test]
fn a_long_paragraph_is_cut_at_sentences_and_overlaps() {
    let sentence = "The quick brown fox jumps over the lazy dog again. ";
    let (parsed, chunks) = chunks(&sentence.repeat(20), Format::Plain, 40, 12);
    assert!(chunks.len() > 5);
    for pair in chunks.windows(2) {
        assert!(parsed.text[pair[0].range.clone()].ends_with("again."));
        assert!(parsed.text[pair[1].range.clone()].starts_with("The quick"));
        assert!(pair[1].range.start < pair[0].range.end, "no overlap");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    assert!(ChunkSettings::new(254, Some(8), None).is_err());
    assert!(ChunkSettings::new(254, Some(255), None).is_err());
    assert!(ChunkSettings::new(254, Some(100), Some(50)).is_err());
    let settings = ChunkSettings::new(254, None, None).unwrap();
    assert_eq!((settings.chunk_tokens, settings.overlap_tokens), (254, 31));
    assert!(chunks("", Format::Markdown, 40, 5).1.is_empty());
    assert!(chunks(" \n\n ", Format::Plain, 40, 5).1.is_empty());
}
