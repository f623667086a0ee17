//! CSV and TSV: a row is a line, its values beside the names of their columns.

use csv::ReaderBuilder;
use safepassage_error::{Error, Result};

use super::Parsed;
use super::decode::decode;
use super::draft::Draft;
use super::table::Table;

pub(super) fn parse(content: &[u8], tabs: bool) -> Result<Parsed> {
    let text = decode(content)?;
    let delimiter = if tabs { b'\t' } else { delimiter(&text) };
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut draft, mut table) = (Draft::default(), Table::default());
    for record in reader.records() {
        let record = record.map_err(|e| {
            let line = e.position().map_or(0, csv::Position::line);
            Error::invalid("parse", format!("its rows cannot be told apart at line {line}"))
        })?;
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        table.row(&cells, &mut draft)?;
    }
    Ok(draft.finish())
}

/// The one of the common ones that the first line has most of.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // The last of equals wins, so that a comma does against what a line does not have.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_their_columns() {
        let parsed = parse(b"name,note\nAnn,\"two\nlines, one cell\"\n\nBob,x,more\n", false).unwrap();
        assert_eq!(parsed.text, "name | note\nname: Ann; note: two lines, one cell\nname: Bob; note: x; more");
        assert_eq!(parse(b"a;b;c,d\n1;2\n", false).unwrap().text, "a | b | c,d\na: 1; b: 2");
        assert_eq!(parse(b"a,b\tc\n1\t2\n", true).unwrap().text, "a,b | c\na,b: 1; c: 2");
        assert!(parse(b"", false).unwrap().blocks.is_empty());
        assert!(parse(b"PK\x03\x04\0\0", false).is_err());
    }
}
