//! Bytes for a server that is no model, such as a collector of spans: by the same means as all calls.

use std::time::Duration;

use reqwest::Client;
use safepassage_error::{Error, Kind, Result};

use super::http::client;
use super::runtime::wait_for;

const OPERATION: &str = "post";
/// For a request with its answer.
const WITHIN: Duration = Duration::from_secs(10);

/// Posts bytes. Redirects are not followed; what goes over http takes no proxy.
#[derive(Debug, Clone)]
pub struct Post {
    secure: Client,
    plain: Client,
}

impl Post {
    /// One for any server.
    ///
    /// # Errors
    /// `Unavailable` if there is no TLS on this machine.
    pub fn new() -> Result<Self> {
        let made = |plain| client(plain)?.timeout(WITHIN).build().map_err(|e| failed("no HTTP client can be made", e));
        Ok(Self { secure: made(false)?, plain: made(true)? })
    }

    /// Posts `body` to `url` with `headers`, and gives the status of the answer and its bytes. The calling thread waits.
    ///
    /// # Errors
    /// `Unavailable` if there is no answer.
    pub fn send<'a>(
        &self,
        url: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: Vec<u8>,
    ) -> Result<(u16, Vec<u8>)> {
        let client = if url.starts_with("https:") { &self.secure } else { &self.plain };
        let request = headers.fold(client.post(url), |request, (name, value)| request.header(name, value)).body(body);
        wait_for(async move {
            let answer = request.send().await.map_err(|e| failed("no answer", e))?;
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.map_err(|e| failed("the answer was cut off", e))?;
            Ok((status, bytes.to_vec()))
        })
    }
}

fn failed(message: &str, cause: reqwest::Error) -> Error {
    Error::new(Kind::Unavailable, OPERATION, message).because(cause)
}
