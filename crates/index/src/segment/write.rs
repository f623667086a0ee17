//! Here are new documents: write them as a segment.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_error::{Error, Result};
use twox_hash::XxHash3_64;

use super::vectors::{NewRows, stored};
use super::{
    CHUNKS, CODES, DOCUMENTS, FIELDS, GRAPH, HEADER, Header, Incoming, KIND, LAYERS, LEXICAL, SUMS, VECTORS, chunks,
    documents, folder,
};
use crate::blocks::{Sums, SumsWriter};
use crate::code::Int8Writer;
use crate::filter::PostingsWriter;
use crate::graph::{self, Graph, GraphSettings, MOST_ROWS, Rows};
use crate::lexical::{WordsWriter, Written};
use crate::manifest::{SegmentEntry, Settings};
use crate::seal;
use crate::storage::{Scratch, Storage};

/// The checksum of a small file, as manifests hold it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// Writes the files of one segment and takes their sums.
struct Files<'a> {
    storage: &'a dyn Storage,
    id: &'a str,
    written: BTreeMap<String, Sums>,
    sums: SumsWriter,
}

/// Gives the bytes of a file, part by part.
type Parts<'p> = &'p mut dyn FnMut(&mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()>;

impl Files<'_> {
    fn put(&mut self, file: &str, parts: Parts<'_>) -> Result<()> {
        let path = format!("{}/{file}", folder(self.id));
        let mut sums = self.sums.file();
        self.storage.put_if_absent(&path, &mut |out: &mut dyn Write| {
            parts(&mut |part| {
                sums.add(part);
                out.write_all(part)
            })
        })?;
        let sums = sums.finish();
        self.written.insert(file.to_owned(), sums);
        Ok(())
    }

    fn put_bytes(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        self.put(file, &mut |out| out(bytes))
    }
}

/// Writes the segment `id` and returns its manifest entry; nothing is live until a manifest names it. Work is done on
/// the threads of the current rayon pool; what would fill the memory waits in `scratch`.
///
/// # Errors
/// `Invalid` if an id repeats or a document's vectors are not chunks × dim; `Unavailable` if it cannot be written.
pub(crate) fn write(
    storage: &dyn Storage,
    scratch: Option<&Arc<dyn Scratch>>,
    id: &str,
    tenant: &Tenant,
    mut new: Vec<Incoming<'_>>,
    settings: &Settings,
    graph: &GraphSettings,
) -> Result<SegmentEntry> {
    let dim = settings.dim;
    new.sort_unstable_by(|a, b| a.id().cmp(b.id()));
    if let Some(pair) = new.windows(2).find(|pair| pair[0].id() == pair[1].id()) {
        return Err(Error::invalid("write segment", format!("the document `{}` is given twice", pair[0].id())));
    }
    if let Some(bad) = new.iter().find(|d| d.vectors().len() != d.chunks() * dim) {
        return Err(Error::invalid("write segment", format!("the vectors of `{}` are not chunks × {dim}", bad.id())));
    }
    let rows = rows_of(new.iter().map(|d| d.chunks()))?;
    let documents = new.len() as u32;

    let (codes, graph) = index(&mut new, rows, settings, graph)?;
    let mut files = Files { storage, id, written: BTreeMap::new(), sums: SumsWriter::default() };
    files.put_bytes(DOCUMENTS, &documents::encode(&new)?)?;
    files.put_bytes(CODES, codes.bytes())?;
    drop(codes);
    if let Some(graph) = graph {
        files.put_bytes(GRAPH, graph.lowest())?;
        files.put_bytes(LAYERS, &graph.encode_layers())?;
    }
    if let Some(words) = words_of(&new, settings, scratch)? {
        files.put(LEXICAL, &mut |out| words.each_part(out))?;
    }
    files.put(VECTORS, &mut |out| {
        new.iter().try_for_each(|d| {
            let numbers = d.vectors().numbers().map_err(std::io::Error::other)?;
            numbers.chunks_exact(dim).try_for_each(|vector| out(&stored(vector, settings.precision)))
        })
    })?;
    files.put(CHUNKS, &mut |out| chunks::encode(&new, out))?;
    if !settings.fields.is_empty() {
        files.put_bytes(FIELDS, &fields(&new, settings)?)?;
    }

    let Files { written, sums, .. } = files;
    let sums = sums.into_bytes();
    storage.put_if_absent(&format!("{}/{SUMS}", folder(id)), &mut |out| out.write_all(&sums))?;
    let header = Header {
        id: id.to_owned(),
        tenant: tenant.clone(),
        documents,
        rows,
        dim,
        files: written,
        sums: Some(digest(&sums)),
    };
    let bytes = seal::seal(KIND, &header)?;
    storage.put_if_absent(&format!("{}/{HEADER}", folder(id)), &mut |out| out.write_all(&bytes))?;
    Ok(SegmentEntry { id: header.id, tenant: header.tenant, documents, rows, digest: digest(&bytes), tombstones: None })
}

/// What the documents have in declared fields. Those without passages have no metadata, here as in their chunks.
fn fields(new: &[Incoming<'_>], settings: &Settings) -> Result<Vec<u8>> {
    let mut writer = PostingsWriter::new(&settings.fields, new.len() as u32);
    for (document, i) in new.iter().zip(0..).filter(|(document, _)| document.chunks() > 0) {
        writer.add(i, document.whole()?.metadata.as_deref());
    }
    writer.finish()
}

/// The codes of the rows, and a graph if there are enough of them; the documents are put into the order in which the
/// graph has neighbours lie near each other.
fn index(
    new: &mut [Incoming<'_>],
    rows: u32,
    settings: &Settings,
    graph: &GraphSettings,
) -> Result<(Arc<Int8Writer>, Option<Graph>)> {
    let Settings { dim, metric, precision, .. } = *settings;
    let vectors = NewRows::new(new.iter().map(|d| d.vectors()), dim, metric);
    let mut codes = Int8Writer::new(rows, dim, metric, precision, |row| vectors.row(row))?;
    drop(vectors);
    if !has_graph(rows, graph) {
        return Ok((Arc::new(codes), None));
    }
    let built = graph::build(&codes, metric, graph)?;
    let order = reorder(new, &built.order);
    codes.reorder(&order, metric);
    let codes = Arc::new(codes);
    let rows = NewRows::new(new.iter().map(|d| d.vectors()), dim, metric);
    let graph = built.finish(&order, &codes, metric, &rows)?;
    Ok((codes, Some(graph).filter(Graph::is_worth_keeping)))
}

/// The inverted index of the documents' passages, if they have words.
fn words_of(new: &[Incoming<'_>], settings: &Settings, scratch: Option<&Arc<dyn Scratch>>) -> Result<Option<Written>> {
    let mut words = WordsWriter::new(settings.language, scratch.cloned())?;
    for document in new {
        let document = document.whole()?;
        for chunk in &document.chunks {
            words.add(document.title.as_deref(), &chunk.heading, &chunk.text, document.metadata.as_deref())?;
        }
    }
    words.finish()
}

/// How many rows documents of so many chunks have.
fn rows_of(chunks: impl Iterator<Item = usize>) -> Result<u32> {
    let rows = chunks.map(|chunks| chunks as u64).sum::<u64>();
    u32::try_from(rows).map_err(|_| Error::invalid("write segment", "more than 2^32 rows in one segment"))
}

/// Whether a segment of so many rows has a graph: fewer are scanned faster, and more cannot be named in a walk.
fn has_graph(rows: u32, settings: &GraphSettings) -> bool {
    (settings.from_rows.max(2)..=MOST_ROWS).contains(&rows)
}

/// Puts documents in the order in which `wanted` first names one of their rows; returns where each row then comes from.
fn reorder(new: &mut [Incoming<'_>], wanted: &[u32]) -> Vec<u32> {
    let mut place = vec![0u32; wanted.len()];
    (0..).zip(wanted).for_each(|(at, &row)| place[row as usize] = at);
    let mut row = 0u32;
    let keyed = new.iter().enumerate().map(|(i, document)| {
        let rows = row..row + document.chunks() as u32;
        row = rows.end;
        (rows.clone().map(|row| place[row as usize]).min().unwrap_or(u32::MAX), i, rows)
    });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.sort_unstable_by_key(|(first, i, _)| (*first, *i));
    let mut to = vec![0; new.len()];
    keyed.iter().enumerate().for_each(|(at, (_, i, _))| to[*i] = at);
    for i in 0..new.len() {
        while to[i] != i {
            let at = to[i];
            new.swap(i, at);
            to.swap(i, at);
        }
    }
    keyed.into_iter().flat_map(|(.., rows)| rows).collect()
}

#[cfg(test)]
mod tests {
    use safepassage_error::Kind;

    use super::*;

    #[test]
    fn segments_are_as_large_as_rows_can_be_numbered_and_have_graphs_as_far_as_walks_can() {
        assert_eq!(rows_of([1, 2].into_iter()).unwrap(), 3);
        assert_eq!(rows_of([1 << 31, (1 << 31) - 1].into_iter()).unwrap(), u32::MAX);
        assert_eq!(rows_of([1 << 31, 1 << 31].into_iter()).unwrap_err().kind(), Kind::Invalid);
        let settings = GraphSettings::default();
        let with = [9_999, 10_000, 1 << 30, (1 << 30) + 1, u32::MAX].map(|rows| has_graph(rows, &settings));
        assert_eq!(with, [false, true, true, false, false]);
        assert!(!has_graph(1, &GraphSettings { from_rows: 0, ..settings }));
    }
}
