//! Here is a segment: which documents were put into it, for a merge, or for whoever embeds them anew?

use safepassage_error::{Error, Result};

use super::{LiveDocument, Snapshot};
use crate::segment::{ChunkRow, NewChunk, NewDocument, SharedVectors};

impl Snapshot {
    /// Gives the live documents of segment `s` to `each` as they were written, in the order of their rows, for a merge; their
    /// vectors stay where they are.
    ///
    /// # Errors
    /// `Corrupted`, also if there are more or fewer chunks than rows; what `each` fails with.
    pub(crate) fn rewrite(&self, s: usize, each: &mut dyn FnMut(NewDocument) -> Result<()>) -> Result<()> {
        let live = &self.segments[s];
        let (column, dim) = (live.segment.access.column(), self.manifest.settings.dim);
        let begin = |i: usize| {
            let (number, version) = column.document(i);
            let (id, source) =
                (live.segment.documents.id(i).to_owned(), live.segment.documents.source(i).to_owned().into());
            let vectors = SharedVectors::stored(&live.segment, column.rows_of(i), dim);
            let chunks = Vec::new();
            NewDocument { number, version, id, source, title: None, uri: None, metadata: None, chunks, vectors }
        };
        let mut end = |document: NewDocument, i: usize| match live.dead.contains(i as u32) {
            true => Ok(()),
            false => each(document),
        };
        let (mut row, mut open) = (0, (live.segment.documents.len() > 0).then(|| (0, begin(0))));
        live.segment.chunks.scan(&mut |chunk| {
            let at = column.document_of(row).ok_or_else(|| Error::corrupted("merge", "more chunks than rows"))?;
            while let Some((i, _)) = open.as_ref().filter(|(i, _)| *i < at) {
                let next = i + 1;
                if let Some((i, document)) = open.replace((next, begin(next))) {
                    end(document, i)?;
                }
            }
            if let Some((_, document)) = open.as_mut().filter(|_| !live.dead.contains(at as u32)) {
                (document.title, document.uri, document.metadata) = (chunk.title, chunk.uri, chunk.metadata);
                let ChunkRow { chunk: ordinal, text, span, heading, hash, page, parent, .. } = chunk;
                let section = column.section_of(row);
                document.chunks.push(NewChunk { ordinal, text, span, heading, hash, section, page, parent });
            }
            row += 1;
            Ok(())
        })?;
        if row != column.rows() {
            return Err(Error::corrupted("merge", "fewer chunks than rows").with("segment", &live.segment.id));
        }
        // Documents at the end may have no chunks.
        if let Some((i, document)) = open {
            end(document, i)?;
            (i + 1..live.segment.documents.len()).try_for_each(|i| end(begin(i), i))?;
        }
        Ok(())
    }

    /// `documents` of this snapshot as they were written, in their order, without vectors: for whoever embeds them anew.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn without_vectors(&self, documents: &[LiveDocument<'_>]) -> Result<Vec<NewDocument>> {
        let mut all = Vec::with_capacity(documents.len());
        for run in documents.chunk_by(|a, b| a.segment == b.segment) {
            let segment = &self.segments[run[0].segment].segment;
            let column = segment.access.column();
            let rows: Vec<u32> = run.iter().flat_map(|live| column.rows_of(live.ordinal)).collect();
            let mut chunks = segment.chunks.fetch(&rows)?.into_iter().zip(&rows);
            for live in run {
                let mut document = NewDocument {
                    number: live.number,
                    version: live.version,
                    id: live.id.to_owned(),
                    source: live.source.to_owned().into(),
                    title: None,
                    uri: None,
                    metadata: None,
                    chunks: Vec::new(),
                    vectors: SharedVectors::default(),
                };
                for (chunk, &row) in chunks.by_ref().take(live.chunks as usize) {
                    if chunk.document != live.id {
                        return Err(Error::corrupted("read passages", "a passage is of another document"));
                    }
                    (document.title, document.uri, document.metadata) = (chunk.title, chunk.uri, chunk.metadata);
                    let ChunkRow { chunk: ordinal, text, span, heading, hash, page, parent, .. } = chunk;
                    let section = column.section_of(row);
                    document.chunks.push(NewChunk { ordinal, text, span, heading, hash, section, page, parent });
                }
                all.push(document);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use safepassage_access::{DocumentNumber, Tenant, Version};
    use safepassage_error::Kind;
    use safepassage_error::system::Timestamp;

    use super::*;
    use crate::graph::GraphSettings;
    use crate::manifest::{Manifest, Settings};
    use crate::segment::{self, Chunks, Incoming};
    use crate::storage::MemoryStorage;

    fn document(n: u32) -> NewDocument {
        let chunk = NewChunk {
            ordinal: 0,
            text: format!("text {n}"),
            span: (0, 6),
            heading: String::new(),
            hash: 0,
            section: 0,
            page: None,
            parent: None,
        };
        NewDocument {
            number: DocumentNumber(n),
            version: Version(n.into()),
            id: format!("d{n}"),
            source: "test".into(),
            title: None,
            uri: None,
            metadata: None,
            chunks: vec![chunk],
            vectors: vec![1.0, 0.0].into(),
        }
    }

    #[test]
    fn a_segment_with_more_or_fewer_chunks_than_rows_is_not_rewritten() {
        let (storage, settings) = (MemoryStorage::default(), Settings::vectors(2));
        let all: Vec<NewDocument> = (0..4).map(document).collect();
        let some = |n: usize| all[..n].iter().collect::<Vec<_>>();
        let graph = GraphSettings::default();
        let three = all[..3].iter().map(Incoming::Here).collect();
        let entry = segment::write(&storage, None, "1", &Tenant::default(), three, &settings, &graph).unwrap();
        let mut manifest = Manifest::first(settings, 1, Timestamp(0));
        manifest.segments = vec![entry];
        let mut snapshot = Snapshot::open(&storage, manifest, None).unwrap();
        for n in 0..=4 {
            // A file that is what was written, of a segment that was written wrongly.
            let segment = Arc::get_mut(&mut snapshot.segments[0].segment).unwrap();
            segment.chunks = Chunks::of(&some(n));
            let mut documents = Vec::new();
            let mut each = |document| {
                documents.push(document);
                Ok(())
            };
            match snapshot.rewrite(0, &mut each) {
                Ok(()) => assert_eq!((n, documents), (3, all[..3].to_vec())),
                Err(error) => assert_eq!((n != 3, error.kind()), (true, Kind::Corrupted)),
            }
        }
    }
}
