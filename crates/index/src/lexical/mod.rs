//! Here are words and a set of visible rows: which of them say those words, and how much of them?
//!
//! Each segment has an inverted index of its passages by tantivy: four fields, stemmed and without stop words by the
//! language of the index. What is read of it are terms and postings. Scores are ours, for one reason: tantivy scores by
//! how often a term occurs in the whole segment, and so would tell about documents that the asker may not read. Here
//! every number that goes into a score is counted over visible rows: how many there are, how many of them have the
//! term, how long their fields are on average. Counting costs nothing beside scoring, as every posting of a term is
//! looked at for both; only the average lengths are a pass over the visible rows, made once for each set of them.
//!
//! The score is BM25F: the frequencies of a term in the fields are weighted and made comparable by the length of each
//! field before they saturate together, so that a word in title and text counts as one word said twice, not as two.

mod aside;
mod language;
mod phrase;
mod question;
mod segment;
mod statistics;
mod stored;
mod words;
mod write;

pub use language::Language;
pub use question::Words;
pub(crate) use question::{Clause, Wanted};
pub(crate) use segment::{Lexical, Room};
pub(crate) use statistics::{Statistics, Weights};
pub(crate) use write::{WordsWriter, Written};

use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};

/// The fields of a passage, in the order of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Field {
    Title,
    Heading,
    Text,
    Metadata,
}

impl Field {
    pub const ALL: [Self; 4] = [Self::Title, Self::Heading, Self::Text, Self::Metadata];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Heading => "heading",
            Self::Text => "text",
            Self::Metadata => "metadata",
        }
    }

    fn stored(self) -> tantivy::schema::Field {
        tantivy::schema::Field::from_field_id(self as u32)
    }
}

/// What tantivy calls our analyser.
const ANALYSER: &str = "safepassage";

fn schema() -> Schema {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(ANALYSER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions)
        .set_fieldnorms(true);
    let mut schema = Schema::builder();
    for field in Field::ALL {
        schema.add_text_field(field.name(), TextOptions::default().set_indexing_options(indexing.clone()));
    }
    schema.build()
}
