//! What kind of file is this, and are these bytes fit for it?

use std::path::Path;

/// How the content of a document is to be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Plain text.
    Plain,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
}

impl Format {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" | "mdx" => Some(Self::Markdown),
            "txt" | "text" | "rst" | "log" => Some(Self::Plain),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            _ => None,
        }
    }

    /// Whether the content is the text itself: then spans are bytes of the content, else of the text that was taken out
    /// of it.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::Plain | Self::Markdown | Self::Html)
    }

    /// Whether `content` can be of this format at all.
    ///
    /// # Errors
    /// A sentence for a person.
    pub(crate) fn check(self, content: &[u8]) -> Result<(), String> {
        match std::str::from_utf8(content) {
            Err(e) if self.is_text() => Err(format!("not UTF-8 at byte {}", e.valid_up_to())),
            _ => Ok(()),
        }
    }
}
