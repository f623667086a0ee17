//! Here is a text: where are its tokens, and how many does the model read at once?
//!
//! A thin wrapper over `tokenizers::Tokenizer`. The file's own truncation and padding are switched off: cutting is ours,
//! so that it is reported. Where that provably changes no token, long texts are cut at blanks first and the parts tokenised
//! on all cores, and words that were seen before are not tokenised again.

use rayon::prelude::*;
use safepassage_error::{Error, Kind, Result};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use crate::word_tokens::{Token, Words};

/// Parts of about this size keep a core busy for milliseconds.
const PART_BYTES: usize = 1 << 14;

/// Cuts text into a model's tokens.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Special tokens before and after the text, such as `[CLS]` and `[SEP]`.
    before: Vec<u32>,
    after: Vec<u32>,
    /// What stands for words that it does not know.
    unknown: Option<u32>,
    max_tokens: usize,
    /// No token spans a blank, so a text may be cut there.
    cuts_at_blanks: bool,
    /// What a token never goes on with either: where there is no blank for long, a text may be cut before these.
    stops: Vec<u8>,
    words: Words,
}

/// The tokens of one text as the model reads them, special tokens included.
pub(crate) struct Encoded {
    pub ids: Vec<u32>,
    pub truncated: bool,
}

impl Tokenizer {
    /// Reads the content of a `tokenizer.json` for a model that reads `max_length` tokens with special tokens.
    ///
    /// # Errors
    /// `Invalid` if it is not a tokenizer or `max_length` leaves no room for text.
    pub fn from_json(json: &[u8], max_length: usize) -> Result<Self> {
        let unreadable = |error: tokenizers::Error| {
            Error::invalid("read tokenizer", "`tokenizer.json` cannot be read").because(Cause(error.to_string()))
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(json).map_err(unreadable)?;
        inner.with_truncation(None).map_err(unreadable)?;
        inner.with_padding(None);

        let bare = inner.encode_fast("a", false).map_err(unreadable)?.get_ids().to_vec();
        let mut before = inner.encode_fast("a", true).map_err(unreadable)?.get_ids().to_vec();
        let start = before.windows(bare.len().max(1)).position(|window| window == bare).unwrap_or(before.len());
        let after = before.split_off((start + bare.len()).min(before.len()));
        before.truncate(start);

        let max_tokens = max_length.saturating_sub(before.len() + after.len());
        if max_tokens == 0 {
            return Err(Error::invalid("read tokenizer", "the model's longest text leaves no room for a token")
                .with("max_length", max_length));
        }
        let cuts_at_blanks = cuts_at_blanks(&inner);
        let (stops, unknown) = (stops(&inner), unknown(json, &inner));
        Ok(Self { inner, unknown, before, after, max_tokens, cuts_at_blanks, stops, words: Words::default() })
    }

    /// Tokens of text that the model reads at once, special tokens not counted (254 for the built-in model).
    #[must_use]
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The bytes `[start, end)` of each token of `text`, ascending, without special tokens, never cut or padded.
    ///
    /// On all cores where the tokenizer allows it; O(text).
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses the text.
    pub fn offsets(&self, text: &str) -> Result<Vec<(usize, usize)>> {
        let parts: Vec<(usize, &str)> = self.parts(text).collect();
        let of_part = |&(start, part): &(usize, &str)| -> Result<Vec<(usize, usize)>> {
            Ok(self.tokens(part)?.iter().map(|token| (start + token.from, start + token.to)).collect())
        };
        if let [part] = parts.as_slice() {
            return of_part(part);
        }
        let found: Vec<Vec<(usize, usize)>> = parts.par_iter().map(of_part).collect::<Result<_>>()?;
        Ok(found.concat())
    }

    /// Ids of `text` with special tokens, cut at `max_tokens`.
    pub(crate) fn encode(&self, text: &str) -> Result<Encoded> {
        let mut ids = self.before.clone();
        let most = self.before.len() + self.max_tokens;
        for (_, part) in self.parts(text) {
            ids.extend(self.tokens(part)?.iter().map(|token| token.id));
            if ids.len() > most {
                break;
            }
        }
        let truncated = ids.len() > most;
        ids.truncate(most);
        ids.extend_from_slice(&self.after);
        Ok(Encoded { ids, truncated })
    }

    /// One more than the highest id of a token.
    pub(crate) fn vocabulary(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// Ids of the tokens of `text` that it knows, without special tokens, cut at `max_tokens`.
    pub(crate) fn known(&self, text: &str) -> Result<Encoded> {
        let mut encoded = self.encode(text)?;
        encoded.ids.truncate(encoded.ids.len() - self.after.len());
        encoded.ids.drain(..self.before.len());
        encoded.ids.retain(|id| Some(*id) != self.unknown);
        Ok(encoded)
    }

    /// The tokens of `part`, word by word where that changes none.
    fn tokens(&self, part: &str) -> Result<Vec<Token>> {
        let make = |word: &str| -> Result<Vec<Token>> {
            let encoding = self.inner.encode(word, false).map_err(refused)?;
            let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
            Ok(tokens.map(|(&id, &(from, to))| Token { id, from, to }).collect())
        };
        if self.cuts_at_blanks { self.words.tokens(part, &make) } else { make(part) }
    }

    /// Parts of `text` with their starts; one part unless it is long and may be cut at blanks. A tokenizer takes some hundred
    /// bytes of memory for each of a part.
    fn parts<'t>(&self, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
        let part_bytes = if self.cuts_at_blanks { PART_BYTES } else { usize::MAX };
        let mut rest = Some((0, text));
        std::iter::from_fn(move || {
            let (start, part) = rest.take()?;
            let tail = part.as_bytes().get(part_bytes..).unwrap_or_default();
            let near = &tail[..tail.len().min(part_bytes)];
            let (blank, stop) = (|byte: &u8| matches!(byte, b' ' | b'\n'), |byte: &u8| self.stops.contains(byte));
            let cut = near.iter().position(blank).or_else(|| near.iter().position(stop));
            let Some(cut) = cut.or_else(|| tail.iter().position(|byte| blank(byte) || stop(byte))) else {
                return Some((start, part));
            };
            let (head, tail) = part.split_at(part_bytes + cut);
            rest = Some((start + head.len(), tail));
            Some((start, head))
        })
    }
}

/// The token for what is not known, as the file of the tokenizer names it.
fn unknown(json: &[u8], inner: &tokenizers::Tokenizer) -> Option<u32> {
    let file: serde_json::Value = serde_json::from_slice(json).ok()?;
    let model = &file["model"];
    let named = model["unk_token"].as_str().and_then(|token| inner.token_to_id(token));
    named.or_else(|| u32::try_from(model["unk_id"].as_u64()?).ok())
}

/// Whether cutting a text before a blank or a line feed changes no token.
///
/// BERT's normalizer works letter by letter and its pre-tokenizer drops white space, so only an added token with a blank
/// in it, or one that swallows blanks around it, could span the cut.
fn cuts_at_blanks(inner: &tokenizers::Tokenizer) -> bool {
    matches!(inner.get_normalizer(), None | Some(NormalizerWrapper::BertNormalizer(_)))
        && matches!(inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)))
        && inner
            .get_added_tokens_decoder()
            .values()
            .all(|token| !token.lstrip && !token.rstrip && !token.content.contains([' ', '\n']))
}

/// Punctuation that is no part of an added token: BERT's pre-tokenizer makes each of them a word of its own.
fn stops(inner: &tokenizers::Tokenizer) -> Vec<u8> {
    let added = inner.get_added_tokens_decoder();
    let is_added = |byte: u8| added.values().any(|token| token.content.as_bytes().contains(&byte));
    (0..128u8).filter(|byte| byte.is_ascii_punctuation() && !is_added(*byte)).collect()
}

fn refused(error: tokenizers::Error) -> Error {
    Error::new(Kind::Invalid, "tokenise", "the tokenizer refused a text").because(Cause(error.to_string()))
}

/// The tokenizer's error, which is dynamic, as a source.
#[derive(Debug)]
pub(crate) struct Cause(pub String);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "builtin"))]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_of_parts_are_the_tokens_of_the_whole() {
        let mut tokenizer = Tokenizer::from_json(safepassage_minilm_3::TOKENIZER, 256).unwrap();
        let line =
            "Crème brûlée, e\u{301}té  [SEP] 東京タワー 🦀🦀\t\u{0}\u{200d}don't\r\n unbelievably\u{a0}ﬁne İstanbul ";
        let mut text = line.repeat(600);
        text.push_str(&"x".repeat(3 * PART_BYTES));
        text.push_str(line);
        // A file of a program for programs, without a blank.
        let dense = r#"{"a":[1,2.5,"[SEP]é"],"é":"x/y+z==","[CLS]":"_don't_"},"#;
        text.push_str(&dense.repeat(4 * PART_BYTES / dense.len()));
        assert!(tokenizer.parts(&text).count() >= 8);
        assert!(tokenizer.parts(&dense.repeat(10 * PART_BYTES)).all(|(_, part)| part.len() < 2 * PART_BYTES));
        let parts: String = tokenizer.parts(&text).map(|(_, part)| part).collect();
        assert_eq!(parts, text);

        let (cut, ids) = (tokenizer.offsets(&text).unwrap(), tokenizer.encode(&text).unwrap());
        assert_eq!(cut, tokenizer.offsets(&text).unwrap(), "words that were seen have other tokens");
        tokenizer.cuts_at_blanks = false;
        assert_eq!(tokenizer.parts(&text).count(), 1);
        assert_eq!(cut, tokenizer.offsets(&text).unwrap());
        assert_eq!(ids.ids, tokenizer.encode(&text).unwrap().ids);
        assert!(ids.truncated && ids.ids.len() == 256);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, rng_seed: proptest::test_runner::RngSeed::Fixed(8), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn tokens_of_words_are_those_of_the_text(text in any::<String>(), words in proptest::collection::vec("\\PC{0,3}[ \n]{1,2}[\u{300}-\u{303}]?[a-zé.,]{1,9}", 0..12)) {
            static BOTH: LazyLock<[Tokenizer; 2]> = LazyLock::new(|| {
                let tokenizer = || Tokenizer::from_json(safepassage_minilm_3::TOKENIZER, 256).unwrap();
                [tokenizer(), Tokenizer { cuts_at_blanks: false, ..tokenizer() }]
            });
            let [by_words, whole] = &*BOTH;
            let text = format!("{text}{}{text} {text}", words.concat());
            let tokens = whole.tokens(&text).unwrap();
            prop_assert_eq!(&by_words.tokens(&text).unwrap(), &tokens);
            prop_assert_eq!(&by_words.tokens(&text).unwrap(), &tokens);
        }
    }
}
