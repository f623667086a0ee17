//! Guardrails that Python gives: of a catalogue, or a callable.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use safepassage::{Direction, Permit, Result, Verdict};

use crate::awaiting::{OnLoop, awaited};
use crate::errors::{invalid, run};
use crate::generator::raised;

/// Looks at what goes to a model and comes back, opened once and used by many questions.
#[pyclass(frozen, module = "safepassage")]
pub struct Guardrail(pub Arc<dyn safepassage::Guardrail>);

#[pymethods]
impl Guardrail {
    /// The guardrail `name` of the catalogue in the file `models`: one of Bedrock. It is sent question, passages and answers
    /// up to the label that it is cleared for. Raises `DeniedError` if it is not in the catalogue or has expired there.
    #[staticmethod]
    fn from_catalogue(py: Python<'_>, models: PathBuf, name: &str) -> PyResult<Self> {
        run(py, || safepassage::models::open_guardrail(&models, name)).map(Self)
    }

    /// What it is called in spans.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    fn __repr__(&self) -> String {
        format!("Guardrail({:?})", self.0.name())
    }
}

/// A callable `(text, direction) -> str | None` as a guardrail that looks here.
struct Callable {
    name: String,
    callable: Py<PyAny>,
    on_loop: OnLoop,
}

impl safepassage::Guardrail for Callable {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, text: &str, direction: Direction, permit: &Permit) -> Result<Verdict> {
        permit()?;
        let way = if direction == Direction::In { "in" } else { "out" };
        let said: Option<String> = Python::attach(|py| {
            let said = self.callable.bind(py).call1((text, way)).and_then(|said| awaited(said, &self.on_loop));
            said.and_then(|said| said.extract()).map_err(|error| raised(py, &error, "look at text", "the guardrail"))
        })?;
        Ok(said.map_or(Verdict::Pass, Verdict::Intervened))
    }
}

/// A [`Guardrail`], or a callable; what that gives to be awaited runs on `on_loop`, if there is one.
pub fn guardrail(given: &Bound<'_, PyAny>, on_loop: OnLoop) -> PyResult<Arc<dyn safepassage::Guardrail>> {
    if let Ok(opened) = given.cast::<Guardrail>() {
        return Ok(Arc::clone(&opened.get().0));
    }
    if !given.is_callable() {
        let message = "a guardrail is a `Guardrail`, or a callable `(text, direction) -> str | None`";
        return Err(invalid("ask", message));
    }
    let name = given.getattr("__name__").and_then(|name| name.extract()).unwrap_or_else(|_| "callable".to_owned());
    Ok(Arc::new(Callable { name, callable: given.clone().unbind(), on_loop }))
}
