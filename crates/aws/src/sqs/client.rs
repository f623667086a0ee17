//! One request to SQS.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use safepassage_error::Result;
use safepassage_models::remote::{CallError, wait_for};

use crate::account::Account;
use crate::fault::call_error;

/// As many as one request gives or deletes.
pub(super) const AT_ONCE: usize = 10;

/// A queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub fn open(account: &Account, url: &str) -> Result<Self> {
        let (account, url) = (account.clone(), url.to_owned());
        wait_for(async move {
            let mut sqs = aws_sdk_sqs::config::Builder::from(&account.config().await);
            sqs.set_endpoint_url(account.endpoint_url);
            Ok(Self { client: Client::from_conf(sqs.build()), url })
        })
    }

    /// Some of the messages that wait there, after at most `wait_s` seconds if there are none. For `hidden_s` seconds nobody
    /// is given them again.
    pub async fn receive(&self, wait_s: i32, hidden_s: i32) -> Result<Vec<Message>, CallError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(AT_ONCE as i32);
        let answer = request.wait_time_seconds(wait_s).visibility_timeout(hidden_s).send().await.map_err(call_error)?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes the messages that were received as `receipts`, at most [`AT_ONCE`]. Returns how many are not deleted.
    pub async fn delete(&self, receipts: &[String]) -> Result<usize, CallError> {
        let entries = receipts.iter().enumerate().map(|(n, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(receipt);
            entry.build().map_err(|_| CallError::unavailable("the request cannot be made"))
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        Ok(request.send().await.map_err(call_error)?.failed.len())
    }
}
