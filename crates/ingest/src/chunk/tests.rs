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

fn by(way: ChunkWay, text: &str, format: Format, tokens: usize, overlap: usize) -> (Parsed, Vec<Chunk>) {
    let parsed = parse(text.as_bytes(), format).unwrap();
    let settings = ChunkSettings { way, chunk_tokens: tokens, overlap_tokens: overlap };
    let chunks = Chunker::of(model(), settings).unwrap().chunk(&parsed, None).unwrap();
    (parsed, chunks)
}

fn chunks(text: &str, format: Format, tokens: usize, overlap: usize) -> (Parsed, Vec<Chunk>) {
    by(ChunkWay::Structure, text, format, tokens, overlap)
}

fn way() -> impl Strategy<Value = ChunkWay> {
    prop_oneof![
        Just(ChunkWay::Structure),
        Just(ChunkWay::Fixed),
        (0..9u32).prop_map(|window| ChunkWay::Sentences { window }),
        (81..400usize).prop_map(|parent_tokens| ChunkWay::Hierarchical { parent_tokens }),
        Just(ChunkWay::Whole),
    ]
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
    fn every_word_is_in_a_chunk_and_no_chunk_is_too_long(way in way(), text in document(), html in any::<bool>(), tokens in 16usize..80, share in 0usize..5) {
        let (text, format) = if html { (format!("<p>{}</p>", text.replace("\n\n", "</p><p>")), Format::Html) } else { (text, Format::Markdown) };
        let (parsed, chunks) = by(way, &text, format, tokens, tokens * share / 10);
        check(&parsed, &chunks, tokens)?;
        for chunk in &chunks {
            if format == Format::Markdown {
                prop_assert_eq!(parsed.source_span(chunk.range.clone()), chunk.range.clone());
            }
            prop_assert!(text.get(parsed.source_span(chunk.range.clone())).is_some());
        }
        prop_assert_eq!(chunks, by(way, &text, format, tokens, tokens * share / 10).1);
    }

    #[test]
    fn any_text_is_cut_by_any_way(way in way(), text in any::<String>(), format in prop_oneof![Just(Format::Plain), Just(Format::Markdown), Just(Format::Html)], tokens in 16usize..40) {
        let (parsed, chunks) = by(way, &text.repeat(3), format, tokens, tokens / 3);
        check(&parsed, &chunks, tokens)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, rng_seed: proptest::test_runner::RngSeed::Fixed(6), failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn breaks_of_meaning_keep_every_word(percentile in 1..100u8, text in document(), tokens in 16usize..80) {
        let way = ChunkWay::Semantic { percentile };
        let (parsed, chunks) = by(way, &text, Format::Markdown, tokens, tokens / 8);
        check(&parsed, &chunks, tokens)?;
        prop_assert_eq!(chunks, by(way, &text, Format::Markdown, tokens, tokens / 8).1);
    }
}

/// What every way of cutting promises.
fn check(parsed: &Parsed, chunks: &[Chunk], tokens: usize) -> Result<(), TestCaseError> {
    let (mut covered, mut before) = (0, None::<&Chunk>);
    for chunk in chunks {
        let passage = parsed.text.get(chunk.range.clone());
        let Some(passage) = passage else { return Err(TestCaseError::fail(format!("no text: {chunk:?}"))) };
        prop_assert!(!passage.trim().is_empty());
        // Half a word read by itself may make more tokens than it did within the word.
        let within_word = !parsed.text[..chunk.range.start].ends_with(char::is_whitespace) && chunk.range.start > 0;
        let budget = if within_word { tokens * 2 } else { tokens };
        prop_assert!(model().tokenizer().offsets(passage).unwrap().len() <= budget, "{passage:?}");
        let between = parsed.text.get(covered..chunk.range.start).unwrap_or_default();
        prop_assert!(model().tokenizer().offsets(between).unwrap().is_empty() || covered == 0, "left out: {between:?}");
        prop_assert!(chunk.range.end > covered, "no progress");
        if let Some(before) = before {
            prop_assert!(chunk.range.start > before.range.start, "two begin alike");
            let next = before.parent.map(|parent| parent + 1);
            prop_assert!(chunk.parent == before.parent || chunk.parent == next, "parents are not in order");
        }
        (covered, before) = (chunk.range.end, Some(chunk));
    }
    let rest = &parsed.text[covered..];
    prop_assert!(chunks.is_empty() || model().tokenizer().offsets(rest).unwrap().is_empty(), "left out: {rest:?}");
    Ok(())
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

#[test]
fn a_slide_shares_no_chunk_with_another() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/office/people/town-hall.pptx");
    let parsed = parse(&std::fs::read(path).unwrap(), Format::Pptx).unwrap();
    let settings = ChunkSettings::new(254, None, None).unwrap();
    let chunks = Chunker::new(model().tokenizer(), settings).chunk(&parsed, None).unwrap();
    let pages: Vec<Option<u32>> = chunks.iter().map(|chunk| parsed.page(chunk.range.start)).collect();
    assert_eq!(pages, [Some(1), Some(2), Some(3)]);
    assert_eq!(chunks[1].headings, ["Branch closures"]);
}

const TALE: &str = "Dr. Smith lives in a small house near the harbour of the old town. He has two dogs. Both of them bark \
    at the ships\nthat come in every morning from the islands. No. They never sleep.\n\nThe law of 1920 was changed.";

fn texts((parsed, chunks): &(Parsed, Vec<Chunk>)) -> Vec<&str> {
    chunks.iter().map(|chunk| &parsed.text[chunk.range.clone()]).collect()
}

#[test]
fn a_sentence_is_not_cut_at_a_wrapped_line_or_a_short_word() {
    let found = by(ChunkWay::Sentences { window: 1 }, TALE, Format::Plain, 60, 0);
    let first_words: Vec<String> =
        texts(&found).iter().map(|text| text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(first_words, ["Dr. Smith", "He has", "Both of", "No. They", "The law"]);
    let found = by(ChunkWay::Sentences { window: 1 }, HANDBOOK, Format::Markdown, 60, 0);
    assert!(texts(&found)[0].starts_with("# Handbook\n\nWelcome"), "{:?}", texts(&found));
}

#[test]
fn children_stand_within_their_parent() {
    let way = ChunkWay::Hierarchical { parent_tokens: 120 };
    let (parsed, chunks) =
        by(way, &"The quick brown fox jumps over the lazy dog again. ".repeat(40), Format::Plain, 40, 12);
    let last = chunks.last().and_then(|chunk| chunk.parent).unwrap();
    assert!(last >= 3, "{chunks:?}");
    for parent in 0..=last {
        let own: Vec<&Chunk> = chunks.iter().filter(|chunk| chunk.parent == Some(parent)).collect();
        let whole = &parsed.text[own[0].range.start..own[own.len() - 1].range.end];
        let tokens = model().tokenizer().offsets(whole).unwrap().len();
        assert!((1..=120).contains(&tokens) && (parent == last || own.len() > 2), "{parent}: {tokens}");
    }
    let crossing = chunks.windows(2).filter(|pair| pair[0].parent != pair[1].parent);
    assert!(crossing.into_iter().all(|pair| pair[0].range.end <= pair[1].range.start), "a parent repeats another");
}

#[test]
fn meaning_changes_where_the_subject_does() {
    let cats = "The cat sleeps on the warm sofa. The kitten plays with a ball of wool. Cats purr when they are stroked. \
                A cat washes its fur with its tongue. ";
    let law = "The court dismissed the appeal with costs. The judge read the verdict aloud. The lawyer cited an earlier case. \
               The statute was amended by parliament.";
    let found = by(ChunkWay::Semantic { percentile: 95 }, &format!("{cats}{law}"), Format::Plain, 254, 0);
    assert_eq!(texts(&found), [cats.trim_end(), law]);
}

#[test]
fn a_document_is_one_chunk_if_the_model_reads_it_at_once() {
    assert_eq!(by(ChunkWay::Whole, HANDBOOK, Format::Markdown, 254, 31).1.len(), 1);
    assert!(by(ChunkWay::Whole, HANDBOOK, Format::Markdown, 40, 5).1.len() > 2);
    assert!(by(ChunkWay::Fixed, HANDBOOK, Format::Markdown, 254, 31).1.len() == 1);
}

#[test]
fn settings_are_remembered_and_those_of_a_newer_program_are_refused() {
    let old = serde_json::json!({"chunk_tokens": 254, "overlap_tokens": 31});
    let settings = ChunkSettings::read(&old).unwrap();
    assert_eq!(settings, ChunkSettings::new(254, None, None).unwrap());
    assert_eq!(serde_json::to_value(settings).unwrap(), old);
    for text in ["structure", "fixed", "sentences:2", "hierarchical:200", "semantic:90", "none"] {
        let settings = ChunkSettings::by(text.parse().unwrap(), 254, Some(64), None).unwrap();
        assert_eq!(settings.way.to_string(), text);
        assert_eq!(ChunkSettings::read(&serde_json::to_value(settings).unwrap()).unwrap(), settings);
        assert!(settings.way.is_like(settings));
    }
    let parents = ChunkSettings::by("hierarchical".parse().unwrap(), 254, None, None).unwrap();
    assert_eq!((parents.chunk_tokens, parents.way), (128, ChunkWay::Hierarchical { parent_tokens: 512 }));
    for newer in [
        serde_json::json!({"chunk_tokens": 254, "overlap_tokens": 31, "colour": 1}),
        serde_json::json!({"chunk_tokens": 254, "overlap_tokens": 31, "way": "spiral"}),
        serde_json::json!({"chunk_tokens": 254, "overlap_tokens": 31, "way": {"sentences": {"window": 1, "colour": 1}}}),
    ] {
        let error = ChunkSettings::read(&newer).unwrap_err();
        assert!(error.kind() == safepassage_error::Kind::Invalid && error.message().contains("newer"), "{error}");
    }
    for bad in ["spiral", "fixed:1", "sentences:x", "semantic:300", ""] {
        assert!(bad.parse::<ChunkWay>().is_err(), "{bad}");
    }
    for bad in ["sentences:17", "hierarchical:64", "hierarchical:1025", "semantic:0", "semantic:100"] {
        assert!(ChunkSettings::by(bad.parse().unwrap(), 254, Some(64), None).is_err(), "{bad}");
    }
    assert!(ChunkSettings::by(ChunkWay::Sentences { window: 1 }, 254, None, Some(5)).is_err());
}
