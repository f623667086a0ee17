//! Which documents are in this segment, in which rows, and from which source?
//!
//! Little-endian sections after a magic: counts, numbers, versions, first rows, sources of the documents, ends of the
//! ids, ends of the source names, the documents in the order of their ids (format 2; in format 1 they lie in it), ids,
//! source names, and (format 3, written where there are narrower sections) the section of every row. Ids and tables are used where they lie in the mapped file; bounds are checked once, when it is opened.

use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use safepassage_access::{Column, DocumentNumber, Tenant, Version};
use safepassage_error::{Error, Result};

use super::incoming::Incoming;

const MAGIC: &[u8; 8] = b"SPDOCS02";
const MAGIC_3: &[u8; 8] = b"SPDOCS03";
const MAGIC_1: &[u8; 8] = b"SPDOCS01";

/// The ids and sources of the documents of one segment; what permissions need is in its [`Column`].
#[derive(Debug)]
pub(crate) struct DocumentTable {
    ids: Names,
    source_of: Numbers,
    sources: Names,
    /// Document ordinals in the order of their ids.
    by_id: Numbers,
    /// Its inverse, made when first asked for: which place each document has among the ids.
    place: OnceLock<Vec<u32>>,
}

/// Numbers where they lie in a file, or a copy where they cannot be used there.
#[derive(Debug)]
enum Numbers {
    Mapped(Bytes),
    Owned(Vec<u32>),
}

impl Deref for Numbers {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            // Aligned, or it would have been copied.
            Self::Mapped(bytes) => bytemuck::cast_slice(bytes),
            Self::Owned(numbers) => numbers,
        }
    }
}

#[derive(Debug)]
struct Names {
    ends: Numbers,
    text: Bytes,
}

impl Names {
    fn get(&self, i: usize) -> &str {
        let from = if i == 0 { 0 } else { self.ends[i - 1] };
        let name = &self.text[from as usize..self.ends[i] as usize];
        // Checked once: see `Names::read`.
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// Names that end at `ends` in what comes next.
    fn read(ends: Numbers, cursor: &mut Cursor) -> Result<Self> {
        let text = cursor.take(ends.last().map_or(0, |end| *end as usize))?;
        let whole = std::str::from_utf8(&text);
        let whole = whole.map_err(|e| Error::corrupted("read document table", "not UTF-8").because(e))?;
        if !ends.is_sorted() || !ends.iter().all(|end| whole.is_char_boundary(*end as usize)) {
            return Err(Error::corrupted("read document table", "an id ends within a letter or before it begins"));
        }
        Ok(Self { ends, text })
    }
}

pub(super) fn encode(documents: &[Incoming<'_>]) -> Result<Vec<u8>> {
    let mut sources: Vec<&str> = documents.iter().map(|d| d.source()).collect();
    sources.sort_unstable();
    sources.dedup();
    let sections = || documents.iter().flat_map(|d| (0..d.chunks()).map(|chunk| d.section(chunk)));
    let divided = sections().any(|section| section != 0);
    let mut out = if divided { MAGIC_3.to_vec() } else { MAGIC.to_vec() };
    let mut put = |n: usize| {
        let n = u32::try_from(n).map_err(|_| Error::invalid("write segment", "more than 2^32 rows or bytes of ids"))?;
        out.extend_from_slice(&n.to_le_bytes());
        Ok::<(), Error>(())
    };
    put(documents.len())?;
    put(sources.len())?;
    documents.iter().try_for_each(|d| put(d.number().0 as usize))?;
    for d in documents {
        for part in bytemuck::cast::<u128, [u32; 4]>(d.version().0.to_le()) {
            put(part as usize)?;
        }
    }
    let mut row = 0;
    put(row)?;
    for d in documents {
        row += d.chunks();
        put(row)?;
    }
    documents.iter().try_for_each(|d| put(sources.partition_point(|s| **s < *d.source())))?;
    let mut end = 0;
    for d in documents {
        end += d.id().len();
        put(end)?;
    }
    let mut end = 0;
    for source in &sources {
        end += source.len();
        put(end)?;
    }
    let mut by_id: Vec<u32> = (0..documents.len() as u32).collect();
    by_id.sort_unstable_by_key(|&i| documents[i as usize].id());
    by_id.into_iter().try_for_each(|i| put(i as usize))?;
    documents.iter().for_each(|d| out.extend_from_slice(d.id().as_bytes()));
    sources.iter().for_each(|s| out.extend_from_slice(s.as_bytes()));
    if divided {
        sections().for_each(|section| out.extend_from_slice(&section.to_le_bytes()));
    }
    Ok(out)
}

struct Cursor(Bytes);

impl Cursor {
    fn take(&mut self, bytes: usize) -> Result<Bytes> {
        if bytes > self.0.len() {
            return Err(Error::corrupted("read document table", "it ends too early"));
        }
        Ok(self.0.split_to(bytes))
    }

    fn numbers(&mut self, n: usize) -> Result<Numbers> {
        let bytes = self.take(n.saturating_mul(4))?;
        if bytemuck::try_cast_slice::<u8, u32>(&bytes).is_ok() {
            return Ok(Numbers::Mapped(bytes));
        }
        let copied = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(Numbers::Owned(copied.collect()))
    }
}

impl DocumentTable {
    pub fn read(bytes: Bytes, tenant: Tenant) -> Result<(Self, Column)> {
        let corrupted = |what| Error::corrupted("read document table", what);
        let mut cursor = Cursor(bytes);
        let magic = cursor.take(MAGIC.len())?;
        if ![MAGIC, MAGIC_1, MAGIC_3].iter().any(|known| *magic == **known) {
            return Err(corrupted("not a document table of this format"));
        }
        let counts = cursor.numbers(2)?;
        let (documents, sources) = (counts[0] as usize, counts[1] as usize);
        let numbers = cursor.numbers(documents)?.iter().copied().map(DocumentNumber).collect();
        let versions = cursor.numbers(documents * 4)?;
        let version = |w: &[u32]| Version(w.iter().rev().fold(0, |all, &part| all << 32 | u128::from(part)));
        let versions = versions.chunks_exact(4).map(version).collect();
        let first_row = cursor.numbers(documents + 1)?.to_vec();
        let source_of = cursor.numbers(documents)?;
        let (id_ends, source_ends) = (cursor.numbers(documents)?, cursor.numbers(sources)?);
        let by_id = match *magic == *MAGIC_1 {
            true => Numbers::Owned((0..documents as u32).collect()),
            false => cursor.numbers(documents)?,
        };
        let mut named = vec![0u64; documents.div_ceil(64)];
        for &i in &*by_id {
            let bit = 1 << (i % 64);
            match named.get_mut(i as usize / 64).filter(|word| (i as usize) < documents && **word & bit == 0) {
                Some(word) => *word |= bit,
                None => return Err(corrupted("the order of the ids names a document twice, or none")),
            }
        }
        let ids = Names::read(id_ends, &mut cursor)?;
        let source_names = Names::read(source_ends, &mut cursor)?;
        let divided = *magic == *MAGIC_3;
        let rows = first_row.last().map_or(0, |last| *last as usize);
        let sections = cursor.take(if divided { rows.saturating_mul(2) } else { 0 })?;
        if !cursor.0.is_empty() || !source_of.iter().all(|s| (*s as usize) < sources) {
            return Err(corrupted("ids, sources or lengths do not fit together"));
        }
        let table = Self { ids, source_of, sources: source_names, by_id, place: OnceLock::new() };
        let column = Column::new(tenant, numbers, versions, first_row)?;
        if !divided {
            return Ok((table, column));
        }
        let sections: Vec<u16> = sections.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
        Ok((table, column.with_sections(&sections)?))
    }

    pub fn len(&self) -> usize {
        self.source_of.len()
    }

    pub fn id(&self, document: usize) -> &str {
        self.ids.get(document)
    }

    pub fn source(&self, document: usize) -> &str {
        self.sources.get(self.source_of[document] as usize)
    }

    /// Which place `document` has in the order of the ids.
    pub fn place(&self, document: usize) -> u32 {
        let place = self.place.get_or_init(|| {
            let mut place = vec![0; self.len()];
            (0..).zip(&*self.by_id).for_each(|(at, &i)| place[i as usize] = at);
            place
        });
        place[document]
    }

    /// # Errors
    /// `Corrupted` if an id repeats or they are out of order.
    pub fn verify(&self) -> Result<()> {
        if self.by_id.windows(2).all(|pair| self.id(pair[0] as usize) < self.id(pair[1] as usize)) {
            return Ok(());
        }
        Err(Error::corrupted("verify documents", "an id repeats or the ids are out of order"))
    }

    /// The ordinal of the document `id`.
    pub fn find(&self, id: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let document = self.by_id[middle] as usize;
            match self.id(document).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(document),
            }
        }
        None
    }
}
