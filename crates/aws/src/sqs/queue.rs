//! A queue that S3 (or EventBridge, or SNS) writes to, as whoever keeps an index up to date reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Result};
use safepassage_models::remote::{CallLimits, Caller, Cost, wait_for};

use super::client::{AT_ONCE, Queue};
use crate::account::Account;
use crate::options;
use crate::s3::{ObjectEvents, changed_below};

const OPERATION: &str = "read queue";
/// So long nobody else is given a message: whoever took it acts upon it meanwhile, or has died.
const HIDDEN_S: i32 = 15 * 60;
/// The longest that SQS lets one wait for a message.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// So long it is waited for more once there is one, each time and in all: a document and its sidecar come one after the
/// other, and a sync for each of many would be a generation for each.
const MORE: Duration = Duration::from_secs(1);
const MORE_IN_ALL_S: f64 = 5.0;
/// So many messages are acted upon at once.
const MOST: usize = 1_000;

/// A queue with messages about objects. It should have one reader.
#[derive(Debug)]
pub struct EventQueue {
    queue: Queue,
    caller: Caller,
    url: String,
}

/// Messages that were received and say what may have changed.
#[derive(Debug, Default)]
pub struct Taken(BTreeMap<String, (ObjectEvents, String)>);

/// A message that cannot be read. It stays in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its id.
    pub message: String,
    /// Why.
    pub reason: String,
}

impl EventQueue {
    /// The queue at `url`, as SQS calls it (`https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`), with options as
    /// `?region=…&endpoint=…&role=…&external_id=…`. A queue at any other host is looked for there.
    ///
    /// # Errors
    /// `Invalid` if it is no URL of a queue.
    pub fn open(url: &str) -> Result<Self> {
        Self::of_account(url, &Account::default(), CallLimits::default())
    }

    /// As [`EventQueue::open`], within `limits`; what the URL does not state is of `account`.
    ///
    /// # Errors
    /// `Invalid` if it is no URL of a queue.
    pub fn of_account(url: &str, account: &Account, limits: CallLimits) -> Result<Self> {
        let (url, given) = options::read(url)?;
        let (origin, region) = place(url)
            .ok_or_else(|| Error::invalid(OPERATION, format!("`{url}` is not https://HOST/ACCOUNT/QUEUE")))?;
        let elsewhere = region.is_none().then(|| origin.to_owned());
        let account = Account {
            region: given.region.or_else(|| region.map(str::to_owned)).or_else(|| account.region.clone()),
            endpoint_url: given.endpoint_url.or_else(|| account.endpoint_url.clone()).or(elsewhere),
            role: given.role.or_else(|| account.role.clone()),
            ..account.clone()
        };
        Ok(Self { queue: Queue::open(&account, url)?, caller: Caller::new(limits)?, url: url.to_owned() })
    }

    /// Adds to `taken` what waits in the queue: waits for the first message (20 seconds at most), then some seconds for
    /// those that come right after it, up to a thousand. Returns those that cannot be read.
    ///
    /// # Errors
    /// `NotFound` if there is no such queue; `Denied` if it may not be read, or the credentials are expired;
    /// `Unavailable`, `Throttled`.
    pub fn receive(&self, wait: Duration, taken: &mut Taken) -> Result<Vec<Unread>> {
        let (mut unread, mut wait) = (Vec::new(), wait.min(LONGEST_WAIT));
        let mut since = None::<Stopwatch>;
        let over = |since: &Option<Stopwatch>| since.as_ref().is_some_and(|since| since.seconds() > MORE_IN_ALL_S);
        while taken.0.len() + unread.len() < MOST && !over(&since) {
            let (queue, caller, wait_s) = (self.queue.clone(), self.caller.clone(), wait.as_secs() as i32);
            let call = async move { caller.call(Cost::default(), || queue.receive(wait_s, HIDDEN_S)).await };
            let messages = wait_for(call).map_err(|e| self.named(e))?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let id = message.message_id.unwrap_or_default();
                match (ObjectEvents::read(&message.body.unwrap_or_default()), message.receipt_handle) {
                    // One that comes again counts by its last receipt.
                    (Ok(events), Some(receipt)) => drop(taken.0.insert(id, (events, receipt))),
                    (Ok(_), None) => unread.push(Unread { message: id, reason: "it has no receipt".into() }),
                    (Err(error), _) => unread.push(Unread { message: id, reason: error.message().to_owned() }),
                }
            }
            since.get_or_insert_with(Stopwatch::start);
            wait = wait.min(MORE);
        }
        Ok(unread)
    }

    /// Deletes the messages of `taken`, which is empty then. Returns how many come again nevertheless: those that were
    /// received anew since.
    ///
    /// # Errors
    /// As [`EventQueue::receive`]; what is not deleted yet is still in `taken`.
    pub fn delete(&self, taken: &mut Taken) -> Result<usize> {
        let mut left = 0;
        while !taken.0.is_empty() {
            let ids: Vec<String> = taken.0.keys().take(AT_ONCE).cloned().collect();
            let receipts: Vec<String> = ids.iter().filter_map(|id| Some(taken.0.get(id)?.1.clone())).collect();
            let (queue, caller) = (self.queue.clone(), self.caller.clone());
            let call = async move { caller.call(Cost::default(), || queue.delete(&receipts)).await };
            left += wait_for(call).map_err(|e| self.named(e))?;
            ids.iter().for_each(|id| drop(taken.0.remove(id)));
        }
        Ok(left)
    }

    /// What calls failed with, and of what.
    fn named(&self, error: Error) -> Error {
        Error::new(error.kind(), OPERATION, error.message()).with("queue", &self.url).because(error)
    }
}

impl Taken {
    /// How many messages it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As [`changed_below`], of all of them.
    ///
    /// # Errors
    /// `Invalid` if `url` is no URL of a bucket.
    pub fn changed_below(&self, url: &str) -> Result<BTreeMap<String, Option<String>>> {
        changed_below(url, self.0.values().map(|(events, _)| events))
    }
}

/// Where the queue at `url` is asked for: scheme and host, and the region if the host is Amazon's own.
fn place(url: &str) -> Option<(&str, Option<&str>)> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let whole = matches!(scheme, "http" | "https") && !host.is_empty() && path.contains('/') && !path.ends_with('/');
    let region = host
        .strip_prefix("sqs.")
        .and_then(|host| host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn")));
    whole.then(|| (&url[..scheme.len() + 3 + host.len()], region.filter(|region| !region.contains('.'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_in_the_name_of_amazons_own_hosts_alone() {
        for (url, place_of) in [
            (
                "https://sqs.eu-central-1.amazonaws.com/123/docs",
                Some(("https://sqs.eu-central-1.amazonaws.com", Some("eu-central-1"))),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123/docs",
                Some(("https://sqs.cn-north-1.amazonaws.com.cn", Some("cn-north-1"))),
            ),
            (
                "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q",
                Some(("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com", None)),
            ),
            ("http://127.0.0.1:4566/000000000000/q", Some(("http://127.0.0.1:4566", None))),
            ("docs", None),
            ("https://sqs.eu-central-1.amazonaws.com/docs", None),
            ("arn:aws:sqs:eu-central-1:123:docs", None),
            ("s3://bucket/a/b", None),
        ] {
            assert_eq!(place(url), place_of, "{url}");
        }
    }
}
