//! Here is what somebody typed: which words do they ask for?
//!
//! Words as they come are all optional: the more of them a passage says, and the rarer they are, the better. What is
//! marked must be there: `"words in quotes"` next to each other and in this order, and `title:word`, `heading:word`,
//! `text:word` or `metadata:word` in that field (also with quotes). `word*` asks for any word that begins so. Nothing
//! else is special and no text is wrong, since questions are written by people who know of no syntax.

use safepassage_error::{Error, Result};
use tantivy::tokenizer::TextAnalyzer;

use super::{Field, Language};

/// More bytes than this are no question.
const LONGEST: usize = 65_536;
/// Words beyond these are left alone: a question that long is a text, and its first words say what it is about.
const MOST_CLAUSES: usize = 256;
/// The beginning of a word has at least so many characters.
const SHORTEST_PREFIX: usize = 2;

/// The words of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    clauses: Vec<Clause>,
}

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clause {
    pub wanted: Wanted,
    /// Where; everywhere if it is not said.
    pub field: Option<Field>,
    /// Whether a passage without it is none.
    pub required: bool,
    /// How often it is said.
    pub times: f32,
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wanted {
    Term(String),
    /// Any term that begins so.
    Prefix(String),
    /// Terms, each with its distance from the first.
    Phrase(Vec<(u32, String)>),
}

impl Words {
    /// Reads `text` as words of `language`.
    ///
    /// # Errors
    /// `Invalid` if the text is longer than 64 KiB.
    pub fn read(text: &str, language: Language) -> Result<Self> {
        if text.len() > LONGEST {
            let message = format!("the question has {} bytes; the limit is {LONGEST}", text.len());
            return Err(Error::invalid("read question", message));
        }
        let mut reading = Reading::of(text, language.question_analyser(), language);
        if reading.clauses.is_empty() {
            // It asks for nothing but words that questions are made with: they are what it asks for.
            reading = Reading::of(text, language.analyser(), language);
        }
        let required = reading.clauses.iter().filter(|clause| clause.required).count();
        // What must be there is kept whatever there is of the rest.
        let mut room = MOST_CLAUSES.saturating_sub(required);
        reading.clauses.retain(|clause| {
            let kept = clause.required || room > 0;
            room = room.saturating_sub(usize::from(!clause.required));
            kept
        });
        Ok(Self { clauses: reading.clauses })
    }

    /// Whether nothing is asked for: no word, or only words that carry nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    pub(crate) fn clauses(&self) -> &[Clause] {
        &self.clauses
    }
}

/// A run of characters between spaces, or what is in quotes.
struct Part<'a> {
    field: Option<Field>,
    text: &'a str,
    quoted: bool,
}

impl<'a> Part<'a> {
    fn next(rest: &mut &'a str) -> Option<Self> {
        let text = rest.trim_start();
        if text.is_empty() {
            return None;
        }
        let named = Field::ALL.into_iter().find_map(|field| {
            let after = text.strip_prefix(field.name())?.strip_prefix(':')?;
            after.starts_with(|c: char| !c.is_whitespace()).then_some((field, after))
        });
        let (field, text) = named.map_or((None, text), |(field, after)| (Some(field), after));
        if let Some(inner) = text.strip_prefix('"') {
            let (inside, after) = inner.split_once('"').unwrap_or((inner, ""));
            *rest = after;
            // A quote that never ends is a slip, not a wish.
            return Some(Self { field, text: inside, quoted: inner.contains('"') });
        }
        let end = text.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(text.len()).max(1);
        let (part, after) = text.split_at(end);
        *rest = after;
        Some(Self { field, text: part, quoted: false })
    }
}

struct Reading {
    /// For what is not marked.
    unmarked: TextAnalyzer,
    /// For what is.
    marked: TextAnalyzer,
    clauses: Vec<Clause>,
}

impl Reading {
    fn of(text: &str, unmarked: TextAnalyzer, language: Language) -> Self {
        let mut reading = Self { unmarked, marked: language.analyser(), clauses: Vec::new() };
        let mut rest = text;
        while let Some(part) = Part::next(&mut rest) {
            reading.take(part);
        }
        reading
    }

    fn take(&mut self, part: Part<'_>) {
        let Part { field, text, quoted } = part;
        if let Some(start) = text.strip_suffix('*').filter(|_| !quoted) {
            let mut terms = terms(&mut Language::prefix_analyser(), start);
            let last = terms.pop().filter(|(_, last)| last.chars().count() >= SHORTEST_PREFIX);
            // `e-mail addr*` in one run: what stands before the last word is words as they come.
            terms.into_iter().for_each(|(_, term)| self.ask(Wanted::Term(term), field, field.is_some()));
            if let Some((_, start)) = last {
                self.ask(Wanted::Prefix(start), field, field.is_some());
            }
            return;
        }
        let analyser = if quoted || field.is_some() { &mut self.marked } else { &mut self.unmarked };
        let terms = terms(analyser, text);
        if quoted && terms.len() > 1 {
            let first = terms[0].0;
            let terms = terms.into_iter().map(|(position, term)| (position - first, term)).collect();
            return self.ask(Wanted::Phrase(terms), field, true);
        }
        terms.into_iter().for_each(|(_, term)| self.ask(Wanted::Term(term), field, quoted || field.is_some()));
    }

    fn ask(&mut self, wanted: Wanted, field: Option<Field>, required: bool) {
        let same = |clause: &&mut Clause| clause.wanted == wanted && clause.field == field;
        match self.clauses.iter_mut().find(same) {
            Some(said) => {
                said.times += 1.0;
                said.required |= required;
            }
            None => self.clauses.push(Clause { wanted, field, required, times: 1.0 }),
        }
    }
}

/// The terms of `text` with their positions.
fn terms(analyser: &mut TextAnalyzer, text: &str) -> Vec<(u32, String)> {
    let mut terms = Vec::new();
    analyser.token_stream(text).process(&mut |token| terms.push((token.position as u32, token.text.clone())));
    terms
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Clause> {
        Words::read(text, Language::English).unwrap().clauses
    }

    fn term(term: &str) -> Clause {
        Clause { wanted: Wanted::Term(term.into()), field: None, required: false, times: 1.0 }
    }

    #[test]
    fn questions_by_example() {
        let income = Clause { times: 2.0, ..term("incom") };
        assert_eq!(read("What is the net income, and whose income?"), [term("net"), income]);
        assert_eq!(read("Who has what?"), [term("who"), term("has"), term("what")]);
        let phrase = Wanted::Phrase(vec![(0, "reason".into()), (1, "care".into())]);
        assert_eq!(
            read("\"reasonable care\" duty"),
            [Clause { wanted: phrase.clone(), required: true, ..term("") }, term("duti")]
        );
        assert_eq!(
            read("title:\"reasonable care\""),
            [Clause { wanted: phrase, required: true, field: Some(Field::Title), times: 1.0 }]
        );
        assert_eq!(read("\"duties\""), [Clause { required: true, ..term("duti") }]);
        assert_eq!(read("\"never ends"), [term("never"), term("end")]);
        assert_eq!(read("Policies* p*"), [Clause { wanted: Wanted::Prefix("policies".into()), ..term("") }]);
        assert_eq!(read("title: x subtitle:y"), [term("titl"), term("x"), term("subtitl"), term("y")]);
        assert_eq!(
            read("\"bank of england\""),
            [Clause {
                wanted: Wanted::Phrase(vec![(0, "bank".into()), (2, "england".into())]),
                required: true,
                ..term("")
            }]
        );
        assert!(read("the of").is_empty() && read("").is_empty() && read("\"\" * : title:").len() == 1);
    }

    #[test]
    fn a_long_text_keeps_its_first_words_and_all_that_is_marked() {
        let words: Vec<String> = (0..1000).map(|i| format!("w{i}")).collect();
        let clauses = read(&format!("{} \"marked\"", words.join(" ")));
        assert_eq!(clauses.len(), MOST_CLAUSES);
        assert_eq!(clauses.last(), Some(&Clause { required: true, ..term("mark") }));
        assert!(Words::read(&"x".repeat(LONGEST + 1), Language::English).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_question(text in "([a-z]|title:|\"|\\*| |\\PC){0,40}") {
            Words::read(&text, Language::English).unwrap();
        }
    }
}
