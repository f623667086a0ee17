//! A file that takes all the memory takes the interpreter with it: how is it parsed in a process of its own?
//!
//! By this interpreter and this module: `safepassage/_parser.py` loads the module alone, without what a program has
//! imported or put on its path, and calls [`serve_parser`].

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use safepassage::ParserProcess;

use crate::errors::{invalid, raise, run};

/// The process that parses a file with at most `most_mb` MB; none for 0.
pub fn process(py: Python<'_>, most_mb: u64) -> PyResult<Option<ParserProcess>> {
    if most_mb == 0 {
        return Ok(None);
    }
    let interpreter: Option<PathBuf> = py.import("sys")?.getattr("executable")?.extract()?;
    let interpreter = interpreter.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| {
        invalid(
            "sync",
            "`sys.executable` names no interpreter that could parse files; parser_memory=0 parses them here",
        )
    })?;
    let file = |module: &str| py.import(module)?.getattr("__file__")?.extract::<OsString>();
    let arguments = ["-I".into(), "-S".into(), file("safepassage._parser")?, file("safepassage._core")?];
    ParserProcess::new(interpreter, arguments.into(), most_mb).map(Some).map_err(|error| raise(&error))
}

/// Parses the file that comes in, with no more than so much memory; the process ends then.
#[pyfunction]
#[pyo3(name = "_serve_parser")]
fn serve_parser(py: Python<'_>, format: &str, most_bytes: u64) -> PyResult<()> {
    run(py, || ParserProcess::serve(format, most_bytes, &mut std::io::stdin().lock(), &mut std::io::stdout().lock()))
}

/// Gives the module the function that the child calls, outside `__all__`: it is none of what users call.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.setattr("_serve_parser", wrap_pyfunction!(serve_parser, module)?)
}
