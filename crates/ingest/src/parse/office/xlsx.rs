//! Sheets: each under its name, a row a line, its values beside the names of their columns.
//!
//! Cells are read one after the other as they stand in the file; a sheet that says it is a million columns wide takes no
//! more memory than what it has. Of formulas the value is taken that was last computed.

use std::io::Cursor;

use calamine::{DataRef, DataType, Reader, Xlsx, XlsxError};
use safepassage_error::{Error, Result};

use super::package::Package;
use super::properties;
use crate::parse::Parsed;
use crate::parse::draft::Draft;
use crate::parse::table::Table;

/// Cells further to the right are left out.
const MOST_COLUMNS: u32 = 1_024;

pub(in crate::parse) fn parse(content: &[u8]) -> Result<Parsed> {
    let mut package = Package::open(content)?;
    package.needed("[Content_Types].xml")?;
    package.check()?;
    let title = properties::title(&mut package)?;
    let mut workbook = Xlsx::new(Cursor::new(content)).map_err(|e| refused(&e))?;
    let mut draft = Draft::default();
    draft.title(&title.unwrap_or_default());
    for name in workbook.sheet_names() {
        let mut cells = match workbook.worksheet_cells_reader(&name) {
            // A sheet that is a chart has no cells.
            Err(XlsxError::NotAWorksheet(_)) => continue,
            cells => cells.map_err(|e| refused(&e))?,
        };
        let (mut table, mut row, mut at, mut begun) = (Table::default(), Vec::<String>::new(), 0, false);
        while let Some(cell) = cells.next_cell().map_err(|e| refused(&e))? {
            let (line, column) = cell.get_position();
            if line != at {
                table.row(&std::mem::take(&mut row), &mut draft)?;
                at = line;
            }
            let text = text(cell.get_value());
            if column < MOST_COLUMNS && !text.is_empty() {
                if !begun {
                    draft.heading(1, &name)?;
                    begun = true;
                }
                row.resize(row.len().max(column as usize + 1), String::new());
                row[column as usize] = text;
            }
        }
        table.row(&row, &mut draft)?;
    }
    Ok(draft.finish())
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
            let day = format!("{year:04}-{month:02}-{day:02}");
            if (hour, minute, second) == (0, 0, 0) { day } else { format!("{day} {hour:02}:{minute:02}:{second:02}") }
        }
        // What a program could not compute says nothing.
        DataRef::Error(_) => String::new(),
        value => value.as_string().unwrap_or_default(),
    }
}

fn refused(error: &XlsxError) -> Error {
    let what = match error {
        XlsxError::Password => "it has a password",
        _ => "it is not a workbook that can be read: a part is missing or damaged",
    };
    Error::invalid("parse", what)
}
