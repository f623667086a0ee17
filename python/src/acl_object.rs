//! `index.set_acl_object` and its kin: what does a folder, a site or a space say, and how is that changed?

use pyo3::prelude::*;

use crate::acl::stated;
use crate::errors::run;
use crate::index::Index;
use crate::json::to_python;
use crate::rows;

#[pymethods]
impl Index {
    /// What stands written about the ACL object `name`: a dict of name, stated, parent, inherit, allow, all_of, deny,
    /// revoked, origin and acl_epoch. For operators.
    ///
    /// Raises `NotFoundError` if nothing ever named it.
    #[pyo3(signature = (name, *, tenant = None))]
    fn acl_object<'py>(&self, py: Python<'py>, name: String, tenant: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let tenant = rows::tenant(tenant);
        to_python(py, &run(py, || self.engine.acl_object(&tenant, &name))?)
    }

    /// Every ACL object of a tenant, dicts as of `acl_object`. For operators.
    #[pyo3(signature = (*, tenant = None))]
    fn acl_objects<'py>(&self, py: Python<'py>, tenant: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let tenant = rows::tenant(tenant);
        to_python(py, &run(py, || self.engine.acl_objects(&tenant))?)
    }

    /// States an ACL object, or moves it by giving another `parent`; documents under it are not written. Holds for every
    /// search that starts after it returns. Returns the epoch.
    ///
    /// Raises `InvalidError` for an unknown parent or an object that would be above itself.
    #[pyo3(signature = (name, allow = None, deny = None, *, all_of = None, parent = None, inherit = None, tenant = None))]
    #[expect(clippy::too_many_arguments, reason = "the parts of an ACL")]
    fn set_acl_object(
        &self,
        py: Python<'_>,
        name: String,
        allow: Option<Vec<String>>,
        deny: Option<Vec<String>>,
        all_of: Option<Vec<Vec<String>>>,
        parent: Option<String>,
        inherit: Option<String>,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        let acl = stated(allow, deny, all_of, parent, inherit)?;
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.set_acl_object(&tenant, &name, acl?))
    }

    /// Takes back what was stated of an ACL object: what is under it is closed. Returns the epoch.
    ///
    /// Raises `NotFoundError` if nothing is stated of it.
    #[pyo3(signature = (name, *, tenant = None))]
    fn remove_acl_object(&self, py: Python<'_>, name: String, tenant: Option<String>) -> PyResult<u64> {
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.remove_acl_object(&tenant, &name))
    }

    /// Takes everything under an ACL object from a principal, whatever is said below or above it, until
    /// `restore_acl_object`. Returns the epoch.
    ///
    /// Raises `NotFoundError` if nothing ever named it.
    #[pyo3(signature = (name, principal, *, tenant = None))]
    fn revoke_acl_object(
        &self,
        py: Python<'_>,
        name: String,
        principal: String,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.revoke_acl_object(&tenant, &name, &principal.parse()?))
    }

    /// Lifts the revocation of an ACL object; the reason is kept in the access log. Returns the epoch.
    ///
    /// Raises `NotFoundError` if there is no such revocation and `InvalidError` without a reason.
    #[pyo3(signature = (name, principal, reason, *, tenant = None))]
    fn restore_acl_object(
        &self,
        py: Python<'_>,
        name: String,
        principal: String,
        reason: String,
        tenant: Option<String>,
    ) -> PyResult<u64> {
        let tenant = rows::tenant(tenant);
        run(py, || self.engine.restore_acl_object(&tenant, &name, &principal.parse()?, &reason))
    }
}
