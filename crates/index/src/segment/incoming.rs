//! Here is a document on its way into a segment: is it whole in memory, or do its texts wait in a file?
//!
//! A merge takes in as many texts as all of its segments have. They are set aside, and read one document at a time as often
//! as they are needed.

use std::borrow::Cow;
use std::sync::Arc;

use safepassage_access::{DocumentNumber, Version};
use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use super::{NewChunk, NewDocument, SharedVectors};
use crate::storage::Scratch;

/// A document for a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Incoming<'a> {
    Here(&'a NewDocument),
    Aside(&'a SetAside),
}

/// A document of which only what has to be at hand is in memory.
#[derive(Debug)]
pub(crate) struct SetAside {
    number: DocumentNumber,
    version: Version,
    id: String,
    source: Cow<'static, str>,
    vectors: SharedVectors,
    chunks: usize,
    /// Of the chunks; none where all are 0.
    sections: Box<[u16]>,
    has_pages: bool,
    has_parents: bool,
    file: Arc<dyn Scratch>,
    at: u64,
    length: usize,
}

/// What waits in the file.
#[derive(Serialize, Deserialize)]
struct Texts<'a> {
    title: Cow<'a, Option<String>>,
    uri: Cow<'a, Option<String>>,
    metadata: Cow<'a, Option<String>>,
    chunks: Cow<'a, [NewChunk]>,
}

fn damaged(error: serde_json::Error) -> Error {
    Error::new(Kind::Internal, "set aside", "a document cannot be written for later, or read again").because(error)
}

impl SetAside {
    /// Moves the texts of `document` into `file`.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be written there.
    pub fn new(document: NewDocument, file: &Arc<dyn Scratch>) -> Result<Self> {
        let NewDocument { number, version, id, source, title, uri, metadata, chunks, vectors } = document;
        let sections: Box<[u16]> = if chunks.iter().all(|chunk| chunk.section == 0) {
            Box::default()
        } else {
            chunks.iter().map(|chunk| chunk.section).collect()
        };
        let has_pages = chunks.iter().any(|chunk| chunk.page.is_some());
        let has_parents = chunks.iter().any(|chunk| chunk.parent.is_some());
        let count = chunks.len();
        let texts = Texts {
            title: Cow::Owned(title),
            uri: Cow::Owned(uri),
            metadata: Cow::Owned(metadata),
            chunks: Cow::Owned(chunks),
        };
        let bytes = serde_json::to_vec(&texts).map_err(damaged)?;
        let (file, at, length) = (Arc::clone(file), file.append(&bytes)?, bytes.len());
        let chunks = count;
        Ok(Self { number, version, id, source, vectors, chunks, sections, has_pages, has_parents, file, at, length })
    }

    fn whole(&self) -> Result<NewDocument> {
        let mut bytes = vec![0; self.length];
        self.file.read(self.at, &mut bytes)?;
        let Texts { title, uri, metadata, chunks } = serde_json::from_slice(&bytes).map_err(damaged)?;
        Ok(NewDocument {
            number: self.number,
            version: self.version,
            id: self.id.clone(),
            source: self.source.clone(),
            title: title.into_owned(),
            uri: uri.into_owned(),
            metadata: metadata.into_owned(),
            chunks: chunks.into_owned(),
            vectors: self.vectors.clone(),
        })
    }
}

impl<'a> Incoming<'a> {
    pub fn number(self) -> DocumentNumber {
        match self {
            Self::Here(document) => document.number,
            Self::Aside(document) => document.number,
        }
    }

    pub fn version(self) -> Version {
        match self {
            Self::Here(document) => document.version,
            Self::Aside(document) => document.version,
        }
    }

    pub fn id(self) -> &'a str {
        match self {
            Self::Here(document) => &document.id,
            Self::Aside(document) => &document.id,
        }
    }

    pub fn source(self) -> &'a str {
        match self {
            Self::Here(document) => &document.source,
            Self::Aside(document) => &document.source,
        }
    }

    pub fn vectors(self) -> &'a SharedVectors {
        match self {
            Self::Here(document) => &document.vectors,
            Self::Aside(document) => &document.vectors,
        }
    }

    /// How many chunks it has.
    pub fn chunks(self) -> usize {
        match self {
            Self::Here(document) => document.chunks.len(),
            Self::Aside(document) => document.chunks,
        }
    }

    /// The section of its chunk number `chunk`.
    pub fn section(self, chunk: usize) -> u16 {
        match self {
            Self::Here(document) => document.chunks[chunk].section,
            Self::Aside(document) => document.sections.get(chunk).copied().unwrap_or(0),
        }
    }

    /// Whether it has pages.
    pub fn has_pages(self) -> bool {
        match self {
            Self::Here(document) => document.chunks.iter().any(|chunk| chunk.page.is_some()),
            Self::Aside(document) => document.has_pages,
        }
    }

    /// Whether some of its chunks are parts of larger ones.
    pub fn has_parents(self) -> bool {
        match self {
            Self::Here(document) => document.chunks.iter().any(|chunk| chunk.parent.is_some()),
            Self::Aside(document) => document.has_parents,
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// `Unavailable` if its texts cannot be read.
    pub fn whole(self) -> Result<Cow<'a, NewDocument>> {
        match self {
            Self::Here(document) => Ok(Cow::Borrowed(document)),
            Self::Aside(document) => document.whole().map(Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{LocalStorage, Storage};

    fn document(sections: [u16; 2], page: Option<u32>, parent: Option<u32>) -> NewDocument {
        let chunk = |(section, ordinal): (u16, u32)| {
            let (text, heading) = (format!("\u{0}\"text\" {ordinal}\n\u{1f600}"), "A > B".to_owned());
            NewChunk { ordinal, text, span: (7, u64::MAX), heading, hash: u128::MAX - 1, section, page, parent }
        };
        NewDocument {
            number: DocumentNumber(3),
            version: Version(u128::MAX),
            id: "d".into(),
            source: "s".into(),
            title: Some(String::new()),
            uri: None,
            metadata: Some(r#"{"a": 1e400}"#.into()),
            chunks: sections.into_iter().zip(0..).map(chunk).collect(),
            vectors: vec![1.0; 4].into(),
        }
    }

    #[test]
    fn what_is_set_aside_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = LocalStorage::new(folder.path()).scratch().unwrap().unwrap();
        let mut all = vec![
            document([0, 0], None, None),
            document([0, 7], Some(u32::MAX), None),
            document([u16::MAX, 0], None, Some(0)),
        ];
        all.push(NewDocument { chunks: Vec::new(), vectors: SharedVectors::default(), ..all[0].clone() });
        let aside: Vec<SetAside> = all.iter().map(|one| SetAside::new(one.clone(), &file).unwrap()).collect();
        for (one, aside) in all.iter().zip(&aside) {
            let (here, aside) = (Incoming::Here(one), Incoming::Aside(aside));
            assert_eq!(&*aside.whole().unwrap(), one);
            assert_eq!((here.number(), here.version()), (aside.number(), aside.version()));
            assert_eq!((here.id(), here.source(), here.chunks()), (aside.id(), aside.source(), aside.chunks()));
            assert_eq!((here.has_pages(), here.has_parents()), (aside.has_pages(), aside.has_parents()));
            assert_eq!(here.vectors(), aside.vectors());
            (0..one.chunks.len()).for_each(|chunk| assert_eq!(here.section(chunk), aside.section(chunk)));
        }
    }
}
