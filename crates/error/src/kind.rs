//! Which kinds of failure exist, and how does each surface show them?
//!
//! The only table of kind → exit code → Python class → retryable.

use std::fmt;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The input cannot be used as it is: change it.
    Invalid,
    /// There is no such thing, or the asker may not know of it.
    NotFound,
    /// The identity may not do this, or is expired.
    Denied,
    /// Somebody else holds or changed what this call needs.
    Conflict,
    /// A part that this call needs cannot be reached now.
    Unavailable,
    /// A limit was reached: slow down.
    Throttled,
    /// Stored bytes are not what was written.
    Corrupted,
    /// A fault of safepassage itself.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Invalid,
        Self::NotFound,
        Self::Denied,
        Self::Conflict,
        Self::Unavailable,
        Self::Throttled,
        Self::Corrupted,
        Self::Internal,
    ];

    const fn row(self) -> (&'static str, u8, &'static str, bool) {
        match self {
            Self::Invalid => ("Invalid", 2, "InvalidError", false),
            Self::NotFound => ("NotFound", 3, "NotFoundError", false),
            Self::Denied => ("Denied", 3, "DeniedError", false),
            Self::Conflict => ("Conflict", 4, "ConflictError", true),
            Self::Unavailable => ("Unavailable", 5, "UnavailableError", true),
            Self::Throttled => ("Throttled", 5, "ThrottledError", true),
            Self::Corrupted => ("Corrupted", 6, "CorruptedError", false),
            Self::Internal => ("Internal", 1, "InternalError", false),
        }
    }

    /// The name as it stands in the JSON of the binary.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The exit code of the binary.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.row().1
    }

    /// The class that Python raises.
    #[must_use]
    pub const fn python_class(self) -> &'static str {
        self.row().2
    }

    /// Whether the same call may succeed later as it is.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        self.row().3
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
