//! Here is a model behind HTTP: what does it answer to one request?
//!
//! JSON by POST, over https alone unless the server is on this machine or it is said otherwise. Redirects are not followed.
//! An answer is read whole, or event by event as it comes. Of a refusal only its status and the type that it names are
//! told, and of an answer in another form where it stops being one: their text may repeat what was sent.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Url};
use rustls_platform_verifier::BuilderVerifierExt;
use safepassage_error::system::Clock;
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::CallError;
use super::sse::Events;

/// No answer may be longer: a few thousand vectors.
const MOST_BYTES: usize = 64 << 20;
/// So much of a refusal is read where only its type is told.
const MOST_REFUSED: usize = 64 << 10;
/// No type of a refusal is longer.
const MOST_WORD: usize = 64;

/// Asks one server.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    base: Url,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Http {
    /// The server at `url`, which knows the caller by `key`.
    pub fn new(url: &str, key: Option<&str>, allow_http: bool) -> Result<Self> {
        let base = checked(url, allow_http)?;
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| invalid("the key cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = client(base.scheme() == "http")?.default_headers(headers);
        let client = client.build().map_err(|e| invalid("no HTTP client can be made").because(e))?;
        Ok(Self { client, base })
    }

    /// The events that the server answers `question` with at `path`.
    pub async fn events(&self, path: &str, question: &impl Serialize) -> std::result::Result<EventStream, CallError> {
        let request = self.request(path, question)?.header("accept", "text/event-stream");
        let answer = request.send().await.map_err(|e| CallError::unavailable("no answer").because(e))?;
        let (status, wait) = (answer.status(), retry_after(answer.headers(), now()));
        let mut answer = EventStream { answer, events: Events::default(), ready: VecDeque::new() };
        if status == StatusCode::OK {
            return Ok(answer);
        }
        Err(failed(status, wait, &answer.refusal().await))
    }

    /// What the server answers to `question` at `path`, relative to its URL.
    pub async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> std::result::Result<A, CallError> {
        let mut answer =
            self.request(path, question)?.send().await.map_err(|e| CallError::unavailable("no answer").because(e))?;
        let (status, wait) = (answer.status(), retry_after(answer.headers(), now()));
        let mut bytes = Vec::new();
        loop {
            let read = answer.chunk().await;
            match read.map_err(|e| CallError::unavailable("the answer was cut off").because(e))? {
                None => break,
                Some(more) if bytes.len() + more.len() > MOST_BYTES => {
                    return Err(CallError::refused(Kind::Unavailable, "the answer is too long"));
                }
                Some(more) => bytes.extend_from_slice(&more),
            }
        }
        if status == StatusCode::OK {
            return serde_json::from_slice(&bytes).map_err(|e| {
                let message = format!("the answer is not of the form it must have, from line {} on", e.line());
                CallError::unavailable(message)
            });
        }
        Err(failed(status, wait, &bytes))
    }

    fn request(&self, path: &str, question: &impl Serialize) -> std::result::Result<RequestBuilder, CallError> {
        let body = serde_json::to_vec(question)
            .map_err(|e| CallError::refused(Kind::Internal, "the request is no JSON").because(e))?;
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        Ok(self.client.post(url).header("content-type", "application/json").body(body))
    }
}

/// How any server is reached; `plain` if over http.
pub(super) fn client(plain: bool) -> Result<ClientBuilder> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|e| Error::new(Kind::Unavailable, "set up model", "there is no TLS on this machine").because(e))?
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5));
    // What is meant for this machine or its network goes nowhere else.
    Ok(if plain { client.no_proxy() } else { client })
}

/// An answer as it comes.
pub(super) struct EventStream {
    answer: Response,
    events: Events,
    ready: VecDeque<Vec<u8>>,
}

impl EventStream {
    /// The data of the next event; `None` when the server has said all.
    pub async fn next(&mut self) -> std::result::Result<Option<Vec<u8>>, CallError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let read = self.answer.chunk().await;
            match read.map_err(|e| CallError::unavailable("the answer was cut off").because(e))? {
                None => return Ok(None),
                Some(bytes) => self.ready.extend(self.events.push(&bytes)?),
            }
        }
    }

    /// The beginning of what is no answer.
    async fn refusal(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let (true, Ok(Some(bytes))) = (body.len() < MOST_REFUSED, self.answer.chunk().await) {
            body.extend_from_slice(&bytes);
        }
        body
    }
}

/// The type or code that a refusal in OpenAI's form names, if it is a plain word.
fn said_type(body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| {
        let word = body.get("error")?.get(name)?.as_str()?;
        let plain = word.len() <= MOST_WORD && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        (plain && !word.is_empty()).then(|| format!(" (`{word}`)"))
    };
    word("code").or_else(|| word("type")).unwrap_or_default()
}

/// What an answer of another status than 200 means.
fn failed(status: StatusCode, wait: Option<Duration>, body: &[u8]) -> CallError {
    let message = format!("the server answers {}{}", status.as_u16(), said_type(body));
    match status.as_u16() {
        429 => CallError::throttled(message, wait),
        408 | 425 | 500 | 502 | 503 | 504 => CallError { retry_after: wait, ..CallError::unavailable(message) },
        400 | 413 | 422 => CallError::refused(Kind::Invalid, message),
        401 | 403 => CallError::refused(Kind::Denied, message),
        404 => CallError::refused(Kind::NotFound, message),
        _ => CallError::refused(Kind::Unavailable, message),
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(Clock::system().now().0)
}

/// When a server asks to be asked again: seconds, milliseconds as some say them, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(milliseconds));
    }
    let text = text(RETRY_AFTER.as_str())?;
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()))
}

fn checked(url: &str, allow_http: bool) -> Result<Url> {
    let refused = |what: &str| Err(invalid(format!("the URL of the model {what}")));
    let Ok(parsed) = url.parse::<Url>() else { return refused("is no URL") };
    let Some(host) = parsed.host_str() else { return refused("has no host") };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refused("must not hold a user or password");
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return refused("must end with its path");
    }
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if allow_http || ["localhost", "127.0.0.1", "[::1]"].contains(&host) => Ok(parsed),
        _ => refused("must be https"),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("set up model", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_over_https_or_to_this_machine_unless_said_otherwise() {
        for url in ["https://models.example.com/v1", "http://localhost:80/v1", "http://[::1]:9"] {
            assert!(checked(url, false).is_ok(), "{url}");
        }
        for url in ["http://models.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com:8080"] {
            assert!(checked(url, false).is_err() && checked(url, true).is_ok(), "{url}");
        }
        for url in ["", "models", "https://u:p@models.example.com", "https://m.example.com/?a", "ftp://m.example.com"] {
            assert!(checked(url, true).is_err(), "{url}");
        }
        let shown = format!("{:?}", Http::new("https://models.example.com", Some("secret"), false).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_servers_word_on_when_to_come_again_is_read_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let cases = [
            ("retry-after", "7", Some(7_000)),
            ("retry-after-ms", "250", Some(250)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
        ];
        for (name, value, wait) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(retry_after(&headers, now), wait.map(Duration::from_millis), "{name}: {value}");
        }
    }

    #[test]
    fn a_refusal_of_a_prompt_tells_its_type_and_none_of_its_words() {
        let body = br#"{"error": {"message": "cannot answer `the secret prompt`", "type": "invalid_request_error", "code": 400}}"#;
        assert_eq!(said_type(body), " (`invalid_request_error`)");
        for words in [&br#"{"error": {"type": "the secret prompt"}}"#[..], br#"{"error": "the secret prompt"}"#, b"the"]
        {
            assert_eq!(said_type(words), "");
        }
    }

    #[test]
    fn every_status_is_a_kind_and_says_whether_it_helps_to_ask_again() {
        let cases = [
            (429, Kind::Throttled, true),
            (503, Kind::Unavailable, true),
            (408, Kind::Unavailable, true),
            (400, Kind::Invalid, false),
            (401, Kind::Denied, false),
            (404, Kind::NotFound, false),
            (302, Kind::Unavailable, false),
        ];
        for (status, kind, may_retry) in cases {
            let failed = failed(StatusCode::from_u16(status).unwrap(), None, br#"{"error": {"type": "why"}}"#);
            assert_eq!((failed.error.kind(), failed.may_retry), (kind, may_retry), "{status}");
            assert!(failed.error.message().ends_with("(`why`)"));
        }
    }
}
