//! `index.set_acl`, `revoke`, `restore`, `acl` and `explain`: who may read this document, and how is that changed?

use pyo3::prelude::*;
use safepassage::{Acl, Principal};

use crate::errors::{invalid, run};
use crate::identity::Identity;
use crate::index::Index;
use crate::json::to_python;
use crate::rows;

#[pymethods]
impl Index {
    /// What stands written about the document `id`: a dict of document, allow, deny, revoked, label, origin and
    /// acl_epoch. For operators.
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
    /// Raises `NotFoundError` if there never was such a document and `InvalidError` without `allow` and `deny`.
    #[pyo3(signature = (id, allow = None, deny = None, *, tenant = None))]
    fn set_acl(
        &self,
        py: Python<'_>,
        id: String,
        allow: Option<Vec<String>>,
        deny: Option<Vec<String>>,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        if allow.is_none() && deny.is_none() {
            return Err(invalid("set ACL", "say who may read with `allow`; `allow=[]` lets nobody"));
        }
        let tenant = rows::tenant(tenant);
        run(py, || {
            let acl = Acl::new(principals(allow)?, principals(deny)?);
            self.engine.set_acl(&tenant, &id, acl)
        })
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

fn principals(names: Option<Vec<String>>) -> safepassage::Result<Vec<Principal>> {
    names.unwrap_or_default().iter().map(|name| name.parse()).collect()
}
