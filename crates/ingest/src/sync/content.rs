//! New and changed documents: parsed, cut, embedded and committed.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use safepassage_access::{AccessPlane, DocumentNumber};
use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Index, NewChunk, NewDocument, SharedVectors, Snapshot, Writer};
use sha2::{Digest, Sha256};

use super::embedding::{Embedded, Embedding, Read};
use super::plan::{Plan, Planned, Stated};
use super::{Progress, Report, name};
use crate::chunk::{ChunkSettings, ChunkWay, Chunker};
use crate::parse::{PARSE, Parsed};
use crate::source::{Entry, Format, Section, SourceDocument, first_16, metadata_text, section};

/// Source bytes parsed at once.
const BYTES_AT_ONCE: u64 = 4 << 20;
/// Documents read at once to see whether they can be.
const READ_AT_ONCE: usize = 64;
/// Chunks committed at once: what a killed job may have to do again.
const CHUNKS_PER_COMMIT: usize = 4_096;
/// Of more documents that are gone, the vectors are not looked up for others that may have the same text.
const MOST_MOVED: usize = 20_000;

/// A document that is cut and waits for the vectors that are not known yet.
struct Prepared<'a> {
    planned: &'a Planned,
    document: NewDocument,
    inputs: Vec<String>,
    vectors: Vec<Option<Vec<f32>>>,
    /// Why the model would not read some of it.
    refused: Option<String>,
}

/// What becomes of a file of a format.
pub(crate) type Parse<'a> = &'a dyn Fn(&[u8], Format) -> Result<Parsed>;

/// Title, chunks, and what is embedded for each.
type Cut = (Option<String>, Vec<NewChunk>, Vec<String>);

/// Parses and cuts one text. Narrower sections are parsed and cut by themselves: no chunk, overlap, heading or title
/// crosses their boundary.
pub(crate) fn cut(
    parse: Parse<'_>,
    chunker: &Chunker<'_>,
    content: &[u8],
    format: Format,
    title: Option<String>,
    path: Option<&str>,
    sections: &[Section],
) -> Result<Cut> {
    let parts = section::parts(sections, content.len()).into_iter();
    let parsed = parts.map(|(range, number)| Ok((parse(&content[range.clone()], format)?, range, number)));
    let parsed = parsed.collect::<Result<Vec<_>>>()?;
    let own_titles = parsed.iter().filter(|(_, _, section)| *section == 0).map(|(parsed, ..)| &parsed.title);
    let title = title.or_else(|| own_titles.flatten().next().cloned()).or_else(|| format.title(path?));
    let (mut chunks, mut inputs) = (Vec::new(), Vec::new());
    let mut parents = 0;
    for (parsed, within, section) in parsed {
        // The larger chunks of one part end with it.
        let before = parents;
        for chunk in chunker.chunk(&parsed, title.as_deref())? {
            let text = parsed.text[chunk.range.clone()].to_owned();
            let input = if chunk.prefix.is_empty() { text.clone() } else { format!("{}\n{text}", chunk.prefix) };
            let page = parsed.page(chunk.range.start);
            let source = parsed.source_span(chunk.range);
            let span = ((within.start + source.start) as u64, (within.start + source.end) as u64);
            let (ordinal, heading) = (chunks.len() as u32, chunk.headings.join(" > "));
            let hash = first_16(&Sha256::digest(input.as_bytes()));
            let parent = chunk.parent.map(|parent| before + parent);
            parents = parent.map_or(parents, |parent| parent + 1);
            chunks.push(NewChunk { ordinal, text, span, heading, hash, section, page, parent });
            inputs.push(input);
        }
    }
    Ok((title, chunks, inputs))
}

/// What of the work ahead cannot be parsed: by id, with the reason. Of textual formats everything can.
pub(super) fn unreadable(snapshot: &Snapshot, plan: &Plan) -> Result<Vec<(String, String)>> {
    let ahead = |planned: &&Planned| match planned.stated {
        Stated::Whole { version, .. } => {
            snapshot.find(&planned.tenant, &planned.id).is_none_or(|live| live.version != version)
        }
        _ => false,
    };
    let ahead: Vec<&Planned> = plan.documents.iter().filter(ahead).collect();
    let mut unreadable = Vec::new();
    for run in ahead.chunk_by(|a, b| a.source == b.source).flat_map(|run| run.chunks(READ_AT_ONCE)) {
        let entries: Vec<&Entry> = run.iter().map(|planned| &planned.entry).collect();
        let read = plan.sources[run[0].source].read_all(&entries)?;
        let refused = run.par_iter().zip(read).filter_map(|(planned, read)| {
            let read = read.ok().filter(|read| !read.format.is_text())?;
            Some((planned.id.clone(), plan.parse(&read.content, read.format).err()?.message().to_owned()))
        });
        unreadable.extend(refused.collect::<Vec<_>>());
    }
    Ok(unreadable)
}

struct Job<'a> {
    index: &'a Index,
    embedding: &'a Embedding<'a>,
    chunker: Chunker<'a>,
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    /// Vectors of documents that are gone, for those that were only moved or renamed.
    moved: HashMap<u128, Vec<f32>>,
    progress: &'a dyn Progress,
}

#[expect(clippy::too_many_arguments, reason = "the last step of a pipeline takes what the steps before gave")]
pub(super) fn write(
    index: &Arc<Index>,
    embedding: &Embedding<'_>,
    settings: ChunkSettings,
    mut writer: Option<Writer<'_>>,
    snapshot: &Snapshot,
    plan: &Plan,
    report: &mut Report,
    progress: &dyn Progress,
) -> Result<()> {
    let chunker = Chunker::of(embedding.embedder(), settings)?;
    let moved = vectors_of_gone(snapshot, plan)?;
    let job = Job { index, embedding, chunker, snapshot, plan, moved, progress };
    let work = job.work(report);
    report.deleted = plan.gone.len() as u64;
    if let Some(writer) = &mut writer {
        // What is gone goes with the first commit, and by itself before a long job: it must not stay readable for as
        // long as the rest is being embedded.
        for (tenant, id) in &plan.gone {
            writer.delete(tenant, id);
        }
        if work.iter().map(|planned| planned.entry.bytes).sum::<u64>() > BYTES_AT_ONCE {
            writer.commit()?;
        }
    }
    progress.begin("embedding", work.iter().map(|planned| planned.entry.bytes + 1).sum());
    let (mut rest, mut uncommitted) = (&work[..], 0);
    while !rest.is_empty() {
        let mut bytes = 0;
        let take = rest.iter().take_while(|planned| {
            let fits = bytes < BYTES_AT_ONCE;
            bytes += planned.entry.bytes;
            fits
        });
        let (now, later) = rest.split_at(take.count());
        if report.stopped.is_some() {
            report.left += rest.len() as u64;
            break;
        }
        rest = later;
        let mut prepared = job.prepare(now, report)?;
        if writer.is_none() {
            job.count(&prepared, report)?;
        } else {
            job.embed(&mut prepared, report)?;
        }
        let Some(writer) = &mut writer else { continue };
        for Prepared { planned, mut document, vectors, refused, .. } in prepared {
            if let Some(reason) = refused {
                report.skip(planned.id.clone(), format!("the model refuses it: {reason}"));
                continue;
            }
            if vectors.iter().any(Option::is_none) {
                report.left += 1;
                continue;
            }
            document.vectors = vectors.into_iter().flatten().flatten().collect::<Vec<f32>>().into();
            uncommitted += document.chunks.len();
            writer.upsert(&planned.tenant, document)?;
        }
        if uncommitted >= CHUNKS_PER_COMMIT {
            writer.commit()?;
            index.merge_in_background();
            uncommitted = 0;
        }
    }
    let Some(mut writer) = writer else {
        report.generation = snapshot.generation();
        return Ok(());
    };
    progress.begin("committing", 0);
    report.generation = writer.commit()?;
    index.merge_in_background();
    Ok(())
}

fn vectors_of_gone(snapshot: &Snapshot, plan: &Plan) -> Result<HashMap<u128, Vec<f32>>> {
    let mut vectors = HashMap::new();
    for (tenant, id) in plan.gone.iter().take(MOST_MOVED) {
        if let Some(document) = snapshot.find(tenant, id) {
            vectors.extend(snapshot.embedded(document)?);
        }
    }
    Ok(vectors)
}

impl<'a> Job<'a> {
    /// The documents whose content has to be written.
    fn work(&self, report: &mut Report) -> Vec<&'a Planned> {
        let mut work = Vec::new();
        for planned in &self.plan.documents {
            let Stated::Whole { version, .. } = planned.stated else { continue };
            match self.snapshot.find(&planned.tenant, &planned.id) {
                Some(live) if live.version == version => report.unchanged += 1,
                Some(_) => {
                    report.changed += 1;
                    work.push(planned);
                }
                None => {
                    report.added += 1;
                    work.push(planned);
                }
            }
        }
        report.unchanged = report.unchanged.saturating_sub(report.permission_only);
        work
    }

    /// Reads, parses and cuts `documents` on all cores; takes vectors of unchanged chunks from the index.
    fn prepare(&self, documents: &[&'a Planned], report: &mut Report) -> Result<Vec<Prepared<'a>>> {
        let numbers: Vec<Option<DocumentNumber>> = self.index.with_plane(|plane: &AccessPlane| {
            Ok(documents.iter().map(|planned| plane.number(&planned.tenant, &planned.id)).collect())
        })?;
        let prepared: Vec<Result<Prepared<'a>>> = documents
            .par_iter()
            .zip(self.read(documents)?)
            .zip(numbers)
            .map(|((planned, read), number)| self.prepare_one(planned, read?, number))
            .collect();
        let mut whole = Vec::with_capacity(prepared.len());
        for (prepared, planned) in prepared.into_iter().zip(documents) {
            match prepared {
                Ok(prepared) => {
                    if self.chunker.way() == ChunkWay::Whole && is_cut(&prepared.document.chunks) {
                        let id = &planned.id;
                        report.warnings.push(format!("`{id}` is longer than one chunk and was cut by its structure"));
                    }
                    report.chunks += prepared.document.chunks.len() as u64;
                    whole.push(prepared);
                }
                // A parser that cannot take more files now is no reason to leave the others.
                Err(error) if error.kind() == Kind::Invalid || error.operation() == PARSE => {
                    report.skip(planned.id.clone(), error.message());
                    // It was counted before anybody could know.
                    match self.snapshot.find(&planned.tenant, &planned.id) {
                        Some(_) => report.changed -= 1,
                        None => report.added -= 1,
                    }
                    self.progress.advance(planned.entry.bytes + 1);
                }
                Err(error) => return Err(error.with("document", &planned.id)),
            }
        }
        Ok(whole)
    }

    /// Each of `documents` as it was planned, from the sources they come from.
    fn read(&self, documents: &[&'a Planned]) -> Result<Vec<Result<SourceDocument>>> {
        let changed = || Error::invalid("read document", "it changed while it was read; run again");
        let mut all = Vec::with_capacity(documents.len());
        for run in documents.chunk_by(|a, b| a.source == b.source) {
            let entries: Vec<&Entry> = run.iter().map(|planned| &planned.entry).collect();
            let read = self.plan.sources[run[0].source].read_all(&entries)?;
            all.extend(run.iter().zip(read).map(|(planned, read)| match (&planned.stated, read) {
                (Stated::Whole { version, .. }, Ok(read)) if read.version() == *version => Ok(read),
                _ => Err(changed()),
            }));
        }
        Ok(all)
    }

    fn prepare_one(
        &self,
        planned: &'a Planned,
        read: SourceDocument,
        number: Option<DocumentNumber>,
    ) -> Result<Prepared<'a>> {
        let number = number.unwrap_or(DocumentNumber(u32::MAX));
        let Stated::Whole { version, .. } = planned.stated else {
            return Err(Error::new(Kind::Internal, "read document", "it was not planned"));
        };
        let (chunker, path) = (&self.chunker, Some(planned.entry.id.as_str()));
        let parse = |content: &[u8], format| self.plan.parse(content, format);
        let (title, chunks, inputs) =
            cut(&parse, chunker, &read.content, read.format, read.title, path, &read.sections)?;
        let known: HashMap<u128, Vec<f32>> = match self.snapshot.find(&planned.tenant, &planned.id) {
            Some(live) => self.snapshot.embedded(live)?.into_iter().collect(),
            None => HashMap::new(),
        };
        let known = |hash: &u128| known.get(hash).or_else(|| self.moved.get(hash)).cloned();
        let vectors = chunks.iter().map(|chunk| known(&chunk.hash)).collect();
        let document = NewDocument {
            number,
            version,
            id: planned.id.clone(),
            source: self.plan.keys[planned.source].clone().into(),
            title,
            uri: read.uri,
            metadata: read.metadata.as_ref().map(metadata_text),
            chunks,
            vectors: SharedVectors::default(),
        };
        Ok(Prepared { planned, document, inputs, vectors, refused: None })
    }

    /// Embeds what is not known, until money or time is up.
    fn embed(&self, prepared: &mut [Prepared<'_>], report: &mut Report) -> Result<()> {
        let missing = missing(prepared);
        let texts: Vec<Read<'_>> = missing.iter().map(|&place| read(prepared, place)).collect();
        let bytes: u64 = prepared.iter().map(|document| document.planned.entry.bytes + 1).sum();
        let (mut done, mut told) = (0u64, 0);
        let outcomes = self.embedding.embed(&texts, report, &mut |more| {
            done += more;
            let due = bytes * done / missing.len() as u64;
            self.progress.advance(due - told);
            told = due;
        })?;
        for (&(d, c), outcome) in missing.iter().zip(outcomes) {
            match outcome {
                Embedded::Vector(row, truncated) => {
                    prepared[d].vectors[c] = Some(row);
                    if truncated {
                        name(&mut report.truncated_documents, &prepared[d].planned.id);
                    }
                }
                Embedded::Refused(reason) => prepared[d].refused = Some(reason),
                Embedded::Not => {}
            }
        }
        self.progress.advance(bytes - told);
        Ok(())
    }

    /// Counts what is not known.
    fn count(&self, prepared: &[Prepared<'_>], report: &mut Report) -> Result<()> {
        let texts: Vec<Read<'_>> = missing(prepared).iter().map(|&place| read(prepared, place)).collect();
        self.embedding.count(&texts, report)?;
        self.progress.advance(prepared.iter().map(|document| document.planned.entry.bytes + 1).sum());
        Ok(())
    }
}

/// Whether a part of a document that may be read as a whole is several chunks.
fn is_cut(chunks: &[NewChunk]) -> bool {
    chunks.windows(2).any(|pair| pair[0].section == pair[1].section)
}

/// What is embedded for a chunk of a document, and who may read it.
fn read<'t>(prepared: &'t [Prepared<'_>], (d, c): (usize, usize)) -> Read<'t> {
    (&prepared[d].inputs[c], prepared[d].planned.reader)
}

/// Documents and chunks that have no vector yet.
fn missing(prepared: &[Prepared<'_>]) -> Vec<(usize, usize)> {
    let unknown = |(d, document): (usize, &Prepared<'_>)| {
        let chunks = document.vectors.iter().enumerate().filter(|(_, vector)| vector.is_none());
        chunks.map(|(c, _)| (d, c)).collect::<Vec<_>>()
    };
    prepared.iter().enumerate().flat_map(unknown).collect()
}
