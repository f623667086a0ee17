//! Notebooks: the cells in their order, text as Markdown, code as it is, and what it printed.

use safepassage_error::{Error, Result};
use serde::Deserialize;

use super::Parsed;
use super::decode::decode;
use super::draft::Draft;
use super::markdown;
use crate::source::describe;

/// What a cell printed is kept up to here; the rest is rarely read by anybody.
const MOST_OUTPUT: usize = 4 << 10;

#[derive(Deserialize)]
struct Notebook {
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    cell_type: String,
    #[serde(default)]
    source: Lines,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    text: Lines,
    #[serde(default)]
    data: Shown,
}

#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default, rename = "text/plain")]
    plain: Lines,
}

/// A text, or its lines.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Default for Lines {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Lines {
    fn text(self) -> String {
        match self {
            Self::One(text) => text,
            Self::Many(lines) => lines.concat(),
        }
    }
}

pub(super) fn parse(content: &[u8]) -> Result<Parsed> {
    let text = decode(content)?;
    let notebook: Notebook = serde_json::from_str(&text)
        .map_err(|e| Error::invalid("parse", format!("it is not a notebook: line {}, {}", e.line(), describe(&e))))?;
    let mut draft = Draft::default();
    for cell in notebook.cells {
        let source = cell.source.text();
        if cell.cell_type == "markdown" {
            let parsed = markdown::parse(&source);
            draft.title(parsed.title.as_deref().unwrap_or_default());
            draft.append(&parsed)?;
            continue;
        }
        draft.paragraph(&source)?;
        for output in cell.outputs {
            for shown in [output.text, output.data.plain] {
                let shown = shown.text();
                draft.paragraph(&shown[..shown.floor_char_boundary(MOST_OUTPUT)])?;
            }
        }
    }
    Ok(draft.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_in_their_order() {
        let parsed = parse(
            br##"{"cells": [{"cell_type": "markdown", "source": ["# Pay\n", "\n", "How it is *made*."]},
                {"cell_type": "code", "source": "sum(pay)", "outputs": [{"data": {"text/plain": ["42"], "image/png": "iVBOR"}}, {"name": "stdout", "text": "done\n"}]},
                {"cell_type": "code", "source": [], "outputs": [{"ename": "E", "traceback": ["x"]}]}], "metadata": {}, "nbformat": 4}"##,
        )
        .unwrap();
        assert_eq!(parsed.title.as_deref(), Some("Pay"));
        assert_eq!(parsed.text, "# Pay\n\nHow it is *made*.\n\nsum(pay)\n\n42\n\ndone");
        assert_eq!(parsed.blocks[0].heading, Some((1, "Pay".into())));
        assert!(parse(b"{}").is_err());
    }
}
