//! Here is an engine at a URL: what does it answer?
//!
//! JSON by POST, over https alone unless the engine is on this machine or it is said otherwise. Redirects are not
//! followed; an answer that is late, too long, cut off, of another status than 200 or no JSON is none.

use std::fmt;
use std::time::Duration;

use safepassage_error::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{HeaderValue, Uri};

/// Where an engine is, and what it is given to answer in.
#[derive(Clone)]
pub struct Endpoint {
    /// Its address, with the path that everything is under, if any.
    pub url: String,
    /// What it knows the caller by.
    pub bearer_token: Option<String>,
    /// For one request, connecting included; two seconds unless set.
    pub timeout: Duration,
    /// For one answer; a megabyte unless set.
    pub max_answer_bytes: u64,
    /// Whether questions and token may go over the network unencrypted; not unless set.
    pub allow_http: bool,
}

impl Endpoint {
    /// The engine at `url`, with the settings as they are unless set.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            bearer_token: None,
            timeout: Duration::from_secs(2),
            max_answer_bytes: 1 << 20,
            allow_http: false,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, timeout, max_answer_bytes, allow_http, .. } = self;
        let mut shown = f.debug_struct("Endpoint");
        shown.field("url", url).field("timeout", timeout).field("max_answer_bytes", max_answer_bytes);
        shown.field("allow_http", allow_http).finish_non_exhaustive()
    }
}

/// Asks an engine.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    authorization: Option<HeaderValue>,
    max_answer_bytes: u64,
}

impl Client {
    pub fn new(endpoint: &Endpoint) -> Result<Self> {
        let uri = checked(endpoint)?;
        let encrypted = uri.scheme_str() == Some("https");
        let mut config = Agent::config_builder()
            .https_only(encrypted)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(endpoint.timeout));
        if !encrypted {
            // What is meant for this machine or its network goes nowhere else.
            config = config.proxy(None);
        }
        let authorization = endpoint.bearer_token.as_ref().map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| invalid("the bearer token cannot stand in a header"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        Ok(Self {
            agent: config.build().into(),
            base: endpoint.url.trim_end_matches('/').to_owned(),
            authorization: authorization.transpose()?,
            max_answer_bytes: endpoint.max_answer_bytes,
        })
    }

    /// What the engine answers to `question` at `path`, which begins with a slash.
    pub fn post<A: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<A> {
        let body = serde_json::to_vec(question)
            .map_err(|e| Error::new(Kind::Internal, OPERATION, "the question is no JSON").because(e))?;
        let mut request = self.agent.post(format!("{}{path}", self.base)).content_type("application/json");
        request = request.header("accept", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let mut answer = request.send(&body[..]).map_err(|e| unavailable("no answer").because(e))?;
        match answer.status().as_u16() {
            200 => {}
            429 => return Err(Error::new(Kind::Throttled, OPERATION, "the engine asks to be asked less")),
            status => return Err(unavailable(format!("the answer has the status {status}"))),
        }
        let read = answer.body_mut().with_config().limit(self.max_answer_bytes).read_to_vec();
        let bytes = read.map_err(|e| unavailable("the answer is cut off or too long").because(e))?;
        serde_json::from_slice(&bytes).map_err(|e| unavailable("the answer is not of the form it must have").because(e))
    }
}

const OPERATION: &str = "ask engine";

pub(crate) fn unavailable(message: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, OPERATION, message)
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("set up engine", message)
}

fn checked(endpoint: &Endpoint) -> Result<Uri> {
    let refused = |what: &str| Err(invalid(format!("the URL of the engine {what}")));
    if endpoint.timeout.is_zero() || endpoint.max_answer_bytes == 0 {
        return Err(invalid("there must be time and room for an answer"));
    }
    let Ok(uri) = endpoint.url.parse::<Uri>() else { return refused("is no URL") };
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return refused("has no host") };
    if authority.as_str().contains('@') {
        return refused("must not hold a user or password");
    }
    if uri.query().is_some() || endpoint.url.contains('#') {
        return refused("must end with its path");
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if endpoint.allow_http || ["localhost", "127.0.0.1", "[::1]"].contains(&host) => Ok(uri),
        _ => refused("must be https"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine_unless_said_otherwise() {
        let checked = |url: &str, allow_http| checked(&Endpoint { allow_http, ..Endpoint::at(url) }).is_ok();
        for url in ["https://fga.example.com", "https://fga.example.com/path/", "http://localhost:80", "http://[::1]:9"]
        {
            assert!(checked(url, false), "{url}");
        }
        for url in ["http://fga.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com:8080"] {
            assert!(!checked(url, false) && checked(url, true), "{url}");
        }
        for url in [
            "",
            "/path",
            "fga.example.com",
            "https://user:password@fga.example.com",
            "http://localhost@fga.example.com",
            "https://fga.example.com/?a=b",
            "https://fga.example.com/#a",
            "ftp://fga.example.com",
        ] {
            assert!(!checked(url, true), "{url}");
        }
    }

    #[test]
    fn a_token_is_not_shown_and_must_fit_a_header() {
        let with =
            |token: &str| Endpoint { bearer_token: Some(token.into()), ..Endpoint::at("https://fga.example.com") };
        let shown = format!("{:?} {:?}", with("secret"), Client::new(&with("secret")).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        let error = Client::new(&with("secret\nX-Admin: 1")).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }
}
