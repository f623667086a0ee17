//! Which documents are in this segment, in which rows, and from which source?
//!
//! Little-endian sections after a magic: counts, numbers, versions, first rows, sources of the documents, ends of the
//! ids, ends of the source names, the documents in the order of their ids (format 2; in format 1 they lie in it), ids,
//! source names.

use safepassage_access::{Column, DocumentNumber, Tenant, Version};
use safepassage_error::{Error, Result};

use super::NewDocument;

const MAGIC: &[u8; 8] = b"SPDOCS02";
const MAGIC_1: &[u8; 8] = b"SPDOCS01";

/// The ids and sources of the documents of one segment; what permissions need is in its [`Column`].
#[derive(Debug)]
pub(crate) struct DocumentTable {
    ids: Names,
    source_of: Vec<u32>,
    sources: Names,
    /// Document ordinals in the order of their ids.
    by_id: Vec<u32>,
    /// Its inverse: which place each document has among the ids.
    place: Vec<u32>,
}

#[derive(Debug)]
struct Names {
    ends: Vec<u32>,
    text: String,
}

impl Names {
    fn get(&self, i: usize) -> &str {
        let from = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.text[from as usize..self.ends[i] as usize]
    }

    fn check(&self) -> bool {
        self.ends.is_sorted()
            && self.ends.last().map_or(0, |end| *end as usize) == self.text.len()
            && self.ends.iter().all(|end| self.text.is_char_boundary(*end as usize))
    }
}

pub(super) fn encode(documents: &[&NewDocument]) -> Result<Vec<u8>> {
    let mut sources: Vec<&str> = documents.iter().map(|d| d.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let mut out = MAGIC.to_vec();
    let mut put = |n: usize| {
        let n = u32::try_from(n).map_err(|_| Error::invalid("write segment", "more than 2^32 rows or bytes of ids"))?;
        out.extend_from_slice(&n.to_le_bytes());
        Ok::<(), Error>(())
    };
    put(documents.len())?;
    put(sources.len())?;
    documents.iter().try_for_each(|d| put(d.number.0 as usize))?;
    for d in documents {
        for part in bytemuck::cast::<u128, [u32; 4]>(d.version.0.to_le()) {
            put(part as usize)?;
        }
    }
    let mut row = 0;
    put(row)?;
    for d in documents {
        row += d.chunks.len();
        put(row)?;
    }
    documents.iter().try_for_each(|d| put(sources.partition_point(|s| **s < *d.source)))?;
    let mut end = 0;
    for d in documents {
        end += d.id.len();
        put(end)?;
    }
    let mut end = 0;
    for source in &sources {
        end += source.len();
        put(end)?;
    }
    let mut by_id: Vec<u32> = (0..documents.len() as u32).collect();
    by_id.sort_unstable_by_key(|&i| &documents[i as usize].id);
    by_id.into_iter().try_for_each(|i| put(i as usize))?;
    documents.iter().for_each(|d| out.extend_from_slice(d.id.as_bytes()));
    sources.iter().for_each(|s| out.extend_from_slice(s.as_bytes()));
    Ok(out)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, bytes: usize) -> Result<&[u8]> {
        let corrupted = || Error::corrupted("read document table", "it ends too early");
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or_else(corrupted)?;
        self.0 = rest;
        Ok(taken)
    }

    fn numbers(&mut self, n: usize) -> Result<Vec<u32>> {
        let bytes = self.take(n.saturating_mul(4))?;
        Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn text(&mut self, ends: &[u32]) -> Result<String> {
        let bytes = self.take(ends.last().map_or(0, |end| *end as usize))?;
        let text = std::str::from_utf8(bytes);
        text.map(str::to_owned).map_err(|e| Error::corrupted("read document table", "not UTF-8").because(e))
    }
}

impl DocumentTable {
    pub fn read(bytes: &[u8], tenant: Tenant) -> Result<(Self, Column)> {
        let corrupted = |what| Error::corrupted("read document table", what);
        let mut cursor = Cursor(bytes);
        let magic = cursor.take(MAGIC.len())?;
        if magic != MAGIC && magic != MAGIC_1 {
            return Err(corrupted("not a document table of this format"));
        }
        let ordered = magic == MAGIC_1;
        let counts = cursor.numbers(2)?;
        let (documents, sources) = (counts[0] as usize, counts[1] as usize);
        let numbers = cursor.numbers(documents)?.into_iter().map(DocumentNumber).collect();
        let versions = cursor.numbers(documents * 4)?;
        let version = |w: &[u32]| Version(w.iter().rev().fold(0, |all, &part| all << 32 | u128::from(part)));
        let versions = versions.chunks_exact(4).map(version).collect();
        let first_row = cursor.numbers(documents + 1)?;
        let source_of = cursor.numbers(documents)?;
        let (id_ends, source_ends) = (cursor.numbers(documents)?, cursor.numbers(sources)?);
        let by_id = if ordered { (0..documents as u32).collect() } else { cursor.numbers(documents)? };
        let mut place = vec![u32::MAX; documents];
        for (at, &i) in (0..).zip(&by_id) {
            match place.get_mut(i as usize) {
                Some(free) if *free == u32::MAX => *free = at,
                _ => return Err(corrupted("the order of the ids names a document twice, or none")),
            }
        }
        let ids = Names { text: cursor.text(&id_ends)?, ends: id_ends };
        let source_names = Names { text: cursor.text(&source_ends)?, ends: source_ends };
        let table = Self { ids, source_of, sources: source_names, by_id, place };
        let whole = table.ids.check();
        let named = table.sources.check() && table.source_of.iter().all(|s| (*s as usize) < sources);
        if !cursor.0.is_empty() || !whole || !named {
            return Err(corrupted("ids, sources or lengths do not fit together"));
        }
        Ok((table, Column::new(tenant, numbers, versions, first_row)?))
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
        self.place[document]
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
