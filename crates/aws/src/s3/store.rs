//! `s3://BUCKET/FOLDER` as a source of documents.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use safepassage_error::{Error, Kind, Result};
use safepassage_ingest::{FileStore, FileStores, StoredContent, StoredFile};
use safepassage_models::remote::{CallLimits, Caller, Cost, wait_for};

use super::client::{Bucket, Content};
use crate::account::Account;
use crate::options;

const OPERATION: &str = "read S3";
/// Of a long file of lines, that much is fetched at once.
const PART_BYTES: u64 = 8 << 20;

/// Opens `s3://BUCKET/FOLDER`, with options as `?region=…&endpoint=…&role=…&external_id=…`.
#[derive(Debug, Clone)]
pub struct S3Stores {
    account: Account,
    limits: CallLimits,
}

/// The objects below a folder of a bucket.
#[derive(Debug)]
pub struct S3Files {
    bucket: Bucket,
    caller: Caller,
    url: String,
    /// Empty, or with `/` at its end.
    prefix: String,
}

impl Default for S3Stores {
    fn default() -> Self {
        Self::new(Account::default(), Self::limits())
    }
}

impl S3Stores {
    /// Buckets that `account` may read, within `limits`. What a URL states of the account comes first.
    #[must_use]
    pub fn new(account: Account, limits: CallLimits) -> Self {
        Self { account, limits }
    }

    /// Limits that suit files: two minutes for one, 32 at once.
    #[must_use]
    pub fn limits() -> CallLimits {
        let (attempt, deadline) = (Duration::from_secs(120), Duration::from_secs(600));
        CallLimits { attempt, deadline, max_concurrent: 32, ..CallLimits::default() }
    }

    /// The files at `url`.
    ///
    /// # Errors
    /// `Invalid` if it is no URL of a bucket.
    pub fn files(&self, url: &str) -> Result<S3Files> {
        let (place, given) = options::read(url)?;
        let refused = || Error::invalid("open source", format!("`{url}` is not s3://BUCKET/FOLDER"));
        let place = place.strip_prefix("s3://").ok_or_else(refused)?;
        let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
        let folder = folder.trim_end_matches('/');
        if bucket.is_empty() || folder.starts_with('/') {
            return Err(refused());
        }
        let account = Account {
            region: given.region.or_else(|| self.account.region.clone()),
            endpoint_url: given.endpoint_url.or_else(|| self.account.endpoint_url.clone()),
            role: given.role.or_else(|| self.account.role.clone()),
            ..self.account.clone()
        };
        let (url, prefix) = match folder {
            "" => (format!("s3://{bucket}"), String::new()),
            folder => (format!("s3://{bucket}/{folder}"), format!("{folder}/")),
        };
        let bucket = Bucket::open(&account, bucket)?;
        Ok(S3Files { bucket, caller: Caller::new(self.limits)?, url, prefix })
    }
}

impl S3Files {
    /// Writes the file `key`.
    ///
    /// # Errors
    /// `Unavailable`, `Throttled`, `Denied`.
    pub(crate) fn put(&self, key: &str, content: Vec<u8>) -> Result<()> {
        let (bucket, caller, key) = (self.bucket.clone(), self.caller.clone(), format!("{}{key}", self.prefix));
        let written = wait_for(async move { caller.call(Cost::default(), || bucket.put(&key, content.clone())).await });
        written.map_err(|e| self.named(e))
    }

    /// Deletes the file `key`; one that is not there is no error.
    ///
    /// # Errors
    /// `Unavailable`, `Throttled`, `Denied`.
    pub(crate) fn delete(&self, key: &str) -> Result<()> {
        let (bucket, caller, key) = (self.bucket.clone(), self.caller.clone(), format!("{}{key}", self.prefix));
        let deleted = wait_for(async move { caller.call(Cost::default(), || bucket.delete(&key)).await });
        deleted.map_err(|e| self.named(e))
    }

    /// Calls `each` with every line of `file`, of which only a part is in memory at once.
    ///
    /// # Errors
    /// What `each` fails with; `Conflict` if it is another file by now; `Unavailable`, `Throttled`, `Denied`.
    pub(crate) fn each_line(&self, file: &StoredFile, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut at, mut held) = (0, Vec::new());
        while at < file.bytes {
            let of = at..file.bytes.min(at + PART_BYTES);
            at = of.end;
            let (bucket, caller, key) =
                (self.bucket.clone(), self.caller.clone(), format!("{}{}", self.prefix, file.key));
            let file = file.clone();
            let part =
                wait_for(
                    async move { caller.call(Cost::default(), || bucket.part(&key, &file, Some(of.clone()))).await },
                );
            held.extend(part.map_err(|e| self.named(e))??.bytes);
            let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            held[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).try_for_each(&mut *each)?;
            held.drain(..whole);
        }
        if held.is_empty() { Ok(()) } else { each(&held) }
    }

    /// What calls failed with, and of what.
    fn named(&self, error: Error) -> Error {
        Error::new(error.kind(), OPERATION, error.message()).with("source", &self.url).because(error)
    }
}

impl FileStores for S3Stores {
    fn open(&self, url: &str) -> Result<Box<dyn FileStore>> {
        Ok(Box::new(self.files(url)?))
    }
}

impl FileStore for S3Files {
    fn url(&self) -> &str {
        &self.url
    }

    fn list(&self) -> Result<Vec<StoredFile>> {
        let (bucket, caller, prefix) = (self.bucket.clone(), self.caller.clone(), self.prefix.clone());
        wait_for(async move {
            let (mut files, mut after) = (Vec::new(), None);
            loop {
                let page = caller.call(Cost::default(), || bucket.page(&prefix, after.clone(), None)).await?;
                files.extend(page.files);
                if page.next.is_none() {
                    return Ok(files);
                }
                if page.next == after {
                    return Err(Error::new(Kind::Unavailable, OPERATION, "the listing goes round in a circle"));
                }
                after = page.next;
            }
        })
        .map_err(|e| self.named(e))
    }

    fn find(&self, key: &str) -> Result<Option<StoredFile>> {
        let (bucket, caller, key) = (self.bucket.clone(), self.caller.clone(), format!("{}{key}", self.prefix));
        let prefix = self.prefix.clone();
        let wanted = key.strip_prefix(&prefix).unwrap_or(&key).to_owned();
        // A listing says the same of an object as the listing before did; of all that begin so, its own key is the first. Not
        // every store that speaks S3 keeps to that order, and what is not found is taken for gone.
        let found = wait_for(async move {
            let page = caller.call(Cost::default(), || bucket.page(&key, None, Some(1))).await?;
            match page.files.first() {
                None if page.next.is_none() => Ok(None),
                Some(file) if file.key.is_empty() => Ok(page.files.into_iter().next()),
                _ => caller.call(Cost::default(), || bucket.head(&key)).await,
            }
        });
        let found = found.map_err(|e| self.named(e))?;
        Ok(found.map(|file| StoredFile { key: wanted, ..file }))
    }

    fn get(&self, files: &[&StoredFile]) -> Result<Vec<Result<StoredContent>>> {
        let (bucket, caller, prefix) = (self.bucket.clone(), self.caller.clone(), self.prefix.clone());
        let files: Vec<StoredFile> = files.iter().map(|file| (*file).clone()).collect();
        let contents = wait_for(async move {
            let beside = caller.limits().max_concurrent;
            let one = |file: StoredFile| {
                let (bucket, caller, key) = (&bucket, &caller, format!("{prefix}{}", file.key));
                async move {
                    match caller.call(Cost::default(), || bucket.content(&key, &file)).await {
                        Err(error) if error.kind() == Kind::Corrupted => Ok(Err(error)),
                        outcome => outcome,
                    }
                }
            };
            stream::iter(files).map(one).buffered(beside).try_collect::<Vec<Content>>().await
        });
        let contents = contents.map_err(|e| self.named(e))?;
        let denied = |content: &Content| matches!(content, Err(error) if error.kind() == Kind::Denied);
        // One object may be closed to us; when all are, something is wrong with the account and not with them.
        if contents.len() > 1 && contents.iter().all(denied) {
            let message = format!("this account may read none of {} objects", contents.len());
            return Err(Error::new(Kind::Denied, OPERATION, message).with("source", &self.url));
        }
        Ok(contents)
    }
}
