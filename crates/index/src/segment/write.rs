//! Here are new documents: write them as a segment.

use std::collections::BTreeMap;

use safepassage_access::Tenant;
use safepassage_error::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::{CHUNKS, DOCUMENTS, GRAPH, HEADER, Header, KIND, NewDocument, VECTORS, chunks, documents, folder};
use crate::blocks::Sums;
use crate::graph::{self, GraphSettings};
use crate::manifest::SegmentEntry;
use crate::seal;
use crate::storage::Storage;

/// The checksum of a small file, as manifests hold it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// Writes the segment `id` and returns its manifest entry; nothing is live until a manifest names it.
///
/// # Errors
/// `Invalid` if an id repeats or a document's vectors are not chunks × dim; `Unavailable` if it cannot be written.
pub(crate) fn write(
    storage: &dyn Storage,
    id: &str,
    tenant: &Tenant,
    mut new: Vec<NewDocument>,
    dim: usize,
    graph: &GraphSettings,
) -> Result<SegmentEntry> {
    new.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    if let Some(pair) = new.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(Error::invalid("write segment", format!("the document `{}` is given twice", pair[0].id)));
    }
    if let Some(bad) = new.iter().find(|d| d.vectors.as_slice().len() != d.chunks.len() * dim) {
        return Err(Error::invalid("write segment", format!("the vectors of `{}` are not chunks × {dim}", bad.id)));
    }
    let rows: usize = new.iter().map(|d| d.chunks.len()).sum();
    let rows =
        u32::try_from(rows).map_err(|_| Error::invalid("write segment", "more than 2^32 rows in one segment"))?;

    let mut files = BTreeMap::new();
    let mut put = |file: &str, bytes: &[u8]| {
        files.insert(file.to_owned(), Sums::of(bytes));
        storage.put_if_absent(&format!("{}/{file}", folder(id)), &mut |out| out.write_all(bytes))
    };
    put(DOCUMENTS, &documents::encode(&new)?)?;
    put(CHUNKS, &chunks::encode(&new)?)?;
    let vectors: Vec<f32> = new.iter().flat_map(|d| d.vectors.as_slice()).copied().collect();
    let documents = new.len() as u32;
    drop(new);
    put(VECTORS, bytemuck::cast_slice(&vectors))?;
    if rows >= graph.from_rows {
        put(GRAPH, &graph::build(&vectors, dim, graph)?.encode())?;
    }
    let header = Header { id: id.to_owned(), tenant: tenant.clone(), documents, rows, dim, files };
    let bytes = seal::seal(KIND, &header)?;
    storage.put_if_absent(&format!("{}/{HEADER}", folder(id)), &mut |out| out.write_all(&bytes))?;
    Ok(SegmentEntry { id: header.id, tenant: header.tenant, documents, rows, digest: digest(&bytes), tombstones: None })
}
