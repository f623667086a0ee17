//! Here is a URL: which key set is there?

use std::time::Duration;

use safepassage_error::{Error, Kind, Result};
use ureq::Agent;
use ureq::http::Uri;

use super::{CacheSettings, CachedKeys};

const CONNECT: Duration = Duration::from_secs(2);
const WHOLE: Duration = Duration::from_secs(5);
const MAX_BYTES: u64 = 1 << 20;

/// Keys that are fetched from `url`: by https alone, or http from this machine itself. Redirects are not followed, and
/// a fetch ends after five seconds or a megabyte.
///
/// # Errors
/// `Invalid` for any other URL, or settings that cannot be used.
pub fn from_url(url: &str, settings: CacheSettings) -> Result<CachedKeys> {
    let uri = checked(url)?;
    let encrypted = uri.scheme_str() == Some("https");
    let agent: Agent = Agent::config_builder()
        .https_only(encrypted)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .build()
        .into();
    CachedKeys::new(move || fetch(&agent, &uri), settings)
}

fn checked(url: &str) -> Result<Uri> {
    let invalid = |what: &str| Err(Error::invalid("set up keys", format!("the URL of the key set {what}")));
    let Ok(uri) = url.parse::<Uri>() else { return invalid("is no URL") };
    let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else { return invalid("has no host") };
    if authority.as_str().contains('@') {
        return invalid("must not hold a user or password");
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if ["localhost", "127.0.0.1", "[::1]"].contains(&host) => Ok(uri),
        _ => invalid("must be https"),
    }
}

fn fetch(agent: &Agent, uri: &Uri) -> Result<Vec<u8>> {
    let unavailable = |error: ureq::Error| Error::new(Kind::Unavailable, "fetch keys", "no answer").because(error);
    let mut answer = agent.get(uri.clone()).header("accept", "application/json").call().map_err(unavailable)?;
    if answer.status() != 200 {
        let message = format!("the answer has the status {}", answer.status().as_u16());
        return Err(Error::new(Kind::Unavailable, "fetch keys", message));
    }
    answer.body_mut().with_config().limit(MAX_BYTES).read_to_vec().map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for url in
            ["https://idp.example.com/keys", "http://localhost:80/keys", "http://127.0.0.1/k", "http://[::1]:9/k"]
        {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "/keys",
            "idp.example.com",
            "http://idp.example.com/keys",
            "http://localhost.example.com/keys",
            "http://localhost@example.com/keys",
            "https://user:password@example.com/keys",
            "ftp://example.com/keys",
            "file:///keys",
        ] {
            assert!(checked(url).is_err(), "{url}");
        }
    }
}
