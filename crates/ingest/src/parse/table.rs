//! Here are the rows of a table: how does one row read by itself?
//!
//! A row that is found alone says nothing without the names of its columns, so they stand beside its values. The first
//! row with two cells or more names the columns if none of its cells is a number and no two are the same.

use super::draft::{Draft, one_line};
use safepassage_error::Result;

/// A table, row by row.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// `None` until the first row with two cells.
    columns: Option<Vec<String>>,
}

impl Table {
    /// Writes one row, whose cells stand in the order of their columns.
    pub fn row(&mut self, cells: &[String], draft: &mut Draft) -> Result<()> {
        let cells: Vec<String> = cells.iter().map(|cell| one_line(cell)).collect();
        let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
        if filled == 0 {
            return Ok(());
        }
        let Some(columns) = &self.columns else {
            if filled >= 2 {
                self.columns = Some(if names(&cells) { cells.clone() } else { Vec::new() });
            }
            return draft.row(&plain(&cells));
        };
        if columns.is_empty() {
            return draft.row(&plain(&cells));
        }
        let named = cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty());
        let named = named.map(|(n, cell)| match columns.get(n).filter(|name| !name.is_empty()) {
            Some(name) => format!("{name}: {cell}"),
            None => cell.clone(),
        });
        draft.row(&named.collect::<Vec<_>>().join("; "))
    }
}

fn names(cells: &[String]) -> bool {
    let mut filled: Vec<&String> = cells.iter().filter(|cell| !cell.is_empty()).collect();
    let words = filled.iter().all(|cell| cell.len() <= 200 && cell.chars().any(char::is_alphabetic));
    filled.sort_unstable();
    words && filled.windows(2).all(|pair| pair[0] != pair[1])
}

fn plain(cells: &[String]) -> String {
    let last = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    cells[..last].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &[&[&str]]) -> String {
        let (mut table, mut draft) = (Table::default(), Draft::default());
        for row in rows {
            let cells: Vec<String> = row.iter().map(|&cell| cell.to_owned()).collect();
            table.row(&cells, &mut draft).unwrap();
        }
        draft.finish().text
    }

    #[test]
    fn values_stand_beside_the_names_of_their_columns() {
        let rows: [&[&str]; 4] = [&["Salaries"], &["Name", "Pay", ""], &["Ann", "", "new"], &["Bob", "7", "", ""]];
        assert_eq!(read(&rows), "Salaries\nName | Pay\nName: Ann; new\nName: Bob; Pay: 7");
    }

    #[test]
    fn numbers_and_repeated_words_name_nothing() {
        assert_eq!(read(&[&["1", "2"], &["a", "b"]]), "1 | 2\na | b");
        assert_eq!(read(&[&["x", "x"], &["a", "", "b"], &["", ""]]), "x | x\na |  | b");
    }
}
