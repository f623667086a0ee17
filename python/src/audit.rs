//! `index.audit_settings`, `set_audit`, `audit_head`, `audit_verify`, `audit_show`, `audit_retire` and `audit_mend`: who
//! was given what?

use pyo3::prelude::*;
use safepassage::audit::{AuditFilter, AuditLine, KeepAudit};
use serde_json::json;

use crate::errors::{invalid, run};
use crate::index::Index;
use crate::json::to_python;

#[pymethods]
impl Index {
    /// How the index is audited now: a dict of on, texts, durability, rotate_bytes, rotate_days and keep_days.
    fn audit_settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.audit()?.settings())?)
    }

    /// Changes how the index is audited, for every search that starts after it returns, in every process; what is None
    /// stays. That it was changed is a line of the log. Returns what is in force now.
    ///
    /// `texts` says whether questions are written down as they were asked; `durability` is `"synced"` or `"written"`.
    /// Raises `InvalidError` for settings that make no sense.
    #[pyo3(signature = (*, on = None, texts = None, durability = None, rotate_bytes = None, rotate_days = None, keep_days = None))]
    #[expect(clippy::too_many_arguments, reason = "the settings of the log")]
    fn set_audit<'py>(
        &self,
        py: Python<'py>,
        on: Option<bool>,
        texts: Option<bool>,
        durability: Option<String>,
        rotate_bytes: Option<u64>,
        rotate_days: Option<u32>,
        keep_days: Option<u32>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let durability = durability
            .map(|name| {
                let unknown = |_| invalid("set up audit", format!("`durability` is synced or written, not `{name}`"));
                serde_json::from_value(name.clone().into()).map_err(unknown)
            })
            .transpose()?;
        let settings = run(py, || {
            self.engine.audit()?.set(|settings| {
                settings.on = on.unwrap_or(settings.on);
                settings.texts = texts.unwrap_or(settings.texts);
                settings.durability = durability.unwrap_or(settings.durability);
                settings.rotate_bytes = rotate_bytes.unwrap_or(settings.rotate_bytes);
                settings.rotate_days = rotate_days.unwrap_or(settings.rotate_days);
                settings.keep_days = keep_days.unwrap_or(settings.keep_days);
            })
        })?;
        to_python(py, &settings)
    }

    /// The number and the hash of the last line, `{"seq", "hash"}`: kept somewhere else they show a log written anew.
    ///
    /// Raises `NotFoundError` if there is no log yet.
    fn audit_head<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let head = run(py, || self.engine.audit()?.head())?;
        to_python(py, &json!({"seq": head.seq(), "hash": head.hash()}))
    }

    /// Reads the whole log and returns what was checked; with `expect` the line that had this hash must still be there.
    ///
    /// Raises `CorruptedError`, naming the file and the line, for anything that was changed, dropped, put in or
    /// reordered.
    #[pyo3(signature = (expect = None))]
    fn audit_verify<'py>(&self, py: Python<'py>, expect: Option<String>) -> PyResult<Bound<'py, PyAny>> {
        let verified = run(py, || {
            let expect = expect.map(|hash| hash.parse()).transpose()?;
            self.engine.audit()?.verify(expect)
        })?;
        to_python(py, &verified)
    }

    /// The lines from number `since` on, of one user, about one document or of one kind; oldest first, as dicts.
    ///
    /// Raises `CorruptedError` if the log is not what was written.
    #[pyo3(signature = (since = None, user = None, document = None, action = None))]
    fn audit_show<'py>(
        &self,
        py: Python<'py>,
        since: Option<u64>,
        user: Option<String>,
        document: Option<String>,
        action: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let filter = AuditFilter { since, user, document, action };
        let lines = run(py, || {
            let mut lines: Vec<AuditLine> = Vec::new();
            self.engine.audit()?.show(&filter, &mut |line| {
                lines.push(line.clone());
                Ok(())
            })?;
            Ok(lines)
        })?;
        to_python(py, &lines)
    }

    /// Removes whole files that are older than `keep_days`, or all but the newest `keep_files`; a line says so. Returns
    /// `{"files", "first_seq"}`.
    ///
    /// Raises `InvalidError` for fewer days than the settings keep; nothing is removed from a damaged log.
    #[pyo3(signature = (keep_days = None, *, keep_files = None, reason = String::new()), text_signature = "($self, keep_days=None, *, keep_files=None, reason='')")]
    fn audit_retire<'py>(
        &self,
        py: Python<'py>,
        keep_days: Option<u32>,
        keep_files: Option<u32>,
        reason: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let keep = match (keep_days, keep_files) {
            (Some(days), None) => KeepAudit::Days(days),
            (None, Some(files)) => KeepAudit::Files(files),
            _ => return Err(invalid("retire audit log", "give `keep_days` or `keep_files`")),
        };
        to_python(py, &run(py, || self.engine.audit()?.retire(keep, &reason))?)
    }

    /// Lets a log whose end is damaged go on behind its last whole line; a line says so and why. Returns `{"seq",
    /// "head_seq", "set_aside_bytes"}`.
    ///
    /// Raises `InvalidError` without a reason, or if there is nothing to mend.
    fn audit_mend<'py>(&self, py: Python<'py>, reason: String) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &run(py, || self.engine.audit()?.mend(&reason))?)
    }
}
