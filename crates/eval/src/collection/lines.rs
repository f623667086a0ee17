//! Here is a file of lines: give me each with its number, and name it when it is wrong.

use std::path::Path;

use safepassage::{Error, Kind, Result};
use serde::de::DeserializeOwned;

/// Where something stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub file: &'a Path,
    /// From 1.
    pub line: usize,
}

impl Place<'_> {
    /// That what stands here cannot be used.
    pub fn invalid(self, message: impl Into<String>) -> Error {
        Error::invalid("read questions", message).with("file", self.file.display()).with("line", self.line)
    }
}

/// Calls `each` with every line that is not blank, without the blanks around it.
pub(super) fn each_line(file: &Path, each: &mut dyn FnMut(Place<'_>, &str) -> Result<()>) -> Result<()> {
    let bytes = std::fs::read(file).map_err(|e| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
        Error::new(kind, "read questions", e.to_string()).with("file", file.display())
    })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    for (line, bytes) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let place = Place { file, line };
        let text = std::str::from_utf8(bytes).map_err(|_| place.invalid("the line is not UTF-8"))?;
        let text = text.trim_matches([' ', '\t', '\r']);
        if !text.is_empty() {
            each(place, text)?;
        }
    }
    Ok(())
}

/// As [`each_line`], of JSON objects.
pub(super) fn each_object<T: DeserializeOwned>(
    file: &Path,
    each: &mut dyn FnMut(Place<'_>, T) -> Result<()>,
) -> Result<()> {
    each_line(file, &mut |place, text| {
        if !text.starts_with('{') {
            return Err(place.invalid("a line is a JSON object"));
        }
        each(place, serde_json::from_str(text).map_err(|e| place.invalid(e.to_string()))?)
    })
}
