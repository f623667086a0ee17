//! In which language are the passages? It decides which words carry nothing and which are forms of one word.

use serde::{Deserialize, Serialize};
use tantivy::tokenizer::{
    self, AsciiFoldingFilter, LowerCaser, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer,
};

use super::words::WordTokenizer;

/// Words of more bytes than this are no words.
const LONGEST: usize = 128;

/// English words that a question is made with.
const ASKING: &str = "what which who whom whose when where why how do does did doing done can could should would shall may \
                      might must has have had having been being were am i me my mine we us our ours you your yours he him \
                      his she her hers its them theirs from about than too very so just also any some someone somebody \
                      something anyone anybody anything there here please tell";

/// The language of an index: fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the languages")]
pub enum Language {
    Arabic,
    Danish,
    Dutch,
    #[default]
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
    /// No stemming and no stop words: for several languages at once, for codes and names, and for languages that are not
    /// here. Chinese, Japanese and Korean are cut into pairs of characters in every language.
    None,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Greek,
        Self::Hungarian,
        Self::Italian,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
        Self::None,
    ];

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn known(self) -> Option<tokenizer::Language> {
        use tokenizer::Language as Known;
        Some(match self {
            Self::Arabic => Known::Arabic,
            Self::Danish => Known::Danish,
            Self::Dutch => Known::Dutch,
            Self::English => Known::English,
            Self::Finnish => Known::Finnish,
            Self::French => Known::French,
            Self::German => Known::German,
            Self::Greek => Known::Greek,
            Self::Hungarian => Known::Hungarian,
            Self::Italian => Known::Italian,
            Self::Norwegian => Known::Norwegian,
            Self::Portuguese => Known::Portuguese,
            Self::Romanian => Known::Romanian,
            Self::Russian => Known::Russian,
            Self::Spanish => Known::Spanish,
            Self::Swedish => Known::Swedish,
            Self::Tamil => Known::Tamil,
            Self::Turkish => Known::Turkish,
            Self::None => return None,
        })
    }

    /// What makes terms of a text, the same for passages and questions.
    pub(super) fn analyser(self) -> TextAnalyzer {
        let words = TextAnalyzer::builder(WordTokenizer).filter(RemoveLongFilter::limit(LONGEST)).filter(LowerCaser);
        let Some(known) = self.known() else { return words.filter(AsciiFoldingFilter).build() };
        // Stop words and stemmers know their language with its accents; they are taken off afterwards.
        let stemmed = Stemmer::new(known);
        match StopWordFilter::new(known) {
            Some(stop) => words.filter(stop).filter(stemmed).filter(AsciiFoldingFilter).build(),
            None => words.filter(stemmed).filter(AsciiFoldingFilter).build(),
        }
    }

    /// As [`Language::analyser`], for words that nobody marked: without those, too, that a question is made with and not
    /// about. Lists of other languages have them among their stop words already.
    pub(super) fn question_analyser(self) -> TextAnalyzer {
        if self != Self::English {
            return self.analyser();
        }
        let asking = StopWordFilter::remove(ASKING.split_whitespace().map(str::to_owned));
        let words = TextAnalyzer::builder(WordTokenizer).filter(RemoveLongFilter::limit(LONGEST)).filter(LowerCaser);
        let words = words.filter_dynamic(asking);
        let words = match StopWordFilter::new(tokenizer::Language::English) {
            Some(stop) => words.filter_dynamic(stop),
            None => words,
        };
        words.filter_dynamic(Stemmer::new(tokenizer::Language::English)).filter_dynamic(AsciiFoldingFilter).build()
    }

    /// What makes the beginning of a term of the beginning of a word, which must not be stemmed.
    pub(super) fn prefix_analyser() -> TextAnalyzer {
        let words = TextAnalyzer::builder(WordTokenizer).filter(RemoveLongFilter::limit(LONGEST)).filter(LowerCaser);
        words.filter(AsciiFoldingFilter).build()
    }
}

impl std::str::FromStr for Language {
    type Err = safepassage_error::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|language| language.to_string() == name);
        known.ok_or_else(|| {
            let all = Self::ALL.map(|language| language.to_string()).join(", ");
            safepassage_error::Error::invalid("read language", format!("`{name}` is none of {all}"))
        })
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(language: Language, text: &str) -> Vec<String> {
        let mut analyser = language.analyser();
        let mut terms = Vec::new();
        analyser.token_stream(text).process(&mut |token| terms.push(token.text.clone()));
        terms
    }

    #[test]
    fn forms_of_a_word_are_one_term_and_stop_words_none() {
        assert_eq!(
            terms(Language::English, "The companies' policies, and the company's policy"),
            ["compani", "polici", "compani", "polici"]
        );
        assert_eq!(terms(Language::German, "Die Häuser und das Haus"), ["haus", "haus"]);
        assert_eq!(terms(Language::None, "The Café's rules"), ["the", "cafe", "rules"]);
        assert_eq!(terms(Language::English, "2024-Q3 net_income v1.2"), ["2024", "q3", "net_incom", "v1", "2"]);
    }

    #[test]
    fn every_language_is_read_back() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse::<Language>().unwrap(), language);
            assert_eq!(serde_json::to_value(language).unwrap(), language.to_string());
            terms(language, "a word");
        }
        assert!("klingon".parse::<Language>().unwrap_err().to_string().contains("`klingon` is none of arabic,"));
    }
}
