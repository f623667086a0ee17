//! `Verifier`: which tokens are taken?

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use safepassage::jwt::{self, CacheSettings, CachedKeys, GroupFile, KeySet, VerifierSettings};
use safepassage::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::errors::{invalid, raise};
use crate::json;

/// Takes the tokens of one issuer and turns them into identities; `Identity.from_jwt` asks it.
#[pyclass(frozen, module = "safepassage")]
pub struct Verifier(pub(crate) jwt::Verifier);

#[pymethods]
impl Verifier {
    /// Tokens that `issuer` made for `audience` (one or several) and signed by a key of `jwks`.
    ///
    /// `jwks` is a key set as JSON text or dict, or a function that fetches one: it is called when keys are an hour old
    /// or a token names an unknown one, at most twice a minute. `algorithms` are of one family, by default those that
    /// the keys are for. `claims` says which claim means what: `oidc`, `entra`, `cognito`, `cognito-access`, `okta`, or
    /// a dict. With `local_issuer` groups are written `group:hr` and not `ISSUER|group:hr`. `group_parents` is a dict of
    /// the groups that groups are in. Raises `InvalidError` for settings that cannot be used.
    #[new]
    #[pyo3(signature = (issuer, audience, jwks, algorithms = None, *, claims = None, tenant = None, local_issuer = false,
        leeway_seconds = 0, max_lifetime_seconds = None, group_parents = None))]
    #[expect(clippy::too_many_arguments, reason = "one for each setting")]
    fn new(
        issuer: &str,
        audience: &Bound<'_, PyAny>,
        jwks: &Bound<'_, PyAny>,
        algorithms: Option<Vec<String>>,
        claims: Option<&Bound<'_, PyAny>>,
        tenant: Option<&str>,
        local_issuer: bool,
        leeway_seconds: u64,
        max_lifetime_seconds: Option<u64>,
        group_parents: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let read = |value| json::from_python(value).map_err(|what| invalid("set up verifier", what));
        let audiences = match read(audience)? {
            Value::String(one) => json!([one]),
            several => several,
        };
        let keys = if jwks.is_callable() { None } else { Some(key_set(jwks)?) };
        let algorithms = match (algorithms, &keys) {
            (Some(algorithms), _) => json!(algorithms),
            (None, Some(keys)) => json!(keys.algorithms()),
            (None, None) => {
                return Err(invalid("set up verifier", "`algorithms` must be said for keys that are fetched"));
            }
        };
        let settings = json!({
            "issuer": issuer, "audiences": audiences, "algorithms": algorithms, "tenant": tenant.unwrap_or_default(),
            "mapping": claims.map(read).transpose()?.unwrap_or_else(|| "oidc".into()), "local_issuer": local_issuer,
            "leeway_seconds": leeway_seconds, "max_lifetime_seconds": max_lifetime_seconds,
        });
        let made = || -> Result<jwt::Verifier> {
            let settings = VerifierSettings::from_json(settings.to_string().as_bytes())?;
            match keys {
                Some(keys) => jwt::Verifier::new(settings, keys),
                None => jwt::Verifier::new(settings, fetched(jwks.clone().unbind())?),
            }
        };
        let mut verifier = made().map_err(|error| raise(&error))?;
        if let Some(parents) = group_parents {
            let parents = read(parents)?.to_string();
            let of = if local_issuer { None } else { Some(issuer) };
            let parents = GroupFile::from_json(of, parents.as_bytes()).map_err(|error| raise(&error))?;
            verifier = verifier.with_groups(parents);
        }
        Ok(Self(verifier))
    }

    /// From whom tokens are taken.
    #[getter]
    fn issuer(&self) -> &str {
        &self.0.settings().issuer
    }

    /// For whom tokens must be made.
    #[getter]
    fn audiences(&self) -> Vec<String> {
        self.0.settings().audiences.clone()
    }

    fn __repr__(&self) -> String {
        format!("Verifier({:?})", self.issuer())
    }
}

/// The JSON that Python gave as text, bytes or a dict.
fn bytes(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    match json::from_python(value).map_err(|what| invalid("read keys", what))? {
        Value::String(text) => Ok(text.into_bytes()),
        value => Ok(value.to_string().into_bytes()),
    }
}

fn key_set(jwks: &Bound<'_, PyAny>) -> PyResult<KeySet> {
    KeySet::from_jwks(&bytes(jwks)?).map_err(|error| raise(&error))
}

/// Keys that a Python function fetches.
fn fetched(function: Py<PyAny>) -> Result<CachedKeys> {
    let fetch = move || {
        Python::attach(|py| bytes(&function.call0(py)?.into_bound(py))).map_err(|error| {
            Error::new(Kind::Unavailable, "fetch keys", "the function that fetches keys failed").because(error)
        })
    };
    CachedKeys::new(fetch, CacheSettings::default())
}
