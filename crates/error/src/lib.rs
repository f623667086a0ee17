//! What went wrong, and what should the caller do about it?
//!
//! Every crate of safepassage fails with the one [`Error`] of this crate: a [`Kind`] tells a program what to do, the
//! message tells a person what happened. The table kind → exit code → Python class stands here and nowhere else.
//! The crate also holds the one place that asks the machine for the time ([`system`]), because it sits below all others.

#![forbid(unsafe_code)]

mod kind;
pub mod system;

use std::fmt;

pub use kind::Kind;

/// Shorthand for results of every safepassage crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of every safepassage crate.
///
/// `Display` gives the operation and the message, never the source, never document text, never a secret.
pub struct Error {
    kind: Kind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync + 'static>>,
}

impl Error {
    /// An error of `kind` while doing `operation` (a verb phrase such as `open index`).
    #[must_use]
    pub fn new(kind: Kind, operation: &'static str, message: impl Into<String>) -> Self {
        Self { kind, operation, message: message.into(), context: Vec::new(), source: None }
    }

    /// The caller's input cannot be used as it is.
    #[must_use]
    pub fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, operation, message)
    }

    /// Stored bytes are not what was written.
    #[must_use]
    pub fn corrupted(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupted, operation, message)
    }

    /// Adds a named fact, such as the path or the line; shown after the message.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((name, value.to_string()));
        self
    }

    /// Adds the error underneath, reachable through [`std::error::Error::source`] and not printed.
    #[must_use]
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What kind of failure this is: tells a program what to do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the same call may succeed later without a change by the caller.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What happened, for a person, without the operation and the context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The named facts, in the order they were added.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        for (i, (name, value)) in self.context.iter().enumerate() {
            write!(f, "{}{name} `{value}`", if i == 0 { " (" } else { ", " })?;
        }
        if self.context.is_empty() { Ok(()) } else { write!(f, ")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, "; caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_shows_context_and_hides_the_source() {
        let error = Error::invalid("read acl", "unknown kind `grup`")
            .with("line", 3)
            .with("file", "acl.jsonl")
            .because(std::io::Error::other("secret"));
        assert_eq!(error.to_string(), "read acl: unknown kind `grup` (line `3`, file `acl.jsonl`)");
        assert!(!error.is_retryable());
        assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("secret"));
    }
}
