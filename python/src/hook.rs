//! Hooks that Python gives: an object with any of `before_request`, `on_piece` and `after_response`.

use std::sync::Arc;

use pyo3::prelude::*;
use safepassage::{Answer, Error, Hook, Kind, Request, Result};

use crate::awaiting::{OnLoop, awaited};
use crate::generator::{messages, raised};

/// A Python object as a [`Hook`]. What a method gives, or what that gives to be awaited, replaces what it was given; None
/// leaves it.
struct Called {
    hook: Py<PyAny>,
    on_loop: OnLoop,
}

/// `given` as a hook; what it gives to be awaited runs on `on_loop`, if there is one.
pub fn hook(given: Py<PyAny>, on_loop: OnLoop) -> Arc<dyn Hook> {
    Arc::new(Called { hook: given, on_loop })
}

impl Called {
    /// What the method `name` gives, if there is one and it gives something.
    fn call<T>(
        &self,
        name: &str,
        argument: impl FnOnce(Python<'_>) -> PyResult<Bound<'_, PyAny>>,
        read: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
    ) -> Result<Option<T>> {
        let called = Python::attach(|py| {
            let hook = self.hook.bind(py);
            if !hook.hasattr(name)? {
                return Ok(None);
            }
            let given = awaited(hook.call_method1(name, (argument(py)?,))?, &self.on_loop)?;
            if given.is_none() { Ok(None) } else { read(&given).map(Some) }
        });
        called.map_err(|error: PyErr| {
            let said = Python::attach(|py| raised(py, &error, "ask", &format!("the hook's `{name}`")));
            Error::new(Kind::Denied, "ask", said.message())
        })
    }
}

impl Hook for Called {
    fn before_request(&self, request: &mut Request) -> Result<()> {
        let texts = self.call(
            "before_request",
            |py| Ok(messages(py, request)?.into_any()),
            |given| given.try_iter()?.map(|message| message?.get_item("content")?.extract::<String>()).collect(),
        )?;
        let Some(texts): Option<Vec<String>> = texts else { return Ok(()) };
        if texts.len() != request.messages.len() {
            return Err(Error::invalid("ask", "a hook gives as many messages as it was given"));
        }
        request.messages.iter_mut().zip(texts).for_each(|(message, text)| message.text = text);
        Ok(())
    }

    fn on_piece(&self, piece: &mut String) -> Result<()> {
        let given = self.call(
            "on_piece",
            |py| Ok(piece.as_str().into_pyobject(py)?.into_any()),
            |given| given.extract::<String>(),
        )?;
        if let Some(given) = given {
            *piece = given;
        }
        Ok(())
    }

    fn after_response(&self, answer: &mut Answer) -> Result<()> {
        let text = self.call(
            "after_response",
            |py| Ok(answer.text.as_str().into_pyobject(py)?.into_any()),
            |given| given.extract::<String>(),
        )?;
        if let Some(text) = text {
            answer.text = text;
        }
        Ok(())
    }
}
