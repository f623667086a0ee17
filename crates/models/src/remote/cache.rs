//! This text was embedded before, by anybody here: what was its vector?
//!
//! A `SQLite` file that indexes and processes share. Each vector is in it before anybody counts on it, so that a process that
//! is killed pays for nothing twice; so is each text that the model refused, with the reason, and which vectors are of the
//! beginning of a text alone. What the file says is derived from texts: keep it where the index is kept. It may be
//! deleted at any time.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use safepassage_error::{Error, Kind, Result};
use sha2::{Digest, Sha256};

use crate::catalogue::Cleared;
use crate::embedder::{Embedder, Embeddings, Kept, Purpose, Refused, gathered};
use crate::stamp::ModelStamp;
use crate::tokenizer::Tokenizer;

const OPERATION: &str = "use embedding cache";

/// An [`Embedder`] that remembers. Questions are not remembered.
pub struct CachedEmbedder {
    inner: Arc<dyn Embedder>,
    file: Mutex<Connection>,
    stamp: String,
    above: Option<Arc<CachedEmbedder>>,
}

/// By what a text is remembered: a digest of the model and of what it reads of the text.
pub type CacheKey = [u8; 32];

/// What is known of a text.
enum Known {
    /// And whether it is of the beginning of the text alone.
    Vector(Vec<f32>, bool),
    Refused(String),
    Nothing,
}

impl CachedEmbedder {
    /// `inner`, with the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be used, `Corrupted` if it is something else.
    pub fn open(inner: Arc<dyn Embedder>, path: &Path) -> Result<Self> {
        let open = || {
            let file = Connection::open(path)?;
            file.busy_timeout(Duration::from_secs(30))?;
            // Written before it is acknowledged: that outlives the process. A power cut may cost the last seconds.
            file.pragma_update(None, "journal_mode", "wal")?;
            file.pragma_update(None, "synchronous", "normal")?;
            file.execute_batch(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS refused (key BLOB PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
                 CREATE TABLE IF NOT EXISTS truncated (key BLOB PRIMARY KEY) WITHOUT ROWID;",
            )?;
            Ok(file)
        };
        let file = open().map_err(|e| failed(e).with("path", path.display()))?;
        let mut stamp = serde_json::to_string(inner.stamp())
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the model's stamp is no JSON").because(e))?;
        stamp.extend(inner.origin().map(|origin| format!(" at {origin}")));
        let above = inner.above().map(|above| Self::open(above, path).map(Arc::new)).transpose()?;
        Ok(Self { inner, file: Mutex::new(file), stamp, above })
    }

    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By what `text` is remembered.
    ///
    /// # Errors
    /// `Invalid` if the tokenizer refuses the text.
    pub fn key(&self, text: &str) -> Result<CacheKey> {
        let mut hash = Sha256::new();
        hash.update((self.stamp.len() as u64).to_le_bytes());
        hash.update(&self.stamp);
        hash.update(self.inner.as_read(text)?);
        Ok(hash.finalize().into())
    }

    fn known(&self, text: &str) -> Result<Known> {
        let (key, file) = (self.key(text)?, self.file());
        let find = |table: &str| -> rusqlite::Result<Option<rusqlite::types::Value>> {
            let mut statement = file.prepare_cached(table)?;
            statement.query_row([key.as_slice()], |row| row.get(0)).optional()
        };
        let vector = find("SELECT vector FROM vectors WHERE key = ?1").map_err(failed)?;
        if let Some(rusqlite::types::Value::Blob(bytes)) = vector
            && let Some(vector) = self.vector(&bytes)
        {
            let cut = self.inner.as_read(text)?.len() < text.len();
            let cut = cut || find("SELECT 1 FROM truncated WHERE key = ?1").map_err(failed)?.is_some();
            return Ok(Known::Vector(vector, cut));
        }
        match find("SELECT reason FROM refused WHERE key = ?1").map_err(failed)? {
            Some(rusqlite::types::Value::Text(reason)) => Ok(Known::Refused(reason)),
            _ => Ok(Known::Nothing),
        }
    }

    /// A vector as it is stored: its numbers and their digest. Anything else is as good as nothing.
    fn vector(&self, bytes: &[u8]) -> Option<Vec<f32>> {
        let (numbers, digest) = bytes.split_at_checked(self.inner.stamp().dim * size_of::<f32>())?;
        (digest == &Sha256::digest(numbers)[..8])
            .then(|| numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn keep(&self, key: CacheKey, row: &[f32]) -> Result<()> {
        let mut bytes: Vec<u8> = row.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(&Sha256::digest(&bytes)[..8]);
        self.write("INSERT OR REPLACE INTO vectors VALUES (?1, ?2)", key, bytes)
    }

    /// Keeps the vector, made elsewhere, of the text that is remembered by `key`, in unit length if the model's have it.
    /// Returns whether it can be one of this model.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted`.
    pub fn take(&self, key: CacheKey, row: &[f32]) -> Result<bool> {
        let stamp = self.inner.stamp();
        let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        if row.len() != stamp.dim || !length.is_finite() || length == 0.0 {
            return Ok(false);
        }
        let by = if stamp.normalised { length } else { 1.0 };
        let row: Vec<f32> = row.iter().map(|x| (f64::from(*x) / by) as f32).collect();
        self.keep(key, &row).map(|()| true)
    }

    /// Remembers that the provider read the beginning alone of what it was sent.
    fn keep_truncated(&self, key: CacheKey) -> Result<()> {
        let file = self.file();
        let mut statement = file.prepare_cached("INSERT OR IGNORE INTO truncated VALUES (?1)").map_err(failed)?;
        statement.execute([key.as_slice()]).map(drop).map_err(failed)
    }

    fn write(&self, statement: &str, key: CacheKey, value: impl rusqlite::ToSql) -> Result<()> {
        let file = self.file();
        let mut statement = file.prepare_cached(statement).map_err(failed)?;
        statement.execute((key.as_slice(), value)).map(drop).map_err(failed)
    }

    /// Forgets what was refused, so that it is tried again. Returns how many texts that are.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted`.
    pub fn forget_refused(&self) -> Result<usize> {
        self.file().execute("DELETE FROM refused", ()).map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => Kind::Corrupted,
        _ => Kind::Unavailable,
    };
    let message = match kind {
        Kind::Corrupted => "the file is damaged or no cache; delete it to begin anew",
        _ => "the file cannot be read or written",
    };
    Error::new(kind, OPERATION, message).because(error)
}

impl Embedder for CachedEmbedder {
    fn stamp(&self) -> &ModelStamp {
        self.inner.stamp()
    }

    fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embeddings> {
        if purpose == Purpose::Query {
            return self.inner.embed(texts, purpose);
        }
        gathered(self, texts, purpose)
    }

    fn embed_each(
        &self,
        texts: &[&str],
        purpose: Purpose,
        keep: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<Kept> {
        if purpose == Purpose::Query {
            return self.inner.embed_each(texts, purpose, keep);
        }
        let (mut refused, mut truncated) = (Vec::new(), Vec::new());
        // Each unknown text once, with its places.
        let (mut asked, mut places) = (Vec::new(), Vec::<Vec<usize>>::new());
        let mut numbers = HashMap::<&str, usize>::new();
        for (at, text) in texts.iter().copied().enumerate() {
            if let Some(&n) = numbers.get(text) {
                places[n].push(at);
                continue;
            }
            match self.known(text)? {
                Known::Vector(row, cut) => {
                    truncated.extend(cut.then_some(at));
                    keep(at, &row)?;
                }
                Known::Refused(reason) => refused.push(Refused { text: at, reason }),
                Known::Nothing => {
                    numbers.insert(text, asked.len());
                    asked.push(text);
                    places.push(vec![at]);
                }
            }
        }
        let mut kept = self.inner.embed_each(&asked, purpose, &mut |n, row| {
            self.keep(self.key(asked[n])?, row)?;
            places[n].iter().try_for_each(|&at| keep(at, row))
        })?;
        for n in std::mem::take(&mut kept.truncated) {
            // Where it was cut here, another text with the same key may be all of what was sent.
            if self.inner.as_read(asked[n])?.len() == asked[n].len() {
                self.keep_truncated(self.key(asked[n])?)?;
            }
            truncated.extend(&places[n]);
        }
        truncated.sort_unstable();
        kept.truncated = truncated;
        for Refused { text, reason } in std::mem::take(&mut kept.refused) {
            self.write("INSERT OR REPLACE INTO refused VALUES (?1, ?2)", self.key(asked[text])?, &reason)?;
            refused.extend(places[text].iter().map(|&at| Refused { text: at, reason: reason.clone() }));
        }
        refused.sort_unstable_by_key(|refused| refused.text);
        Ok(Kept { refused, ..kept })
    }

    fn unpaid(&self, texts: &[&str]) -> Result<Vec<usize>> {
        let (mut unknown, mut seen) = (Vec::new(), HashSet::new());
        for (at, text) in texts.iter().copied().enumerate() {
            if seen.insert(text) && matches!(self.known(text)?, Known::Nothing) {
                unknown.push(at);
            }
        }
        Ok(unknown)
    }

    fn retry_refused(&self) -> Result<usize> {
        self.forget_refused()
    }

    fn above(&self) -> Option<Arc<dyn Embedder>> {
        self.above.clone().map(|above| above as _)
    }

    fn as_read<'t>(&self, text: &'t str) -> Result<&'t str> {
        self.inner.as_read(text)
    }

    fn origin(&self) -> Option<&str> {
        self.inner.origin()
    }

    fn cleared(&self) -> Option<&Cleared> {
        self.inner.cleared()
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.inner.tokenizer()
    }
}

#[cfg(test)]
mod tests;
