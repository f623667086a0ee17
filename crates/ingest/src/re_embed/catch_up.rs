//! Here are a generation and a candidate that lacks some of it: embed that, and take what is gone away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use safepassage_access::Tenant;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Index, LiveDocument, NewDocument, Snapshot, Writer};

use super::inputs::input;
use super::report::ReEmbedReport;
use crate::chunk::ChunkSettings;
use crate::sync::{Embedded, Embedding, IndexRules, Progress, Read, Reader, Report, name};

/// Chunks read and embedded at once.
const CHUNKS_AT_ONCE: usize = 1_024;
/// Chunks committed at once: what a killed job may have to do again.
const CHUNKS_PER_COMMIT: usize = 4_096;
/// How often what changed meanwhile is taken in; what comes after that is for the next run.
const MOST_ROUNDS: usize = 4;

/// Documents that a candidate does without.
pub(super) type LeftOut = BTreeSet<(Tenant, String)>;

/// A candidate being brought up to its index.
pub(super) struct CatchUp<'a> {
    index: &'a Index,
    embedding: Embedding<'a>,
    rules: IndexRules,
    leave_out: bool,
    progress: &'a dyn Progress,
    left_out: LeftOut,
    report: ReEmbedReport,
    spent: Report,
}

/// A document with what is embedded for each of its chunks, and the vectors that are known.
struct Prepared {
    tenant: Tenant,
    document: NewDocument,
    inputs: Vec<String>,
    vectors: Vec<Option<Vec<f32>>>,
    /// Which model may read it.
    reader: Reader,
    /// Why the model would not read some of it.
    refused: Option<String>,
}

/// A document, and which model may read it.
type Readable<'s> = (LiveDocument<'s>, Reader);

impl<'a> CatchUp<'a> {
    pub fn new(
        index: &'a Index,
        embedding: Embedding<'a>,
        rules: IndexRules,
        leave_out: bool,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let snapshot = index.snapshot()?;
        let settings = &snapshot.manifest().settings;
        let embedder = embedding.embedder();
        let (from_model, to_model) = (settings.model_name().to_owned(), embedder.stamp().model.clone());
        let mut report = ReEmbedReport { from_model, to_model, ..ReEmbedReport::default() };
        let (reads, cut) = (embedder.tokenizer().max_tokens(), ChunkSettings::read(&settings.chunker)?.chunk_tokens);
        if cut > reads {
            report.warnings.push(format!(
                "passages have up to {cut} tokens and the model reads {reads}: the rest of longer ones is not embedded"
            ));
        }
        let (left_out, spent) = (LeftOut::new(), Report::default());
        Ok(Self { index, embedding, rules, leave_out, progress, left_out, report, spent })
    }

    /// Counts what would be done.
    pub fn dry_run(mut self, candidate: Option<&Index>) -> Result<ReEmbedReport> {
        let newest = self.index.snapshot()?;
        let staged = candidate.map(Index::snapshot).transpose()?;
        let behind = staged.as_ref().map(|staged| newest.behind(staged));
        self.report.deleted = behind.as_ref().map_or(0, |behind| behind.gone.len() as u64);
        let missing = behind.map_or_else(|| newest.documents().collect(), |behind| behind.missing);
        let missing = self.readable(missing)?;
        self.progress.begin("counting", chunks_of(&missing));
        for part in parts(&missing) {
            let prepared = self.prepare(&newest, staged.as_deref(), part)?;
            let texts: Vec<Read<'_>> = unknown(&prepared).into_iter().map(|place| read(&prepared, place)).collect();
            self.report.chunks += chunks_of(part);
            self.embedding.count(&texts, &mut self.spent)?;
            self.progress.advance(chunks_of(part));
        }
        self.report.dry_run = true;
        self.report.left = missing.len() as u64;
        Ok(self.finished(&newest))
    }

    /// Does it, until nothing is lacking or money or time is up. Returns which documents it has to do without too.
    pub fn bring_up(mut self, candidate: &Arc<Index>, writer: &mut Writer<'_>) -> Result<(ReEmbedReport, LeftOut)> {
        let mut rounds = 0;
        loop {
            let (newest, staged) = (self.index.snapshot()?, candidate.snapshot()?);
            let behind = newest.behind(&staged);
            let left_out = |live: &LiveDocument<'_>| self.left_out.contains(&(live.tenant.clone(), live.id.to_owned()));
            let missing: Vec<_> = behind.missing.into_iter().filter(|live| !left_out(live)).collect();
            if missing.is_empty() && behind.gone.is_empty() || rounds == MOST_ROUNDS || self.spent.stopped.is_some() {
                self.report.left = missing.len() as u64;
                self.report.ready = missing.is_empty();
                // What the candidate had of them is of other content.
                let stale = self.left_out.iter().filter(|(tenant, id)| writer.delete(tenant, id)).count();
                if stale > 0 {
                    writer.commit()?;
                }
                let merges = candidate.wait_for_merges();
                let warn = |error| format!("segments could not be merged: {error}");
                self.report.warnings.extend(merges.error.map(warn));
                let left_out = std::mem::take(&mut self.left_out);
                return Ok((self.finished(&newest), left_out));
            }
            for (tenant, id) in &behind.gone {
                self.report.deleted += u64::from(writer.delete(tenant, id));
            }
            let missing = self.readable(missing)?;
            self.embed(candidate, writer, (&newest, &staged), &missing)?;
            rounds += 1;
        }
    }

    fn finished(mut self, newest: &Snapshot) -> ReEmbedReport {
        self.report.took(self.spent);
        self.report.documents = newest.documents().count() as u64;
        self.report.generation = newest.generation();
        self.report
    }

    /// Embeds and commits `missing`, until money or time is up.
    fn embed(
        &mut self,
        candidate: &Arc<Index>,
        writer: &mut Writer<'_>,
        (newest, staged): (&Snapshot, &Snapshot),
        missing: &[Readable<'_>],
    ) -> Result<()> {
        self.progress.begin("re-embedding", chunks_of(missing));
        let mut uncommitted = 0;
        for part in parts(missing) {
            // A label may have been raised since.
            let part = self.readable(part.iter().map(|(live, _)| *live).collect())?;
            let mut prepared = self.prepare(newest, Some(staged), &part)?;
            let unknown = unknown(&prepared);
            let texts: Vec<Read<'_>> = unknown.iter().map(|&place| read(&prepared, place)).collect();
            let outcomes = self.embedding.embed(&texts, &mut self.spent, &mut |more| self.progress.advance(more))?;
            for ((d, c), outcome) in unknown.into_iter().zip(outcomes) {
                match outcome {
                    Embedded::Vector(row, truncated) => {
                        prepared[d].vectors[c] = Some(row);
                        if truncated {
                            name(&mut self.spent.truncated_documents, &prepared[d].document.id);
                        }
                    }
                    Embedded::Refused(reason) => prepared[d].refused = Some(reason),
                    Embedded::Not => {}
                }
            }
            for Prepared { tenant, mut document, vectors, refused, .. } in prepared {
                if let Some(reason) = refused {
                    self.leave_out(&tenant, &document.id, format!("the model refuses it: {reason}"));
                } else if let Some(vectors) = vectors.into_iter().collect::<Option<Vec<_>>>() {
                    self.report.chunks += document.chunks.len() as u64;
                    uncommitted += document.chunks.len();
                    document.vectors = vectors.concat().into();
                    writer.upsert(&tenant, document)?;
                }
            }
            if uncommitted >= CHUNKS_PER_COMMIT {
                writer.commit()?;
                candidate.merge_in_background();
                uncommitted = 0;
            }
            if self.spent.stopped.is_some() {
                break;
            }
        }
        self.progress.begin("committing", 0);
        writer.commit()?;
        candidate.merge_in_background();
        Ok(())
    }

    /// Reads `documents` and takes what the candidate has of them already.
    fn prepare(
        &mut self,
        newest: &Snapshot,
        staged: Option<&Snapshot>,
        documents: &[Readable<'_>],
    ) -> Result<Vec<Prepared>> {
        let mut all = Vec::with_capacity(documents.len());
        let live: Vec<LiveDocument<'_>> = documents.iter().map(|(live, _)| *live).collect();
        for ((live, reader), document) in documents.iter().zip(newest.without_vectors(&live)?) {
            let inputs = document.chunks.iter().map(|chunk| input(document.title.as_deref(), chunk));
            let Some(inputs) = inputs.collect::<Option<Vec<_>>>() else {
                self.leave_out(live.tenant, live.id, "it came with its vectors, and has no text to be embedded");
                continue;
            };
            let known: HashMap<u128, Vec<f32>> =
                match staged.and_then(|staged| Some((staged, staged.find(live.tenant, live.id)?))) {
                    Some((staged, live)) => staged.embedded(live)?.into_iter().collect(),
                    None => HashMap::new(),
                };
            let vectors = document.chunks.iter().map(|chunk| known.get(&chunk.hash).cloned()).collect();
            let (tenant, reader) = (live.tenant.clone(), *reader);
            all.push(Prepared { tenant, document, inputs, vectors, reader, refused: None });
        }
        Ok(all)
    }

    /// Those of `documents` that the model may read by what their labels are now.
    ///
    /// # Errors
    /// `Denied`, with counts, if there are others and none may be left out.
    fn readable<'s>(&mut self, documents: Vec<LiveDocument<'s>>) -> Result<Vec<Readable<'s>>> {
        if !self.rules.is_elsewhere() {
            return Ok(documents.into_iter().map(|live| (live, Reader::default())).collect());
        }
        let labels = self.index.with_plane(|plane| {
            Ok(documents.iter().map(|live| plane.label_with_inputs(live.number, live.version)).collect::<Vec<_>>())
        })?;
        let (mut readable, mut above) = (Vec::with_capacity(documents.len()), BTreeMap::<String, u64>::new());
        for (live, label) in documents.into_iter().zip(labels) {
            let checked = match label {
                Some(label) => self.rules.reader(label),
                None => Err("nothing was ever stated of who may read it".to_owned()),
            };
            match checked {
                Ok(reader) => readable.push((live, reader)),
                Err(reason) if self.leave_out => self.leave_out(live.tenant, live.id, reason),
                Err(_) => {
                    let name = label.map_or("no label", |label| self.rules.labels.name(label));
                    *above.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
        if above.is_empty() {
            return Ok(readable);
        }
        let counts: Vec<String> = above.into_iter().map(|(label, count)| format!("{count} `{label}`")).collect();
        let model = self.embedding.embedder().cleared().map_or("", safepassage_models::Cleared::name);
        let message = format!(
            "documents are above what the model `{model}` may read: {}; take another model, or leave them out",
            counts.join(", ")
        );
        Err(Error::new(Kind::Denied, "re-embed", message))
    }

    fn leave_out(&mut self, tenant: &Tenant, id: &str, reason: impl Into<String>) {
        if self.left_out.insert((tenant.clone(), id.to_owned())) {
            self.report.skip(id, reason);
        }
    }
}

fn chunks_of(documents: &[Readable<'_>]) -> u64 {
    documents.iter().map(|(live, _)| u64::from(live.chunks)).sum()
}

/// What is embedded for a chunk of a document, and who may read it.
fn read(prepared: &[Prepared], (d, c): (usize, usize)) -> Read<'_> {
    (&prepared[d].inputs[c], prepared[d].reader)
}

/// `documents` some at a time, with about [`CHUNKS_AT_ONCE`] each.
fn parts<'d, 's>(documents: &'d [Readable<'s>]) -> impl Iterator<Item = &'d [Readable<'s>]> {
    let mut rest = documents;
    std::iter::from_fn(move || {
        let mut chunks = 0;
        let take = rest.iter().take_while(|(live, _)| {
            let fits = chunks < CHUNKS_AT_ONCE;
            chunks += live.chunks as usize + 1;
            fits
        });
        let (now, later) = rest.split_at(take.count());
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// Documents and chunks that have no vector yet.
fn unknown(prepared: &[Prepared]) -> Vec<(usize, usize)> {
    let of_one = |(d, document): (usize, &Prepared)| {
        let unknown = document.vectors.iter().enumerate().filter(|(_, vector)| vector.is_none());
        unknown.map(|(c, _)| (d, c)).collect::<Vec<_>>()
    };
    prepared.iter().enumerate().flat_map(of_one).collect()
}
