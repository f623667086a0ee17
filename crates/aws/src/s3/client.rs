//! One request to S3: a page of a listing, or the content of an object.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{ChecksumMode, EncodingType};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use safepassage_error::{Error, Kind, Result};
use safepassage_ingest::{StoredContent, StoredFile};
use safepassage_models::remote::{CallError, wait_for};

use super::keys::decoded;
use crate::account::Account;
use crate::fault::call_error;

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    name: String,
}

/// A page of a listing, and where the next one begins.
#[derive(Debug)]
pub(super) struct Page {
    pub files: Vec<StoredFile>,
    pub next: Option<String>,
}

/// The content, or why this object alone has none for us.
pub(super) type Content = std::result::Result<StoredContent, Error>;

impl Bucket {
    pub fn open(account: &Account, name: &str) -> Result<Self> {
        let (account, name) = (account.clone(), name.to_owned());
        wait_for(async move {
            let config = account.config().await;
            let mut s3 = aws_sdk_s3::config::Builder::from(&config);
            let elsewhere = account.endpoint_url.or_else(|| config.endpoint_url().map(str::to_owned));
            if let Some(url) = elsewhere {
                // A store that is no Amazon's seldom has a name for each bucket.
                s3 = s3.endpoint_url(url).force_path_style(true);
            }
            Ok(Self { client: Client::from_conf(s3.build()), name })
        })
    }

    /// The objects below `prefix`, at most `most` of them, after the page that ended with `after`.
    pub async fn page(&self, prefix: &str, after: Option<String>, most: Option<i32>) -> Result<Page, CallError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        // Keys may have bytes that no XML can hold.
        let request = request.encoding_type(EncodingType::Url);
        let page = request.set_continuation_token(after).set_max_keys(most).send().await.map_err(call_error)?;
        let encoded = page.encoding_type() == Some(&EncodingType::Url);
        let unreadable = || CallError::unavailable("the listing cannot be read");
        let mut files = Vec::new();
        for object in page.contents() {
            let key = object.key().ok_or_else(unreadable)?;
            let key = if encoded { decoded(key).ok_or_else(unreadable)? } else { key.to_owned() };
            let key = key.strip_prefix(prefix).ok_or_else(unreadable)?.to_owned();
            files.push(StoredFile {
                key,
                bytes: object.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(unreadable)?,
                tag: object.e_tag().map(str::to_owned),
                modified: object.last_modified().map(|time| time.as_secs_f64().to_string()),
                version: None,
            });
        }
        let next = page.next_continuation_token().map(str::to_owned);
        match (page.is_truncated().unwrap_or(false), next) {
            // What is missing would be taken for gone.
            (true, None) => Err(CallError::unavailable("the listing ends in the middle")),
            (true, next) => Ok(Page { files, next }),
            (false, _) => Ok(Page { files, next: None }),
        }
    }

    /// The object `key`, without a name, if there is one.
    pub async fn head(&self, key: &str) -> Result<Option<StoredFile>, CallError> {
        let found = match self.client.head_object().bucket(&self.name).key(key).send().await {
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
                return Ok(None);
            }
            outcome => outcome.map_err(call_error)?,
        };
        let bytes = found.content_length().and_then(|length| u64::try_from(length).ok());
        Ok(Some(StoredFile {
            key: String::new(),
            bytes: bytes.ok_or_else(|| CallError::unavailable("an object has no length"))?,
            tag: found.e_tag().map(str::to_owned),
            modified: found.last_modified().map(|time| time.as_secs_f64().to_string()),
            version: found.version_id.filter(|version| is_version(version)),
        }))
    }

    /// The whole object `key`, if it is still the one that was listed as `file`.
    pub async fn content(&self, key: &str, file: &StoredFile) -> Result<Content, CallError> {
        self.part(key, file, None).await
    }

    /// As [`Bucket::content`], of these bytes alone if any are given.
    pub async fn part(&self, key: &str, file: &StoredFile, of: Option<Range<u64>>) -> Result<Content, CallError> {
        let request = self.client.get_object().bucket(&self.name).key(key).checksum_mode(ChecksumMode::Enabled);
        let length = of.as_ref().map_or(file.bytes, |of| of.end - of.start);
        let request = request.set_range(of.map(|of| format!("bytes={}-{}", of.start, of.end.saturating_sub(1))));
        let answer = match request.set_if_match(file.tag.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let alone = |kind, what: &str| Ok(Err(Error::new(kind, "read object", what)));
                let status = error.raw_response().map(|response| response.status().as_u16());
                return match (error.code(), status) {
                    (_, Some(412)) => alone(Kind::Conflict, "it is another one by now"),
                    (Some("NoSuchKey"), _) => alone(Kind::NotFound, "it is gone"),
                    (Some("AccessDenied"), _) => alone(Kind::Denied, "this account may not read it"),
                    (Some("InvalidObjectState"), _) => alone(Kind::Denied, "it is archived; restore it first"),
                    _ => Err(call_error(error)),
                };
            }
        };
        // Cut off or spoiled on the way: it may arrive the next time.
        let broken = || CallError {
            error: Error::corrupted("read object", "it does not arrive whole"),
            ..CallError::unavailable("")
        };
        let version = answer.version_id.filter(|version| is_version(version));
        let bytes = answer.body.collect().await.map_err(|e| broken().because(e))?.to_vec();
        if bytes.len() as u64 == length { Ok(Ok(StoredContent { bytes, version })) } else { Err(broken()) }
    }

    /// Writes the object `key`.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), CallError> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(content.into());
        request.send().await.map(drop).map_err(call_error)
    }

    /// Deletes the object `key`; one that is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<(), CallError> {
        self.client.delete_object().bucket(&self.name).key(key).send().await.map(drop).map_err(call_error)
    }
}

/// Whether `version` names what never changes: objects of a bucket that keeps no versions, or does not any more, are all
/// called `null`.
pub(super) fn is_version(version: &str) -> bool {
    !matches!(version, "" | "null")
}
