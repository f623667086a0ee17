//! `index.set_policies`, `policies` and `remove_policies`: who decides beside the ACLs?

use pyo3::prelude::*;
use safepassage::policy::PolicySource;

use crate::errors::run;
use crate::index::Index;
use crate::json::to_python;

#[pymethods]
impl Index {
    /// The policies in force, a dict of language, policies, schema, entities and attributes; None if there are none.
    fn policies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.policies())?)
    }

    /// Replaces the policies (Cedar): from now on they and the ACLs must both permit, in every process. `attributes` are
    /// the fields of a document's metadata that they know; documents learn them when they are synced or added again.
    /// Returns the epoch.
    ///
    /// Raises `InvalidError` without a reason, and for policies that do not fit their schema.
    #[pyo3(signature = (policies, schema, *, reason, entities = None, attributes = None))]
    fn set_policies(
        &self,
        py: Python<'_>,
        policies: String,
        schema: String,
        reason: String,
        entities: Option<String>,
        attributes: Option<Vec<String>>,
    ) -> PyResult<u64> {
        let (entities, attributes) = (entities.unwrap_or_default(), attributes.unwrap_or_default());
        let source = PolicySource { language: "cedar".into(), policies, schema, entities, attributes };
        run(py, || self.engine.set_policies(source, &reason))
    }

    /// Takes the policies out of force: the ACLs alone decide. Returns the epoch.
    ///
    /// Raises `NotFoundError` if there are none and `InvalidError` without a reason.
    #[pyo3(signature = (*, reason))]
    fn remove_policies(&self, py: Python<'_>, reason: String) -> PyResult<u64> {
        run(py, || self.engine.remove_policies(&reason))
    }
}
