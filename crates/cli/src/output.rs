//! How are results shown?

use std::io::Write;

use safepassage::{Error, Kind, Result};
use serde::Serialize;

/// Prints one JSON object on stdout.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string(value)
        .map_err(|e| Error::new(Kind::Internal, "print result", "it is no JSON").because(e))?;
    line(&text)
}

/// Prints one line on stdout; a closed pipe is nobody's fault.
pub fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Unavailable, "print result", e.to_string()))
        }
        _ => Ok(()),
    }
}

/// Says on stderr what goes on.
pub fn note(text: &str) {
    eprintln!("{}", printable(text));
}

/// Prints an error as JSON on stdout.
pub fn error_json(error: &Error) {
    let value = serde_json::json!({"error": {
        "kind": error.kind().name(),
        "message": error.to_string(),
        "retryable": error.is_retryable(),
    }});
    // The exit code still tells.
    let _ = line(&value.to_string());
}

/// Says that something failed, and why: on stderr, and with `as_json` on stdout too.
pub fn failed(error: &Error, as_json: bool) {
    if as_json {
        error_json(error);
    }
    eprintln!("safepassage: {}", printable(&error.to_string()));
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        eprintln!("  because: {}", printable(&error.to_string()));
        cause = error.source();
    }
}

/// `text` without what would steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// `text` on one line, at most `most` characters.
pub fn shortened(text: &str, most: usize) -> String {
    let words = printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if words.chars().count() <= most {
        return words;
    }
    let cut: String = words.chars().take(most).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head))
}
