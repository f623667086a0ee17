//! Sheets: each under its name, a row a line, its values beside the names of their columns.
//!
//! Cells are taken one after the other as they stand in the file, and nothing is believed that a file says of how much it
//! has: a sheet that claims a million columns, or strings by the billion, costs what it has. Of formulas the value is taken
//! that was last computed; what is a date is known by the format of its cell (`dates`).

use safepassage_error::Result;

use super::dates::{self, Dates};
use super::package::Package;
use super::properties;
use super::xml::{Attributes, Xml, walk};
use crate::parse::Parsed;
use crate::parse::draft::Draft;
use crate::parse::table::Table;

/// Cells further to the right are left out, and so is what no cell can have of a text.
const MOST_COLUMNS: usize = 1_024;
const MOST_CELL: usize = 64 << 10;
const WORKBOOK: &str = "xl/workbook.xml";

pub(in crate::parse) fn parse(content: &[u8]) -> Result<Parsed> {
    let mut package = Package::open(content)?;
    let book = package.needed(WORKBOOK)?;
    let relations = properties::relations(&mut package, WORKBOOK)?;
    let (mut sheets, mut since_1904) = (Vec::new(), false);
    walk(&book, &mut |xml| {
        match xml {
            Xml::Open("workbookPr", attributes) => {
                since_1904 = attributes.get("date1904").is_some_and(|set| set == "1" || set == "true");
            }
            Xml::Open("sheet", attributes) => {
                let related = attributes.exactly("r:id").and_then(|id| relations.get(&id));
                // What is a chart has no cells.
                if let Some((_, path)) = related.filter(|(kind, _)| kind == "worksheet") {
                    sheets.push((attributes.get("name").unwrap_or_default(), path.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let strings = strings(&package.part("xl/sharedStrings.xml")?.unwrap_or_default())?;
    let dates = dates::dates(&package.part("xl/styles.xml")?.unwrap_or_default(), since_1904)?;
    let mut draft = Draft::default();
    draft.title(&properties::title(&mut package)?.unwrap_or_default());
    for (name, path) in sheets {
        let Some(part) = package.part(&path)? else { continue };
        let mut sheet = Sheet::new(name, &strings, &dates, &mut draft);
        walk(&part, &mut |xml| sheet.take(xml))?;
    }
    Ok(draft.finish())
}

/// The strings that cells name by number.
fn strings(part: &[u8]) -> Result<Vec<String>> {
    let (mut strings, mut open, mut in_text, mut in_reading) = (Vec::new(), String::new(), false, false);
    walk(part, &mut |xml| {
        match xml {
            Xml::Open("t", _) => in_text = !in_reading,
            Xml::Close("t") => in_text = false,
            // How a word is read aloud, beside the word.
            Xml::Open("rPh", _) => in_reading = true,
            Xml::Close("rPh") => in_reading = false,
            Xml::Text(text) if in_text => append(&mut open, text),
            Xml::Close("si") => strings.push(std::mem::take(&mut open)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(strings)
}

fn append(text: &mut String, more: &str) {
    let room = MOST_CELL.saturating_sub(text.len()).min(more.len());
    text.push_str(&more[..more.floor_char_boundary(room)]);
}

struct Sheet<'a> {
    name: String,
    strings: &'a [String],
    dates: &'a Dates,
    draft: &'a mut Draft,
    begun: bool,
    table: Table,
    row: Vec<String>,
    /// The open cell: its column, kind and format, and what stands in it.
    column: usize,
    kind: String,
    format: usize,
    text: String,
    in_text: bool,
}

impl<'a> Sheet<'a> {
    fn new(name: String, strings: &'a [String], dates: &'a Dates, draft: &'a mut Draft) -> Self {
        let (table, row) = (Table::default(), Vec::new());
        let (column, kind, format, text) = (0, String::new(), 0, String::new());
        Self { name, strings, dates, draft, begun: false, table, row, column, kind, format, text, in_text: false }
    }

    fn take(&mut self, xml: Xml<'_>) -> Result<()> {
        match xml {
            Xml::Open("row", _) => {
                self.row.clear();
                self.column = 0;
            }
            Xml::Open("c", attributes) => self.begin(&attributes),
            Xml::Open("v" | "t", _) => self.in_text = true,
            Xml::Close("v" | "t") => self.in_text = false,
            Xml::Text(text) if self.in_text => append(&mut self.text, text),
            Xml::Close("c") => self.end()?,
            Xml::Close("row") => self.table.row(&self.row, self.draft)?,
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, attributes: &Attributes<'_>) {
        self.column = attributes.get("r").and_then(|place| column(&place)).unwrap_or(self.column);
        self.kind = attributes.get("t").unwrap_or_default();
        self.format = attributes.get("s").and_then(|format| format.parse().ok()).unwrap_or(0);
        self.text.clear();
    }

    fn end(&mut self) -> Result<()> {
        let column = self.column;
        self.column += 1;
        let text = self.value();
        if text.is_empty() || column >= MOST_COLUMNS {
            return Ok(());
        }
        if !self.begun {
            self.draft.heading(1, &self.name)?;
            self.begun = true;
        }
        self.row.resize(self.row.len().max(column + 1), String::new());
        self.row[column] = text;
        Ok(())
    }

    fn value(&self) -> String {
        let text = self.text.trim();
        match self.kind.as_str() {
            "s" => text.parse().ok().and_then(|n: usize| self.strings.get(n)).cloned().unwrap_or_default(),
            "b" => if text == "1" { "true" } else { "false" }.into(),
            // What a program could not compute says nothing.
            "e" => String::new(),
            "" | "n" => match text.parse::<f64>() {
                Ok(number) if self.dates.is_date(self.format) => self.dates.text(number).unwrap_or_else(|| text.into()),
                // As a person would write it, not with all the digits that a program keeps.
                Ok(number) if number.abs() < 1e15 => number.to_string(),
                _ => text.into(),
            },
            _ => text.into(),
        }
    }
}

/// The column of a place like `AB12`, from 0.
fn column(place: &str) -> Option<usize> {
    let letters = place.bytes().take_while(u8::is_ascii_uppercase).take(4);
    let number = letters.fold(0, |number, letter| number * 26 + usize::from(letter - b'A') + 1);
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_letters() {
        let columns = ["A1", "Z9", "AA1", "XFD1048576", "7", "ZZZZZZZZ1"].map(column);
        assert_eq!(columns, [Some(0), Some(25), Some(26), Some(16_383), None, Some(475_253)]);
    }

    #[test]
    fn words_are_taken_without_how_they_are_read() {
        let part = "<sst><si><t>a</t></si><si><r><t>b</t></r><r><t xml:space=\"preserve\"> c</t></r><rPh><t>x</t></rPh></si><si/></sst>";
        assert_eq!(strings(part.as_bytes()).unwrap(), ["a", "b c", ""]);
    }
}
