//! Here are the fields of a segment as they were written: which values are there, and which documents have them?
//!
//! The directory is checked when the segment is opened, a field when it is first asked for. See `write.rs` for the
//! format.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use roaring::RoaringBitmap;
use safepassage_error::Result;
use serde::{Deserialize, Serialize};

use super::column::{Parts, Points, Texts, U32s, U64s, corrupted};
use super::fields::{FieldType, Fields};
use crate::blocks::CheckedBytes;

pub(super) const MAGIC: &[u8; 8] = b"SPFIELD1";
/// The place of the value of a document that has none.
pub(super) const NONE: u32 = u32::MAX;

/// What the file begins with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Directory {
    pub documents: u32,
    pub fields: Vec<Stored>,
}

/// A field, how many distinct values it has, and the lengths of its sections.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
    pub values: u32,
    pub sections: Vec<u64>,
}

/// The fields of one segment.
#[derive(Debug)]
pub(crate) struct Postings {
    bytes: CheckedBytes,
    documents: u32,
    fields: Vec<Closed>,
}

#[derive(Debug)]
struct Closed {
    stored: Stored,
    sections: Vec<Range<usize>>,
    open: OnceLock<Arc<FieldPostings>>,
}

/// The distinct values of a field, ascending.
#[derive(Debug)]
pub(crate) enum Values {
    Texts(Texts),
    Points(Points),
}

impl Values {
    /// How many.
    pub fn len(&self) -> u32 {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Points(points) => points.len(),
        }
    }
}

/// Which documents have a value: where the documents of each end, and the documents.
#[derive(Debug)]
struct Inverse {
    ends: U64s,
    documents: U32s,
}

/// Which values a document has.
#[derive(Debug)]
enum Forward {
    One(U32s),
    Many(U64s, U32s),
}

/// One field, open.
#[derive(Debug)]
pub(crate) struct FieldPostings {
    documents: u32,
    values: Values,
    inverse: Inverse,
    forward: Forward,
    mistyped: RoaringBitmap,
}

impl Postings {
    /// The fields of a segment of so many documents.
    ///
    /// # Errors
    /// `Corrupted` if the directory does not fit the file or the segment.
    pub fn open(bytes: CheckedBytes, documents: u32) -> Result<Self> {
        let head = bytes.get(0..16.min(bytes.len()))?;
        let length = head.strip_prefix(MAGIC).and_then(|length| length.first_chunk());
        let length = length.ok_or_else(|| corrupted("not fields of this format"))?;
        let end = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|length| length.checked_add(16));
        let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| corrupted("the directory ends too late"))?;
        let directory: Directory = serde_json::from_slice(bytes.get(16..end)?)
            .map_err(|e| corrupted("the directory does not parse").because(e))?;
        if directory.documents != documents {
            return Err(corrupted("they are of another number of documents"));
        }
        let mut next = end;
        let mut fields = Vec::with_capacity(directory.fields.len());
        for stored in directory.fields {
            let mut sections = Vec::with_capacity(stored.sections.len());
            for length in &stored.sections {
                let end = usize::try_from(*length).ok().and_then(|length| next.checked_add(length));
                let end = end.filter(|end| *end <= bytes.len()).ok_or_else(|| corrupted("a field ends too late"))?;
                sections.push(next..end);
                next = end;
            }
            fields.push(Closed { stored, sections, open: OnceLock::new() });
        }
        let named = fields.windows(2).all(|pair| pair[0].stored.name < pair[1].stored.name);
        if next != bytes.len() || !named {
            return Err(corrupted("the fields are not in order or not all of the file"));
        }
        Ok(Self { bytes, documents, fields })
    }

    /// The field `name`, if it is there as `kind`.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn field(&self, name: &str, kind: FieldType) -> Result<Option<Arc<FieldPostings>>> {
        let found = self.fields.binary_search_by(|field| field.stored.name.as_str().cmp(name));
        match found.ok().map(|at| &self.fields[at]).filter(|field| field.stored.kind == kind) {
            Some(field) => self.opened(field).map(Some),
            None => Ok(None),
        }
    }

    fn opened(&self, field: &Closed) -> Result<Arc<FieldPostings>> {
        if let Some(open) = field.open.get() {
            return Ok(Arc::clone(open));
        }
        let sections = field.sections.iter().map(|range| self.bytes.share(range.clone()));
        let sections = sections.collect::<Result<Vec<Bytes>>>()?;
        let opened = FieldPostings::read(&field.stored, sections, self.documents);
        let opened = Arc::new(opened.map_err(|e| e.with("field", &field.stored.name))?);
        Ok(Arc::clone(field.open.get_or_init(|| opened)))
    }

    fn has(&self, name: &str, kind: FieldType) -> bool {
        self.fields.iter().any(|field| field.stored.name == name && field.stored.kind == kind)
    }

    /// Checks every rule of the format; the bytes are checked by whoever has the file.
    pub fn verify(&self) -> Result<()> {
        let verify = |field: &Closed| self.opened(field)?.verify().map_err(|e| e.with("field", &field.stored.name));
        self.fields.iter().try_for_each(verify)
    }
}

fn bitmap(bytes: &[u8], documents: u32) -> Result<RoaringBitmap> {
    let mut rest = bytes;
    let bitmap = RoaringBitmap::deserialize_from(&mut rest).map_err(|e| corrupted("not a bitmap").because(e))?;
    if !rest.is_empty() || bitmap.max().is_some_and(|last| last >= documents) {
        return Err(corrupted("a bitmap is of other documents"));
    }
    Ok(bitmap)
}

impl FieldPostings {
    fn read(stored: &Stored, sections: Vec<Bytes>, documents: u32) -> Result<Self> {
        let (count, values) = (documents as usize, stored.values as usize);
        let short = || corrupted("a section of a field is missing, or of another length");
        let of = |bytes: Bytes, length: usize| if bytes.len() == length { Ok(bytes) } else { Err(short()) };
        let mut sections = sections.into_iter();
        let mut next = || sections.next().ok_or_else(short);
        let own = match stored.kind {
            FieldType::String | FieldType::List => {
                Values::Texts(Texts::new(Parts::new(of(next()?, values * 8)?, next()?)?, stored.values)?)
            }
            FieldType::Number | FieldType::Bool | FieldType::Date => {
                Values::Points(Points::new(of(next()?, values * 8)?, of(next()?, values * 4)?, stored.values)?)
            }
        };
        let inverse = Inverse { ends: U64s(of(next()?, values * 8)?), documents: U32s(next()?) };
        let fits = inverse.ends.iter().is_sorted()
            && inverse.ends.iter().last().unwrap_or(0).checked_mul(4) == Some(inverse.documents.0.len() as u64)
            && inverse.documents.iter().all(|document| document < documents);
        if !fits {
            return Err(corrupted("the documents of a field do not fit its values"));
        }
        let forward = if stored.kind == FieldType::List {
            let firsts = U64s(of(next()?, (count + 1) * 8)?);
            let members = usize::try_from(firsts.get(count)).ok().and_then(|n| n.checked_mul(4));
            let ranks = U32s(of(next()?, members.ok_or_else(short)?)?);
            if firsts.get(0) != 0 || !firsts.iter().is_sorted() || !ranks.iter().all(|rank| rank < stored.values) {
                return Err(corrupted("members of lists do not fit together"));
            }
            Forward::Many(firsts, ranks)
        } else {
            Forward::one(of(next()?, count * 4)?, stored.values)?
        };
        let mistyped = next()?;
        if next().is_ok() {
            return Err(short());
        }
        let mistyped = bitmap(&mistyped, documents)?;
        Ok(Self { documents, values: own, inverse, forward, mistyped })
    }

    /// How many documents the segment has.
    pub fn documents(&self) -> u32 {
        self.documents
    }

    /// Its distinct values, ascending.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Documents whose value is of another type.
    pub fn mistyped(&self) -> &RoaringBitmap {
        &self.mistyped
    }

    /// The places of the values of `document`, ascending.
    #[inline]
    pub fn ranks(&self, document: u32) -> impl Iterator<Item = u32> + '_ {
        let (ranks, range) = match &self.forward {
            Forward::One(ranks) => (ranks, document as usize..document as usize + 1),
            Forward::Many(firsts, ranks) => {
                (ranks, firsts.get(document as usize) as usize..firsts.get(document as usize + 1) as usize)
            }
        };
        ranks.all()[range].iter().map(|bytes| u32::from_le_bytes(*bytes)).filter(|rank| *rank != NONE)
    }

    /// Documents that have a value, ascending; not those with an empty list.
    pub fn present(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.documents).filter(|document| self.ranks(*document).next().is_some())
    }

    /// The place of the one value of every document, [`NONE`] without; nothing for lists.
    pub fn places(&self) -> Option<&U32s> {
        match &self.forward {
            Forward::One(ranks) => Some(ranks),
            Forward::Many(..) => None,
        }
    }

    /// The documents with a value at one of the places `run`, each for every value it has of them.
    #[inline]
    pub fn documents_of(&self, run: &Range<u32>) -> impl ExactSizeIterator<Item = u32> + '_ {
        let end = |place: u32| if place == 0 { 0 } else { self.inverse.ends.get(place as usize - 1) as usize };
        let listed = &self.inverse.documents.all()[end(run.start)..end(run.end)];
        listed.iter().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// Checks that both ways from documents to values say the same, and no value is nobody's.
    fn verify(&self) -> Result<()> {
        let mut members = 0;
        for place in 0..self.values.len() {
            let documents = self.documents_of(&(place..place + 1));
            members += documents.len();
            let (any, mut last) = (documents.len() > 0, None);
            let fits = |document: u32| {
                let new = last.replace(document) < Some(document);
                new && self.ranks(document).any(|rank| rank == place) && !self.mistyped.contains(document)
            };
            if !any || !documents.into_iter().all(fits) {
                return Err(corrupted("a value has other documents than say they have it"));
            }
        }
        let all: usize = (0..self.documents).map(|document| self.ranks(document).count()).sum();
        if all == members { Ok(()) } else { Err(corrupted("a document has a value that does not have it")) }
    }
}

impl Forward {
    fn one(ranks: Bytes, values: u32) -> Result<Self> {
        let ranks = U32s(ranks);
        if !ranks.iter().all(|rank| rank < values || rank == NONE) {
            return Err(corrupted("a document has a value that is not there"));
        }
        Ok(Self::One(ranks))
    }
}

/// The fields of a segment: those it was written with, and those that were declared since.
#[derive(Debug)]
pub(crate) struct SegmentFields {
    stored: Option<Postings>,
    derived: Mutex<Option<(Fields, Arc<Postings>)>>,
}

impl SegmentFields {
    pub fn new(stored: Option<Postings>) -> Self {
        Self { stored, derived: Mutex::default() }
    }

    pub fn stored(&self) -> Option<&Postings> {
        self.stored.as_ref()
    }

    /// The field `name` of `fields`; nothing if it is not declared. `derive` makes postings for fields that were declared
    /// after the segment was written, once for each such set: it reads the metadata of every document.
    ///
    /// # Errors
    /// What `derive` fails with; `Corrupted`.
    pub fn field(
        &self,
        fields: &Fields,
        name: &str,
        derive: impl FnOnce(&Fields) -> Result<Postings>,
    ) -> Result<Option<Arc<FieldPostings>>> {
        let Some(kind) = fields.get(name) else { return Ok(None) };
        if let Some(stored) = &self.stored
            && let Some(field) = stored.field(name, kind)?
        {
            return Ok(Some(field));
        }
        let has = |name: &str, kind| self.stored.as_ref().is_some_and(|stored| stored.has(name, kind));
        let missing = fields.iter().filter(|(name, kind)| !has(name, *kind));
        let missing = Fields::new(missing.map(|(name, kind)| (name.to_owned(), kind)))?;
        // Whoever asks meanwhile waits instead of doing it again.
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let postings = match &*derived {
            Some((known, postings)) if *known == missing => Arc::clone(postings),
            _ => {
                let postings = Arc::new(derive(&missing)?);
                *derived = Some((missing, Arc::clone(&postings)));
                postings
            }
        };
        drop(derived);
        postings.field(name, kind)
    }
}
