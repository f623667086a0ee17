//! Here are texts that are not wanted at once: embed them in batch jobs, at half the price.
//!
//! Texts go as JSON Lines into a bucket, a job for every 50,000 of them; what came back is read from there. A job is
//! remembered before it is submitted and forgotten once all of it was kept, so a program that is killed goes on with the same
//! job: nothing is submitted twice, and nothing that was paid is lost, also of texts that nobody wants any more by then. What a
//! job did not embed is asked for in one more job if it is enough for one, and left to ordinary calls after that; a job that
//! broke off is an error, because ordinary calls cost more than was asked for, and the next run submits its texts anew.
//!
//! The texts lie in that bucket as plain as they are sent, under the bucket's permissions and not the index's. So once all of a
//! job was kept its files are deleted, before it is forgotten: whoever is killed meanwhile deletes the rest. In a bucket
//! with versions that leaves the earlier ones, which only a rule of the bucket takes away.

mod jobs;
mod lines;
mod settings;
mod state;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Kind, Result};
use safepassage_ingest::FileStore;
use safepassage_models::Purpose;
use safepassage_models::remote::{CallLimits, Caller, Cost, wait, wait_for};
use sha2::{Digest, Sha256};

use self::jobs::{Jobs, Stands, Submitted};
use self::lines::RecordId;
pub use self::settings::{BatchSettings, BatchTexts, Batched, TextKey};
use self::state::{Begun, State};
use super::family::Family;
use super::provider::{Bedrock, BedrockSettings};
use crate::account::Account;
use crate::options;
use crate::s3::{S3Files, S3Stores};

const OPERATION: &str = "embed in batch";
/// The texts of a job, and where its vectors come, in the folder of the job.
const INPUT: &str = "input.jsonl";
const OUTPUT: &str = "output/";
/// What its records are remembered by here.
const KEYS: &str = "keys";
/// What a first job gives nothing for a second one may.
const ROUNDS: usize = 2;
/// The service takes no smaller jobs.
pub const FEWEST: usize = 100;
/// Of one file; the service takes a GiB.
const MOST_BYTES: usize = 64 << 20;

/// Batch jobs of one model.
#[derive(Debug)]
pub struct BatchJobs {
    jobs: Jobs,
    caller: Caller,
    family: Family,
    dim: usize,
    /// What the model is called in jobs.
    called: String,
    stores: S3Stores,
    /// `s3://BUCKET/FOLDER`, and its options with the `?`.
    place: (String, String),
    settings: BatchSettings,
}

impl BatchJobs {
    /// Jobs of the model of `model`, as `settings` say, in a bucket that `stores` opens; nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` if the model is not known, or the place is none.
    pub fn open(model: &BedrockSettings, settings: &BatchSettings, stores: S3Stores) -> Result<Self> {
        let bedrock = Bedrock::open(model)?;
        let family = bedrock.family();
        let dim = model.dim.unwrap_or(family.dims()[0]);
        let called = model.profile.clone().unwrap_or_else(|| model.model.clone());
        let (place, _) = options::read(&settings.place)?;
        let given = settings.place[place.len()..].to_owned();
        let place = (place.trim_end_matches('/').to_owned(), given);
        stores.files(&settings.place)?;
        if settings.role.is_empty() {
            return Err(Error::invalid(OPERATION, "a job needs the role that Bedrock reads and writes the bucket as"));
        }
        let account = Account { endpoint_url: settings.endpoint_url.clone(), ..model.account.clone() };
        let (jobs, caller) = (Jobs::open(&account)?, Caller::new(CallLimits::default())?);
        Ok(Self { jobs, caller, family, dim, called, stores, place, settings: settings.clone() })
    }

    fn body(&self, text: &str) -> Result<Vec<u8>> {
        let end = text.char_indices().nth(self.family.limits().chars).map_or(text.len(), |(end, _)| end);
        self.family
            .request(&[text[..end].to_owned()], self.dim, Purpose::Document)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the request is no JSON").because(e))
    }

    fn model(&self) -> String {
        format!("{} {}", self.called, self.dim)
    }

    fn files(&self, digest: &str) -> Result<S3Files> {
        let (place, given) = &self.place;
        self.stores.files(&format!("{place}/{digest}{given}"))
    }

    /// Goes on with the jobs that stand in the file `state`, then submits what of `texts` is left if that is enough for a
    /// job, and waits for all of them.
    ///
    /// # Errors
    /// `Unavailable` if a job broke off, what it did being kept; `Denied`, `Invalid`, `Throttled` as Bedrock and S3 say.
    pub fn run(&self, texts: &mut dyn BatchTexts, state: &Path) -> Result<Batched> {
        let since = Stopwatch::start();
        let mut state = State::open(state)?;
        let mut did = Batched { resumed: state.known.jobs.len() as u64, ..Batched::default() };
        let strange = |job: &&Begun| (&job.model, &job.place) != (&self.model(), &self.place.0);
        if let Some(job) = state.known.jobs.iter().find(strange) {
            let message = format!("a job for `{}` in {} is under way; finish it first", job.model, job.place);
            return Err(Error::new(Kind::Conflict, OPERATION, message));
        }
        let mut failed = HashSet::new();
        self.finish(texts, &mut state, &since, &mut did, &mut failed)?;
        for _ in 0..ROUNDS {
            if did.open > 0 || !self.begin(texts, &mut state, &mut did)? {
                break;
            }
            self.finish(texts, &mut state, &since, &mut did, &mut failed)?;
        }
        did.failed = failed.len() as u64;
        Ok(did)
    }

    /// Writes what is left into the bucket and submits a job for each file. Returns whether that was enough for one.
    fn begin(&self, texts: &mut dyn BatchTexts, state: &mut State, did: &mut Batched) -> Result<bool> {
        let mut known = HashSet::new();
        texts.left(&mut |_, text| {
            // Two texts that are sent alike are one record; the other is left to ordinary calls.
            known.insert(RecordId::of(&self.body(text)?));
            Ok(())
        })?;
        if known.len() < FEWEST {
            return Ok(false);
        }
        // Files of about the same size, so that none has too few.
        let files = known.len().div_ceil(self.settings.most.clamp(FEWEST, BatchSettings::MOST));
        let most = known.len().div_ceil(files);
        let (mut lines, mut keys, mut held) = (Vec::new(), Vec::new(), 0);
        let mut rest = known.len();
        texts.left(&mut |key, text| {
            let body = self.body(text)?;
            let id = RecordId::of(&body);
            if !known.remove(&id) {
                return Ok(());
            }
            lines::write(id, &body, &mut lines)
                .map_err(|e| Error::new(Kind::Internal, OPERATION, "a record is no JSON").because(e))?;
            lines::write_key(id, &key, &mut keys);
            (held, rest) = (held + 1, rest - 1);
            let is_full = held >= most || (lines.len() >= MOST_BYTES && held >= FEWEST && rest >= FEWEST);
            if is_full || rest == 0 {
                self.submit(std::mem::take(&mut lines), std::mem::take(&mut keys), state)?;
                (held, did.submitted) = (0, did.submitted + 1);
            }
            Ok(())
        })?;
        Ok(true)
    }

    fn submit(&self, lines: Vec<u8>, keys: Vec<u8>, state: &mut State) -> Result<()> {
        let digest = |attempt: u64| -> String {
            let mut hash = Sha256::new();
            hash.update(self.model());
            hash.update(attempt.to_le_bytes());
            hash.update(&lines);
            hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        };
        // The service would give the job that broke off again.
        let mut digests = (0..).map(digest).skip_while(|digest| state.known.broken.contains(digest));
        let Some(digest) = digests.next() else { return Ok(()) };
        let begun = Begun { model: self.model(), digest: digest.clone(), place: self.place.0.clone(), arn: None };
        state.change(|known| known.jobs.push(begun))?;
        let files = self.files(&digest)?;
        files.put(KEYS, keys)?;
        files.put(INPUT, lines)?;
        self.name(&digest, state).map(drop)
    }

    /// Submits the job of the input `digest`, or finds it, and remembers what it is called.
    fn name(&self, digest: &str, state: &mut State) -> Result<String> {
        let place = format!("{}/{digest}", self.place.0);
        let submitted = Submitted {
            name: format!("safepassage-{digest}"),
            token: digest.to_owned(),
            role: self.settings.role.clone(),
            model: self.called.clone(),
            input: format!("{place}/{INPUT}"),
            output: format!("{place}/{OUTPUT}"),
        };
        let (caller, jobs) = (self.caller.clone(), self.jobs.clone());
        let arn = wait_for(async move { caller.call(Cost::default(), || jobs.submit(&submitted)).await });
        let arn = arn.map_err(|e| Error::new(e.kind(), OPERATION, e.message()).with("job", digest).because(e))?;
        let named = arn.clone();
        state.change(|known| {
            known.jobs.iter_mut().filter(|job| job.digest == digest).for_each(|job| job.arn = Some(named.clone()));
        })?;
        Ok(arn)
    }

    /// Waits for all jobs and keeps what they made.
    fn finish(
        &self,
        texts: &mut dyn BatchTexts,
        state: &mut State,
        since: &Stopwatch,
        did: &mut Batched,
        failed: &mut HashSet<TextKey>,
    ) -> Result<()> {
        let mut broken = None;
        while !state.known.jobs.is_empty() {
            for job in state.known.jobs.clone() {
                let files = self.files(&job.digest)?;
                let arn = match job.arn {
                    Some(arn) => arn,
                    // Whoever was killed before all of it was in the bucket never submitted it.
                    None if files.find(INPUT)?.is_none() => {
                        did.undeleted.extend(undeleted(&files));
                        state.change(|known| known.jobs.retain(|other| other.digest != job.digest))?;
                        continue;
                    }
                    None => self.name(&job.digest, state)?,
                };
                let (caller, jobs) = (self.caller.clone(), self.jobs.clone());
                let stands = wait_for(async move { caller.call(Cost::default(), || jobs.look(&arn)).await })?;
                if let Stands::Broken(said) = &stands {
                    broken = Some(format!("the job `{}` broke off; {said}", job.digest));
                }
                if stands != Stands::Open {
                    self.collect(&files, texts, did, failed)?;
                    did.undeleted.extend(undeleted(&files));
                    state.change(|known| {
                        known.jobs.retain(|other| other.digest != job.digest);
                        if matches!(stands, Stands::Broken(_)) {
                            known.broken.push(job.digest);
                        }
                    })?;
                }
            }
            let is_over = self.settings.patience.is_some_and(|most| since.seconds() >= most.as_secs_f64());
            if state.known.jobs.is_empty() || is_over {
                break;
            }
            wait(self.settings.poll)?;
        }
        did.open = state.known.jobs.len() as u64;
        match broken {
            Some(broken) => {
                let message = std::iter::once(broken).chain(did.undeleted.drain(..)).collect::<Vec<_>>().join("; ");
                Err(Error::new(Kind::Unavailable, OPERATION, message))
            }
            None => Ok(()),
        }
    }

    /// Keeps what a job made; lines that cannot be read count as if they were not there.
    fn collect(
        &self,
        files: &S3Files,
        texts: &mut dyn BatchTexts,
        did: &mut Batched,
        failed: &mut HashSet<TextKey>,
    ) -> Result<()> {
        // Without its keys it was collected before, and whoever did it was killed while deleting.
        let Some(keys) = files.find(KEYS)? else { return Ok(()) };
        let mut known = HashMap::new();
        files.each_line(&keys, &mut |line| {
            known.extend(lines::read_key(line));
            Ok(())
        })?;
        failed.extend(known.values());
        for file in files.list()?.iter().filter(|file| file.key.ends_with(".jsonl.out")) {
            files.each_line(file, &mut |line| {
                let answer = lines::read(line).and_then(|(id, became)| {
                    let vectors = self.family.answer(&became.ok()?).ok()?;
                    Some((*known.get(&id)?, vectors))
                });
                if let Some((key, vectors)) = answer
                    && vectors.cut.is_empty()
                    && vectors.rows.len() == 1
                    && texts.keep(key, &vectors.rows[0], vectors.tokens)?
                {
                    did.embedded += u64::from(failed.remove(&key));
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Deletes what a job left in `files`, its folder, and nothing else that lies there. Where that does not go it is said: what
/// was paid for is kept already, and somebody has to look at the bucket.
fn undeleted(files: &S3Files) -> Option<String> {
    let ours = |key: &str| [INPUT, KEYS].contains(&key) || key.starts_with(OUTPUT);
    let why = match files.list() {
        Ok(listed) => {
            let ours = listed.iter().filter(|file| ours(&file.key));
            ours.filter_map(|file| files.delete(&file.key).err()).reduce(|first, _| first)
        }
        Err(error) => Some(error),
    }?;
    Some(format!("texts and vectors of a job stay in {}, delete them there: {}", files.url(), why.message()))
}
