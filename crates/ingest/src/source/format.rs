//! What kind of file is this, and are these bytes fit for it?

use std::path::Path;

/// How the content of a document is to be parsed. The order is part of every version: new formats come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Plain text.
    Plain,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
    /// Source code, settings and other text that is written for programs.
    Code,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// JSON.
    Json,
    /// A Jupyter notebook.
    Notebook,
    /// A mail as it was sent.
    Mail,
    /// A Word document.
    Docx,
    /// A PowerPoint presentation.
    Pptx,
    /// An Excel workbook.
    Xlsx,
    /// PDF.
    Pdf,
}

/// Files that are code by their whole name.
const NAMED: [&str; 8] =
    ["makefile", "dockerfile", "containerfile", "jenkinsfile", "justfile", "rakefile", "gemfile", "cmakelists.txt"];

impl Format {
    /// Every format, in its order.
    pub const ALL: [Self; 13] = [
        Self::Plain,
        Self::Markdown,
        Self::Html,
        Self::Code,
        Self::Csv,
        Self::Tsv,
        Self::Json,
        Self::Notebook,
        Self::Mail,
        Self::Docx,
        Self::Pptx,
        Self::Xlsx,
        Self::Pdf,
    ];

    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if NAMED.contains(&name.as_str()) {
            return Some(Self::Code);
        }
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "md" | "markdown" | "mdx" => Self::Markdown,
            "txt" | "text" | "rst" | "log" | "adoc" | "asciidoc" | "org" | "tex" => Self::Plain,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "json" => Self::Json,
            "ipynb" => Self::Notebook,
            "eml" => Self::Mail,
            "docx" | "docm" | "dotx" => Self::Docx,
            "pptx" | "pptm" | "ppsx" => Self::Pptx,
            "xlsx" | "xlsm" | "xltx" => Self::Xlsx,
            "pdf" => Self::Pdf,
            "rs" | "py" | "pyi" | "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "java" | "kt" | "kts" | "scala"
            | "groovy" | "gradle" | "clj" | "go" | "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" | "cs" | "fs"
            | "vb" | "swift" | "m" | "mm" | "rb" | "php" | "pl" | "pm" | "lua" | "r" | "jl" | "dart" | "ex" | "exs"
            | "erl" | "hrl" | "hs" | "ml" | "mli" | "elm" | "nim" | "zig" | "v" | "sv" | "vhd" | "asm" | "s"
            | "f90" | "cob" | "cbl" | "pas" | "ada" | "lisp" | "el" | "scm" | "sh" | "bash" | "zsh" | "fish"
            | "ps1" | "bat" | "cmd" | "sql" | "graphql" | "proto" | "thrift" | "avsc" | "yaml" | "yml" | "toml"
            | "ini" | "cfg" | "conf" | "properties" | "xml" | "xsd" | "xsl" | "css" | "scss" | "less" | "vue"
            | "svelte" | "tf" | "hcl" | "nix" | "cmake" | "mk" | "diff" | "patch" | "rego" | "cedar" | "fga"
            | "sol" | "wat" => Self::Code,
            _ => return None,
        })
    }

    /// Whether the content is the text itself: then spans are bytes of the content, else of the text that was taken out
    /// of it.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::Plain | Self::Markdown | Self::Html | Self::Code)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_the_end_of_the_name_or_the_whole_of_it() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/B.PDF"), Some(Format::Pdf));
        assert_eq!(of("x.tar.json"), Some(Format::Json));
        assert_eq!(of("src/Dockerfile"), Some(Format::Code));
        assert_eq!(of("CMakeLists.txt"), Some(Format::Code));
        assert_eq!([of("a.png"), of("Makefilet"), of("docx"), of("a.jsonl")], [None; 4]);
        assert!(Format::ALL.iter().enumerate().all(|(n, format)| n == *format as usize));
    }
}
