//! Word: paragraphs, headings, lists and tables of the text, then footnotes and endnotes.
//!
//! What was deleted but is still in the file, field codes and comments are left out. There are no pages: where they
//! break is known only to the program that lays the text out.

use std::collections::HashMap;

use safepassage_error::Result;

use super::package::Package;
use super::properties;
use super::styles::{self, TITLE};
use super::xml::{Attributes, Xml, walk};
use crate::parse::Parsed;
use crate::parse::draft::Draft;
use crate::parse::table::Table;

pub(in crate::parse) fn parse(content: &[u8]) -> Result<Parsed> {
    let mut package = Package::open(content)?;
    let text = package.needed("word/document.xml")?;
    let styles = package.part("word/styles.xml")?.unwrap_or_default();
    let mut body = Body { levels: styles::levels(&styles)?, ..Body::default() };
    walk(&text, &mut |xml| body.take(xml))?;
    for notes in ["word/footnotes.xml", "word/endnotes.xml"] {
        if let Some(notes) = package.part(notes)? {
            walk(&notes, &mut |xml| body.take(xml))?;
        }
    }
    let Body { mut draft, first_heading, .. } = body;
    draft.title(&properties::title(&mut package)?.or(first_heading).unwrap_or_default());
    Ok(draft.finish())
}

#[derive(Default)]
struct Body {
    /// Of which level a heading of a style is.
    levels: HashMap<String, u8>,
    draft: Draft,
    first_heading: Option<String>,
    /// The open ones, outermost first: a text box stands within a paragraph.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Rows>,
    /// How deep within something that is left out.
    skipped: usize,
    in_text: bool,
    in_properties: bool,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<u8>,
    is_point: bool,
}

#[derive(Default)]
struct Rows {
    table: Table,
    cells: Vec<String>,
    cell: String,
    /// Columns that the open cell takes beside its first.
    more_columns: usize,
}

impl Body {
    fn take(&mut self, xml: Xml<'_>) -> Result<()> {
        match xml {
            Xml::Open(..) if self.skipped > 0 => self.skipped += 1,
            Xml::Close(_) if self.skipped > 0 => self.skipped -= 1,
            Xml::Text(_) if self.skipped > 0 => {}
            Xml::Text(text) if self.in_text => self.write(text),
            Xml::Text(_) => {}
            Xml::Open(name, attributes) => self.open(name, &attributes),
            Xml::Close(name) => return self.close(name),
        }
        Ok(())
    }

    fn open(&mut self, name: &str, attributes: &Attributes<'_>) {
        match name {
            // A drawing stands there twice, for programs of two ages; and what was deleted is no text any more.
            "Fallback" | "del" | "moveFrom" | "pPrChange" => self.skipped = 1,
            "p" => self.paragraphs.push(Paragraph::default()),
            "pPr" => self.in_properties = true,
            "t" => self.in_text = true,
            "tab" if !self.in_properties => self.write("\t"),
            "br" | "cr" => self.write("\n"),
            "noBreakHyphen" => self.write("-"),
            "tbl" => {
                if self.tables.is_empty() {
                    self.draft.end_rows();
                }
                self.tables.push(Rows::default());
            }
            "gridSpan" => {
                if let (Some(rows), Some(columns)) = (self.tables.last_mut(), number(attributes)) {
                    rows.more_columns = columns.clamp(1, 64) - 1;
                }
            }
            "pStyle" | "outlineLvl" | "numPr" => {
                let style = || self.levels.get(&attributes.get("val")?).copied();
                let level = if name == "pStyle" { style() } else { number(attributes).and_then(styles::outline) };
                let Some(paragraph) = self.paragraphs.last_mut() else { return };
                paragraph.is_point |= name == "numPr";
                paragraph.level = paragraph.level.or(level);
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) -> Result<()> {
        match name {
            "t" => self.in_text = false,
            "pPr" => self.in_properties = false,
            "p" => return self.end_paragraph(),
            "tc" => {
                if let Some(rows) = self.tables.last_mut() {
                    rows.cells.push(std::mem::take(&mut rows.cell));
                    rows.cells.extend((0..std::mem::take(&mut rows.more_columns)).map(|_| String::new()));
                }
            }
            "tr" => return self.end_row(),
            "tbl" => drop(self.tables.pop()),
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn end_paragraph(&mut self) -> Result<()> {
        let Some(Paragraph { text, level, is_point }) = self.paragraphs.pop() else { return Ok(()) };
        if let Some(rows) = self.tables.last_mut() {
            rows.cell.push_str(&text);
            rows.cell.push(' ');
            return Ok(());
        }
        match level {
            Some(TITLE) => {
                self.draft.title(&text);
                self.draft.heading(1, &text)
            }
            Some(level) => {
                if self.first_heading.is_none() && !text.trim().is_empty() {
                    self.first_heading = Some(text.clone());
                }
                self.draft.heading(level, &text)
            }
            None if is_point && !text.trim().is_empty() => self.draft.row(&format!("- {text}")),
            None => self.draft.paragraph(&text),
        }
    }

    fn end_row(&mut self) -> Result<()> {
        let Some(rows) = self.tables.last_mut() else { return Ok(()) };
        let cells = std::mem::take(&mut rows.cells);
        match &mut self.tables[..] {
            [outermost] => outermost.table.row(&cells, &mut self.draft),
            [.., around, _] => {
                around.cell.push_str(&cells.join(" "));
                around.cell.push(' ');
                Ok(())
            }
            [] => Ok(()),
        }
    }
}

fn number(attributes: &Attributes<'_>) -> Option<usize> {
    attributes.get("val")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::package::tests::zipped;
    use super::*;

    fn read(body: &str) -> Parsed {
        let styles = r#"<w:styles><w:style w:styleId="b1"><w:name w:val="heading 1"/></w:style>
            <w:style w:styleId="mine"><w:basedOn w:val="b1"/><w:name w:val="Mine"/></w:style></w:styles>"#;
        let document = format!("<w:document><w:body>{body}</w:body></w:document>");
        let notes = "<w:footnotes><w:footnote><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote></w:footnotes>";
        let parts = [
            ("word/document.xml", document.as_bytes()),
            ("word/styles.xml", styles.as_bytes()),
            ("word/footnotes.xml", notes.as_bytes()),
        ];
        parse(&zipped(parts)).unwrap()
    }

    #[test]
    fn headings_lists_tables_and_notes() {
        let p = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
        let row = |cells: [&str; 2]| format!("<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>", p(cells[0]), p(cells[1]));
        let body = format!(
            "<w:p><w:pPr><w:pStyle w:val=\"mine\"/><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr><w:r><w:t>Leave</w:t></w:r></w:p>{}\
             <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t></w:r></w:p><w:tbl>{}{}</w:tbl>",
            p("25 &amp; 5"),
            row(["Who", "Days"]),
            row(["Ann", "30"])
        );
        let parsed = read(&body);
        assert_eq!(parsed.text, "Leave\n\n25 & 5\n\n- one\ttwo\n\nWho | Days\nWho: Ann; Days: 30\n\nA note.");
        assert_eq!(parsed.title.as_deref(), Some("Leave"));
        assert_eq!(parsed.blocks[0].heading, Some((1, "Leave".into())));
    }

    #[test]
    fn what_was_deleted_and_what_stands_twice_is_left_out() {
        let body = "<w:p><w:r><w:t>kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText><w:t>gone</w:t></w:r></w:del>\
            <mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></mc:Choice>\
            <mc:Fallback><w:t>boxed</w:t></mc:Fallback></mc:AlternateContent><w:r><w:instrText>PAGE</w:instrText><w:t>too</w:t></w:r></w:p>";
        assert_eq!(read(body).text, "boxed\n\nkept too\n\nA note.");
    }
}
