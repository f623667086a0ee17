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
}

type Key = [u8; 32];

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
        let stamp = serde_json::to_string(inner.stamp())
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the model's stamp is no JSON").because(e))?;
        Ok(Self { inner, file: Mutex::new(file), stamp })
    }

    fn file(&self) -> MutexGuard<'_, Connection> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, text: &str) -> Key {
        let mut hash = Sha256::new();
        hash.update((self.stamp.len() as u64).to_le_bytes());
        hash.update(&self.stamp);
        hash.update(text);
        hash.finalize().into()
    }

    fn known(&self, text: &str) -> Result<Known> {
        let (file, key) = (self.file(), self.key(text));
        let find = |table: &str| -> rusqlite::Result<Option<rusqlite::types::Value>> {
            let mut statement = file.prepare_cached(table)?;
            statement.query_row([key.as_slice()], |row| row.get(0)).optional()
        };
        let vector = find("SELECT vector FROM vectors WHERE key = ?1").map_err(failed)?;
        if let Some(rusqlite::types::Value::Blob(bytes)) = vector
            && let Some(vector) = self.vector(&bytes)
        {
            let cut = find("SELECT 1 FROM truncated WHERE key = ?1").map_err(failed)?;
            return Ok(Known::Vector(vector, cut.is_some()));
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

    fn keep(&self, text: &str, row: &[f32]) -> Result<()> {
        // Before the vector, or it would be known without, should this end in between.
        if self.is_cut(text)? {
            self.keep_truncated(text)?;
        }
        let mut bytes: Vec<u8> = row.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(&Sha256::digest(&bytes)[..8]);
        self.write("INSERT OR REPLACE INTO vectors VALUES (?1, ?2)", text, bytes)
    }

    /// Keeps a vector of `text` that was made elsewhere, in unit length if the model's have it. Returns whether it can be one
    /// of this model.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupted`.
    pub fn take(&self, text: &str, row: &[f32]) -> Result<bool> {
        let stamp = self.inner.stamp();
        let length = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        if row.len() != stamp.dim || !length.is_finite() || length == 0.0 {
            return Ok(false);
        }
        let by = if stamp.normalised { length } else { 1.0 };
        let row: Vec<f32> = row.iter().map(|x| (f64::from(*x) / by) as f32).collect();
        self.keep(text, &row).map(|()| true)
    }

    /// Whether the model reads no more than the beginning of `text`, as far as can be told here.
    fn is_cut(&self, text: &str) -> Result<bool> {
        let tokenizer = self.inner.tokenizer();
        let most = tokenizer.max_tokens();
        // No token has less than a byte.
        Ok(text.len() > most && tokenizer.offsets(text)?.len() > most)
    }

    fn keep_truncated(&self, text: &str) -> Result<()> {
        let (file, key) = (self.file(), self.key(text));
        let mut statement = file.prepare_cached("INSERT OR IGNORE INTO truncated VALUES (?1)").map_err(failed)?;
        statement.execute([key.as_slice()]).map(drop).map_err(failed)
    }

    fn write(&self, statement: &str, text: &str, value: impl rusqlite::ToSql) -> Result<()> {
        let (file, key) = (self.file(), self.key(text));
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
            self.keep(asked[n], row)?;
            places[n].iter().try_for_each(|&at| keep(at, row))
        })?;
        for n in std::mem::take(&mut kept.truncated) {
            self.keep_truncated(asked[n])?;
            truncated.extend(&places[n]);
        }
        truncated.sort_unstable();
        kept.truncated = truncated;
        for Refused { text, reason } in std::mem::take(&mut kept.refused) {
            self.write("INSERT OR REPLACE INTO refused VALUES (?1, ?2)", asked[text], &reason)?;
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

    fn cleared(&self) -> Option<&Cleared> {
        self.inner.cleared()
    }

    fn tokenizer(&self) -> &Tokenizer {
        self.inner.tokenizer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::tests::words;

    /// Counts how often each text is embedded; fails at the text `fail`, refuses `refuse`.
    struct Counting {
        stamp: ModelStamp,
        tokenizer: Tokenizer,
        paid: Mutex<HashMap<String, u64>>,
        fails: Mutex<bool>,
    }

    impl Embedder for Counting {
        fn stamp(&self) -> &ModelStamp {
            &self.stamp
        }

        fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
            texts.iter().for_each(|text| *self.paid.lock().unwrap().entry((*text).to_owned()).or_default() += 1);
            let values = texts.iter().flat_map(|text| [text.len() as f32, 1.0]).collect();
            Ok(Embeddings { dim: 2, values, tokens: texts.len() as u64, truncated: Vec::new() })
        }

        fn embed_each(
            &self,
            texts: &[&str],
            purpose: Purpose,
            keep: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
        ) -> Result<Kept> {
            let mut kept = Kept::default();
            for (at, text) in texts.iter().enumerate() {
                if text.starts_with("cut ") {
                    kept.truncated.push(at);
                }
                match *text {
                    "fail" if *self.fails.lock().unwrap() => {
                        return Err(Error::new(Kind::Unavailable, "embed", "down"));
                    }
                    "refuse" => kept.refused.push(Refused { text: at, reason: "too rude".into() }),
                    text => keep(at, &self.embed(&[text], purpose)?.values)?,
                }
            }
            Ok(kept)
        }

        fn tokenizer(&self) -> &Tokenizer {
            &self.tokenizer
        }
    }

    fn counting(model: &str) -> Arc<Counting> {
        let stamp = ModelStamp {
            provider: "test".into(),
            model: model.into(),
            dim: 2,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: None,
        };
        Arc::new(Counting { stamp, tokenizer: words(), paid: Mutex::default(), fails: Mutex::new(true) })
    }

    fn paid(counting: &Counting) -> Vec<(String, u64)> {
        let mut paid: Vec<_> = counting.paid.lock().unwrap().clone().into_iter().collect();
        paid.sort_unstable();
        paid
    }

    #[test]
    fn a_text_that_was_cut_is_told_of_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
        let long = "long ".repeat(inner.tokenizer.max_tokens() + 1);
        let long = long.as_str();
        let texts = ["one", "cut by the model", long, "fail", "cut by the model"];
        let truncated = |texts: &[&str]| {
            let cached = CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
            Ok::<_, Error>(cached.embed_each(texts, Purpose::Document, &mut |_, _| Ok(()))?.truncated)
        };
        // What the model would have told is lost with the call; what can be told here is not.
        assert_eq!(truncated(&texts).unwrap_err().kind(), Kind::Unavailable);
        assert!(truncated(&texts[..1]).unwrap().is_empty());
        assert_eq!(truncated(&[long]).unwrap(), [0]);
        let texts = ["two", "cut once", long, "cut once"];
        for _ in 0..2 {
            assert_eq!(truncated(&texts).unwrap(), [1, 2, 3]);
        }
        assert!(paid(&inner).iter().all(|(_, times)| *times == 1));
    }

    #[test]
    fn nothing_that_came_before_a_failure_is_paid_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
        let open = || CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
        let texts = ["one", "two", "refuse", "fail", "three", "one", "three"];
        assert_eq!(open().embed(&texts, Purpose::Document).unwrap_err().kind(), Kind::Unavailable);
        *inner.fails.lock().unwrap() = false;
        let (cached, mut rows) = (open(), HashMap::new());
        assert_eq!(cached.unpaid(&texts).unwrap(), [2, 3, 4]);
        let kept = cached.embed_each(&texts, Purpose::Document, &mut |at, row| {
            rows.insert(at, row.to_vec());
            Ok(())
        });
        let refused = kept.unwrap().refused;
        assert_eq!(refused, [Refused { text: 2, reason: "too rude".into() }]);
        assert_eq!((rows.len(), &rows[&4], &rows[&6]), (6, &vec![5.0, 1.0], &vec![5.0, 1.0]));
        let once = ["fail", "one", "three", "two"].map(|text| (text.to_owned(), 1));
        assert_eq!(paid(&inner), once);
        // Remembered as refused until somebody says otherwise, and by no other model.
        assert_eq!((open().unpaid(&texts).unwrap().len(), open().retry_refused().unwrap()), (0, 1));
        assert_eq!(open().unpaid(&texts).unwrap(), [2]);
        let other = CachedEmbedder::open(counting("b"), &path).unwrap();
        assert_eq!(other.unpaid(&texts).unwrap().len(), 5);
    }

    #[test]
    fn a_vector_that_was_damaged_is_made_again_and_a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
        let cached = CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
        cached.embed(&["one"], Purpose::Document).unwrap();
        cached.file().execute("UPDATE vectors SET vector = zeroblob(16)", ()).unwrap();
        assert_eq!(cached.embed(&["one"], Purpose::Document).unwrap().values, [3.0, 1.0]);
        assert_eq!(paid(&inner), [("one".to_owned(), 2)]);
        let other = folder.path().join("other");
        std::fs::write(&other, "this is a letter and no database".repeat(100)).unwrap();
        let error = CachedEmbedder::open(counting("a"), &other).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupted, "{error}");
    }

    #[test]
    fn questions_leave_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let inner = counting("a");
        let cached =
            CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &folder.path().join("c.sqlite")).unwrap();
        cached.embed(&["who is ill?"], Purpose::Query).unwrap();
        assert_eq!(cached.unpaid(&["who is ill?"]).unwrap(), [0]);
    }
}
