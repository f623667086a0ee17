//! `index.set_acl`, `revoke`, `restore`, `acl` and `explain`: who may read this document, and how is that changed?

use std::collections::BTreeSet;

use pyo3::prelude::*;
use safepassage::{Acl, Inherit};

use crate::errors::{invalid, run};
use crate::identity::Identity;
use crate::index::Index;
use crate::json::to_python;
use crate::rows;

#[pymethods]
impl Index {
    /// What stands written about the document `id`: a dict of document, allow, all_of, deny, parent, inherit, revoked,
    /// label, origin and acl_epoch. For operators.
    ///
    /// Raises `NotFoundError` if there never was such a document.
    #[pyo3(signature = (id, *, tenant = None))]
    fn acl<'py>(&self, py: Python<'py>, id: String, tenant: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let tenant = rows::tenant(tenant);
        to_python(py, &run(py, || self.engine.acl(&tenant, &id))?)
    }

    /// Replaces the ACL of a document. Holds for every search that starts after it returns, in every process, and
    /// against later syncs until the source changes its mind. Revocations stay. Returns the epoch.
    ///
    /// `all_of` are lists of principals that are wanted together, `parent` names the ACL object it inherits from, and
    /// `inherit` says how: `"deny-wins"`, `"child-overrides"`, `"parent-overrides"` or `"both-permit"`.
    ///
    /// Raises `NotFoundError` if there never was such a document and `InvalidError` if nothing is said.
    #[pyo3(signature = (id, allow = None, deny = None, *, all_of = None, parent = None, inherit = None, tenant = None))]
    #[expect(clippy::too_many_arguments, reason = "the parts of an ACL")]
    fn set_acl(
        &self,
        py: Python<'_>,
        id: String,
        allow: Option<Vec<String>>,
        deny: Option<Vec<String>>,
        all_of: Option<Vec<Vec<String>>>,
        parent: Option<String>,
        inherit: Option<String>,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        let acl = stated(allow, deny, all_of, parent, inherit)?;
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.set_acl(&tenant, &id, acl?))
    }

    /// Takes a document from a principal, whatever its ACL says now or later, until `restore`. Holds for every search
    /// that starts after it returns, in every process. Returns the epoch.
    ///
    /// Raises `NotFoundError` if there never was such a document.
    #[pyo3(signature = (id, principal, *, tenant = None))]
    fn revoke(&self, py: Python<'_>, id: String, principal: String, tenant: Option<String>) -> PyResult<u64> {
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.revoke(&tenant, &id, &principal.parse()?))
    }

    /// Lifts a revocation; the ACL alone decides again. The reason is kept in the access log. Returns the epoch.
    ///
    /// Raises `NotFoundError` if there is no such revocation and `InvalidError` without a reason.
    #[pyo3(signature = (id, principal, reason, *, tenant = None))]
    fn restore(
        &self,
        py: Python<'_>,
        id: String,
        principal: String,
        reason: String,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.restore(&tenant, &id, &principal.parse()?, &reason))
    }

    /// Which documents became visible or invisible to whom from the epoch `from_epoch` to `to_epoch`, the newest unless
    /// said: a dict of from, to and changes, each of principal, gained and lost. With `identity` to it, exactly; without,
    /// to every principal that an ACL ever named, by itself. For operators.
    ///
    /// Raises `NotFoundError` for an epoch that there was not.
    #[pyo3(signature = (from_epoch, to_epoch = None, *, identity = None, tenant = None))]
    fn diff<'py>(
        &self,
        py: Python<'py>,
        from_epoch: u64,
        to_epoch: Option<u64>,
        identity: Option<&Bound<'py, Identity>>,
        tenant: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, tenant) = (identity.map(|identity| identity.get().0.clone()), rows::tenant(tenant));
        let diff = run(py, || match &identity {
            Some(identity) => self.engine.diff_for(identity, from_epoch, to_epoch),
            None => self.engine.diff(&tenant, from_epoch, to_epoch),
        })?;
        to_python(py, &diff)
    }

    /// States for how many seconds permissions that nobody confirmed open anything; None: for ever. Every change of
    /// permissions and every sync confirms them, as long as they were confirmed in time before. Returns the epoch.
    ///
    /// Raises `InvalidError` without a reason and `UnavailableError` if permissions are too old by what was stated before.
    fn set_max_acl_age(&self, py: Python<'_>, seconds: Option<u64>, reason: String) -> PyResult<u64> {
        run(py, || self.engine.set_max_acl_age(seconds, &reason))
    }

    /// Says that the permissions in the folder are the newest there are, though nobody confirmed them in time; the reason
    /// is kept in the access log. Returns the epoch.
    fn confirm_acls(&self, py: Python<'_>, reason: String) -> PyResult<u64> {
        run(py, || self.engine.confirm_acls(&reason))
    }

    /// Why `identity` may or may not read the document `id`: for operators. `session.explain` is what an asker may see.
    ///
    /// Raises `NotFoundError` if no such document was ever known in the identity's tenant.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, Identity>,
        id: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = identity.get();
        to_python(py, &run(py, || self.engine.explain(&identity.0, &id))?)
    }
}

/// The ACL that the arguments state, or what is wrong with it.
pub fn stated(
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    all_of: Option<Vec<Vec<String>>>,
    parent: Option<String>,
    inherit: Option<String>,
) -> PyResult<safepassage::Result<Acl>> {
    if allow.is_none() && deny.is_none() && all_of.is_none() && parent.is_none() {
        return Err(invalid("set ACL", "say who may read with `allow`; `allow=[]` lets nobody"));
    }
    let inherit = inherit.map_or(Ok(Inherit::default()), |name| {
        let known = "deny-wins, child-overrides, parent-overrides or both-permit";
        let unknown = |_| invalid("set ACL", format!("`inherit` is {known}, not `{name}`"));
        serde_json::from_value(name.as_str().into()).map_err(unknown)
    })?;
    let all = |names: Vec<String>| names.iter().map(|name| name.parse()).collect::<safepassage::Result<BTreeSet<_>>>();
    let acl = || {
        let all_of = all_of.unwrap_or_default().into_iter().map(all).collect::<safepassage::Result<_>>()?;
        let (allow, deny) = (all(allow.unwrap_or_default())?, all(deny.unwrap_or_default())?);
        Ok(Acl { allow, all_of, deny, parent: parent.map(Into::into), inherit })
    };
    Ok(acl())
}
