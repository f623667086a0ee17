//! `Identity`: who asks?

use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use safepassage::identity_from_json;
use safepassage::system::Clock;

use crate::errors::{invalid, raise, run};
use crate::json;
use crate::verifier::Verifier;

/// Who asks, for as long as it holds. Made by a program that has authenticated the asker, or from a token.
#[pyclass(frozen, module = "safepassage")]
pub struct Identity(pub(crate) safepassage::Identity);

#[pymethods]
impl Identity {
    /// The identity of `user`, in `groups` (ids such as `hr`, all of them, transitive ones included).
    ///
    /// With `groups_complete=False` nothing that denies a group is visible. Raises `InvalidError` for an empty id.
    #[staticmethod]
    #[pyo3(signature = (user, groups = Vec::new(), tenant = None, clearance = None, groups_complete = true, ttl_seconds = 900))]
    fn asserted(
        user: &Bound<'_, PyAny>,
        groups: Vec<String>,
        tenant: Option<String>,
        clearance: Option<String>,
        groups_complete: bool,
        ttl_seconds: u64,
    ) -> PyResult<Self> {
        let user: String = user.extract()?;
        let mut identity = safepassage::Identity::asserted(&user)
            .groups(groups.iter().map(String::as_str))
            .groups_complete(groups_complete)
            .tenant(&tenant.unwrap_or_default())
            .ttl_seconds(ttl_seconds);
        if let Some(clearance) = &clearance {
            identity = identity.clearance(clearance);
        }
        identity.issue(&Clock::system()).map(Self).map_err(|error| raise(&error))
    }

    /// Somebody who has not signed in: sees only what `public` may see.
    #[staticmethod]
    #[pyo3(signature = (tenant = None, ttl_seconds = 900))]
    fn anonymous(tenant: Option<String>, ttl_seconds: u64) -> PyResult<Self> {
        let identity = safepassage::Identity::anonymous().tenant(&tenant.unwrap_or_default()).ttl_seconds(ttl_seconds);
        identity.issue(&Clock::system()).map(Self).map_err(|error| raise(&error))
    }

    /// The identity that a JSON text, or a dict of the same shape, describes:
    /// `{"tenant"?, "issuer"?, "user"?, "groups", "groups_complete"?, "clearance"?, "attributes"?, "expires_at"?}`.
    ///
    /// `groups_complete` counts as false when it is missing. Raises `InvalidError` for anything else and `DeniedError`
    /// if it has expired.
    #[staticmethod]
    #[pyo3(name = "from_json")]
    fn read_json(json: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes = if let Ok(dict) = json.cast::<PyDict>() {
            let value = json::from_python(dict).map_err(|what| invalid("read identity", what))?;
            value.to_string().into_bytes()
        } else if let Ok(bytes) = json.cast::<PyBytes>() {
            bytes.as_bytes().to_vec()
        } else {
            json.extract::<String>()?.into_bytes()
        };
        identity_from_json(&bytes, &Clock::system()).map(Self).map_err(|error| raise(&error))
    }

    /// The identity that `token` (a JWT) stands for, if `verifier` takes it; it ends with the token.
    ///
    /// Raises `DeniedError` with a `reason` for a token that is refused, and `UnavailableError` if the issuer's keys
    /// cannot be had.
    #[staticmethod]
    fn from_jwt(py: Python<'_>, token: &Bound<'_, PyAny>, verifier: &Verifier) -> PyResult<Self> {
        let token = match token.cast::<PyBytes>() {
            Ok(bytes) => bytes.as_bytes().to_vec(),
            Err(_) => token.extract::<String>()?.into_bytes(),
        };
        run(py, || verifier.0.verify(&token, &Clock::system())).map(Self)
    }

    /// The user's id, or None for somebody who has not signed in.
    #[getter]
    fn user(&self) -> Option<&str> {
        self.0.user()
    }

    /// The tenant; empty for the default one.
    #[getter]
    fn tenant(&self) -> &str {
        &self.0.tenant().0
    }

    /// The highest label it may see; None is the lowest.
    #[getter]
    fn clearance(&self) -> Option<&str> {
        self.0.clearance()
    }

    /// Whether the groups are all there are.
    #[getter]
    fn groups_complete(&self) -> bool {
        self.0.groups_complete()
    }

    /// Every principal it is, as an ACL names them.
    #[getter]
    fn principals(&self) -> Vec<String> {
        self.0.principals().iter().map(ToString::to_string).collect()
    }

    /// When it ends (UTC).
    #[getter]
    fn expires_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.expires_at().0)
    }

    fn __repr__(&self) -> String {
        let user = self.0.user().map_or("anonymous".to_owned(), |user| format!("{user:?}"));
        format!("Identity({user})")
    }
}
