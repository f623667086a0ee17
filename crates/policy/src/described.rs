//! Here is a file that says which engine decides too, and how it is asked: an authorizer.
//!
//! JSON, `{"openfga": {…}}` or `{"authzen": {…}}`. What is not said is as the settings have it; the token of the engine is in
//! the environment and not in the file.

use std::sync::Arc;
use std::time::Duration;

use safepassage_access::Authorizer;
use safepassage_error::{Error, Result};
use serde::Deserialize;

use crate::http::Endpoint;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Described {
    #[cfg(feature = "openfga")]
    OpenFga(DescribedOpenFga),
    #[cfg(feature = "authzen")]
    AuthZen(DescribedAuthZen),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    url: String,
    token_env: Option<String>,
    timeout_seconds: Option<f64>,
    #[serde(default)]
    allow_http: bool,
}

#[cfg(feature = "openfga")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedOpenFga {
    at: At,
    store: String,
    model: Option<String>,
    relation: Option<String>,
    user_type: Option<String>,
    document_type: Option<String>,
    max_batch: Option<usize>,
    list: Option<bool>,
    list_limit: Option<usize>,
    list_seconds: Option<f64>,
}

#[cfg(feature = "authzen")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedAuthZen {
    at: At,
    subject_type: Option<String>,
    resource_type: Option<String>,
    action: Option<String>,
    max_batch: Option<usize>,
    search: Option<bool>,
    max_listed: Option<usize>,
    list_seconds: Option<f64>,
}

/// The authorizer that `json` describes.
///
/// # Errors
/// `Invalid` if it describes none, one that this program was built without, or one without its token.
pub fn authorizer_from_json(json: &[u8]) -> Result<Arc<dyn Authorizer>> {
    let described =
        serde_json::from_slice(json).map_err(|e| invalid(format!("it describes no authorizer: {e}")).because(e))?;
    match described {
        #[cfg(feature = "openfga")]
        Described::OpenFga(described) => described.open(),
        #[cfg(feature = "authzen")]
        Described::AuthZen(described) => described.open(),
    }
}

impl At {
    fn endpoint(self) -> Result<Endpoint> {
        let token = |name: String| {
            std::env::var(&name)
                .map_err(|_| invalid(format!("the environment variable `{name}` with its token is not set")))
        };
        let bearer_token = self.token_env.map(token).transpose()?;
        let usual = Endpoint::at(&self.url);
        let timeout = seconds(self.timeout_seconds, usual.timeout)?;
        Ok(Endpoint { bearer_token, timeout, allow_http: self.allow_http, ..usual })
    }
}

#[cfg(feature = "openfga")]
impl DescribedOpenFga {
    fn open(self) -> Result<Arc<dyn Authorizer>> {
        let usual = crate::OpenFgaSettings::new(self.at.endpoint()?, &self.store);
        Ok(Arc::new(crate::OpenFga::new(crate::OpenFgaSettings {
            model: self.model,
            relation: self.relation.unwrap_or(usual.relation),
            user_type: self.user_type.unwrap_or(usual.user_type),
            document_type: self.document_type.unwrap_or(usual.document_type),
            max_batch: self.max_batch.unwrap_or(usual.max_batch),
            list: self.list.unwrap_or(usual.list),
            list_limit: self.list_limit.unwrap_or(usual.list_limit),
            list_deadline: seconds(self.list_seconds, usual.list_deadline)?,
            ..usual
        })?))
    }
}

#[cfg(feature = "authzen")]
impl DescribedAuthZen {
    fn open(self) -> Result<Arc<dyn Authorizer>> {
        let usual = crate::AuthZenSettings::new(self.at.endpoint()?);
        Ok(Arc::new(crate::AuthZen::new(crate::AuthZenSettings {
            subject_type: self.subject_type.unwrap_or(usual.subject_type),
            resource_type: self.resource_type.unwrap_or(usual.resource_type),
            action: self.action.unwrap_or(usual.action),
            max_batch: self.max_batch.unwrap_or(usual.max_batch),
            search: self.search.unwrap_or(usual.search),
            max_listed: self.max_listed.unwrap_or(usual.max_listed),
            list_deadline: seconds(self.list_seconds, usual.list_deadline)?,
            ..usual
        })?))
    }
}

fn seconds(said: Option<f64>, usual: Duration) -> Result<Duration> {
    let duration = |seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|_| invalid(format!("`{seconds}` is no time in seconds")))
    };
    said.map_or(Ok(usual), duration)
}

fn invalid(message: String) -> Error {
    Error::invalid("read authorizer", message)
}
