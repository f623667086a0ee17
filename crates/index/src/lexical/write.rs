//! Here are passages: index their words.

use std::io;
use std::sync::Arc;

use safepassage_error::{Error, Kind, Result};
use serde_json::Value;
use tantivy::directory::{Directory, FileHandle, RamDirectory};
use tantivy::index::SegmentComponent;
use tantivy::indexer::merge_filtered_segments;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, Segment, SingleSegmentIndexWriter, TantivyDocument};

use super::aside::AsideDirectory;
use super::{ANALYSER, Field, Language, schema, stored};
use crate::storage::Scratch;

/// What tantivy may take at first; it takes more for more words.
const MEMORY: usize = 15_000_000;
/// What the words of one part may take, where parts can wait in a file.
const MOST: usize = 100_000_000;
/// Bytes copied at once.
const AT_ONCE: usize = 1 << 20;
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
    language: Language,
    /// Where files wait; without it they are in memory.
    scratch: Option<Arc<dyn Scratch>>,
    /// What is too much for one part.
    most: usize,
    /// The parts that are done, in the order of the rows.
    done: Vec<Segment>,
    /// Where the part that is being made lies; tantivy's own view of it leaves out how its files end.
    directory: Box<dyn Directory>,
    part: SingleSegmentIndexWriter,
    any: bool,
    /// The metadata that was read last, and its words: the passages of a document follow each other.
    metadata: (String, String),
}

impl WordsWriter {
    /// With `scratch` what is in memory is bounded, however many rows there are.
    pub fn new(language: Language, scratch: Option<Arc<dyn Scratch>>) -> Result<Self> {
        let directory = directory(scratch.as_ref());
        let part = begin(language, directory.clone())?;
        let (done, metadata) = (Vec::new(), Default::default());
        Ok(Self { language, scratch, most: MOST, done, directory, part, any: false, metadata })
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
        self.part.add_document(row).map_err(failed)?;
        if self.scratch.is_some() && self.part.mem_usage() > self.most {
            self.directory = directory(self.scratch.as_ref());
            let next = begin(self.language, self.directory.clone())?;
            self.done.push(end(std::mem::replace(&mut self.part, next))?);
        }
        Ok(())
    }

    /// The inverted index; `None` if no row has a word.
    pub fn finish(mut self) -> Result<Option<Written>> {
        if !self.any {
            return Ok(None);
        }
        self.done.push(end(self.part)?);
        let (one, directory) = match <[Segment; 1]>::try_from(self.done) {
            Ok([one]) => (one, self.directory),
            Err(parts) => {
                let directory = directory(self.scratch.as_ref());
                let (settings, all) = (parts[0].index().settings().clone(), vec![None; parts.len()]);
                let merged = merge_filtered_segments(&parts, settings, all, directory.clone()).map_err(failed)?;
                (segment_of(&merged)?, directory)
            }
        };
        let path = |part: &SegmentComponent| one.relative_path(part.clone());
        let open = |part| directory.get_file_handle(&path(part)).map_err(failed);
        Ok(Some(Written(stored::PARTS.iter().map(open).collect::<Result<_>>()?)))
    }
}

/// An inverted index that is made, and not yet where it belongs.
pub(crate) struct Written(Vec<Arc<dyn FileHandle>>);

impl Written {
    /// Gives its bytes to `out`, part by part.
    pub fn each_part(&self, out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        out(&stored::head(self.0.iter().map(|file| file.len())))?;
        for file in &self.0 {
            for from in (0..file.len()).step_by(AT_ONCE) {
                out(&file.read_bytes(from..(from + AT_ONCE).min(file.len()))?)?;
            }
        }
        Ok(())
    }
}

fn directory(scratch: Option<&Arc<dyn Scratch>>) -> Box<dyn Directory> {
    match scratch {
        Some(file) => Box::new(AsideDirectory::new(Arc::clone(file))),
        None => Box::new(RamDirectory::create()),
    }
}

fn begin(language: Language, directory: Box<dyn Directory>) -> Result<SingleSegmentIndexWriter> {
    let tokenizers = TokenizerManager::new();
    tokenizers.register(ANALYSER, language.analyser());
    let index = Index::builder().schema(schema()).tokenizers(tokenizers);
    index.single_segment_index_writer(directory, MEMORY).map_err(failed)
}

fn end(part: SingleSegmentIndexWriter) -> Result<Segment> {
    segment_of(&part.finalize().map_err(failed)?)
}

fn segment_of(index: &Index) -> Result<Segment> {
    index.searchable_segments().map_err(failed)?.pop().ok_or_else(no_segment)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{LocalStorage, Storage};

    fn written(scratch: Option<Arc<dyn Scratch>>, most: usize) -> (usize, Vec<u8>) {
        let mut words = WordsWriter::new(Language::English, scratch).unwrap();
        words.most = most;
        for row in 0..2_000u32 {
            let text = format!("word{} of row {row} and word{}", row % 7, row * row % 1_009);
            let metadata = format!(r#"{{"n": "meta{}"}}"#, row / 3);
            words.add((row % 5 == 0).then_some("a title"), "Heading", &text, Some(&metadata)).unwrap();
        }
        let parts = words.done.len() + 1;
        let mut bytes = Vec::new();
        let made = words.finish().unwrap().unwrap();
        made.each_part(&mut |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })
        .unwrap();
        (parts, bytes)
    }

    #[test]
    fn parts_become_what_would_have_been_made_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = || LocalStorage::new(folder.path()).scratch().unwrap();
        let (in_memory, in_a_file, in_parts) =
            (written(None, 0), written(scratch(), usize::MAX), written(scratch(), 1));
        assert_eq!((in_memory.0, in_a_file.0), (1, 1));
        assert!(in_parts.0 > 100, "{} parts", in_parts.0);
        assert!(in_memory.1 == in_a_file.1, "the file makes a difference");
        assert!(in_memory.1 == in_parts.1, "the parts make a difference");
    }
}
