//! Here are passages: index their words.

use std::path::Path;

use safepassage_error::{Error, Kind, Result};
use serde_json::Value;
use tantivy::directory::{Directory, RamDirectory};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, SingleSegmentIndexWriter, TantivyDocument};

use super::{ANALYSER, Field, Language, schema, stored};

/// What tantivy may take at first; it takes more for more words.
const MEMORY: usize = 15_000_000;
/// Metadata beyond this many bytes of words is not indexed.
const MOST_METADATA: usize = 4096;

fn failed(what: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "index words", "the inverted index cannot be made").because(what)
}

fn no_segment() -> Error {
    Error::new(Kind::Internal, "index words", "the inverted index has no segment")
}

/// The words of passages on their way into an inverted index, row after row.
pub(crate) struct WordsWriter {
    directory: RamDirectory,
    writer: SingleSegmentIndexWriter,
    any: bool,
    /// The metadata that was read last, and its words: the passages of a document follow each other.
    metadata: (String, String),
}

impl WordsWriter {
    pub fn new(language: Language) -> Result<Self> {
        let tokenizers = TokenizerManager::new();
        tokenizers.register(ANALYSER, language.analyser());
        let directory = RamDirectory::create();
        let index = Index::builder().schema(schema()).tokenizers(tokenizers);
        let writer = index.single_segment_index_writer(directory.clone(), MEMORY).map_err(failed)?;
        Ok(Self { directory, writer, any: false, metadata: Default::default() })
    }

    /// Adds the next row.
    pub fn add(&mut self, title: Option<&str>, heading: &str, text: &str, metadata: Option<&str>) -> Result<()> {
        let metadata = metadata.unwrap_or_default();
        if self.metadata.0 != metadata {
            self.metadata = (metadata.to_owned(), words_of(metadata));
        }
        let mut row = TantivyDocument::new();
        let texts = [title.unwrap_or_default(), heading, text, &self.metadata.1];
        for (field, text) in Field::ALL.into_iter().zip(texts).filter(|(_, text)| !text.is_empty()) {
            row.add_text(field.stored(), text);
            self.any = true;
        }
        self.writer.add_document(row).map_err(failed)
    }

    /// The inverted index; `None` if no row has a word.
    pub fn finish(self) -> Result<Option<Vec<u8>>> {
        if !self.any {
            return Ok(None);
        }
        let index = self.writer.finalize().map_err(failed)?;
        let segment = index.searchable_segment_metas().map_err(failed)?.pop().ok_or_else(no_segment)?;
        let read = |path: &Path| self.directory.atomic_read(path).map_err(failed);
        let files = stored::PARTS.iter().map(|part| read(&segment.relative_path(part.clone())));
        Ok(Some(stored::pack(&files.collect::<Result<Vec<_>>>()?)))
    }
}

/// The strings and numbers of a JSON object, without its keys.
fn words_of(metadata: &str) -> String {
    fn gather(value: &Value, out: &mut String) {
        match value {
            Value::String(text) if out.len() + text.len() < MOST_METADATA => {
                out.push_str(text);
                out.push('\n');
            }
            Value::Number(number) => out.push_str(&format!("{number}\n")),
            Value::Array(values) => values.iter().for_each(|value| gather(value, out)),
            Value::Object(fields) => fields.values().for_each(|value| gather(value, out)),
            Value::String(_) | Value::Null | Value::Bool(_) => {}
        }
    }
    let mut out = String::new();
    if let Ok(value) = serde_json::from_str(metadata) {
        gather(&value, &mut out);
    }
    out
}
