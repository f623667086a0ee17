//! Which numbers of a workbook are dates, and which dates are they?
//!
//! A date is a number of days whose cell is shown as one: by one of the formats that every program knows, or by one with
//! letters for years to seconds.

use std::collections::HashMap;

use safepassage_error::Result;

use super::xml::{Xml, walk};

const DAY_SECONDS: f64 = 86_400.0;
/// 30 December 1899 and 1 January 1904, in days from 1970.
const SINCE_1900: i64 = -25_569;
const SINCE_1904: i64 = -24_107;
/// The last day that programs show, the end of the year 9999.
const LAST: f64 = 2_958_466.0;

/// The formats of a workbook that are dates.
#[derive(Debug, Default)]
pub(super) struct Dates {
    /// By the number that cells have of a format.
    formats: Vec<bool>,
    epoch: i64,
}

pub(super) fn dates(styles: &[u8], since_1904: bool) -> Result<Dates> {
    let (mut own, mut formats, mut in_cells) = (HashMap::<u32, bool>::new(), Vec::new(), false);
    walk(styles, &mut |xml| {
        match xml {
            Xml::Open("numFmt", attributes) => {
                if let (Some(id), Some(code)) = (attributes.get("numFmtId"), attributes.get("formatCode")) {
                    own.insert(id.parse().unwrap_or(u32::MAX), shows_date(&code));
                }
            }
            Xml::Open("cellXfs", _) => in_cells = true,
            Xml::Close("cellXfs") => in_cells = false,
            Xml::Open("xf", attributes) if in_cells => {
                let id = attributes.get("numFmtId").and_then(|id| id.parse().ok()).unwrap_or(0);
                let known = matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58);
                formats.push(own.get(&id).copied().unwrap_or(known));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(Dates { formats, epoch: if since_1904 { SINCE_1904 } else { SINCE_1900 } })
}

/// Whether a format has letters for a date or a time, apart from what it quotes.
fn shows_date(code: &str) -> bool {
    let (mut quoted, mut bracket, mut escaped) = (false, false, false);
    for letter in code.to_ascii_lowercase().chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' | '_' | '*' => escaped = true,
            '"' => quoted = !quoted,
            '[' => bracket = true,
            ']' => bracket = false,
            'y' | 'd' | 'h' | 's' | 'm' if !quoted && !bracket => return true,
            // Only the first part is for what is usual; `General` has no such letters.
            ';' if !quoted => return false,
            _ => {}
        }
    }
    false
}

impl Dates {
    pub fn is_date(&self, format: usize) -> bool {
        self.formats.get(format).copied().unwrap_or(false)
    }

    /// The day, with the time if there is one, or the time alone; `None` for what is no date.
    pub fn text(&self, number: f64) -> Option<String> {
        if !(0.0..LAST).contains(&number) {
            return None;
        }
        let seconds = (number.fract() * DAY_SECONDS).round().min(DAY_SECONDS - 1.0) as u64;
        let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if number < 1.0 {
            return Some(time);
        }
        // 1900 was no leap year, but the first program of this kind thought so, and all others count as it does.
        let early = i64::from(self.epoch == SINCE_1900 && number < 60.0);
        let (year, month, day) = day(number as i64 + self.epoch + early);
        let date = format!("{year:04}-{month:02}-{day:02}");
        Some(if seconds == 0 { date } else { format!("{date} {time}") })
    }
}

/// The date of a day counted from 1970: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn day(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_programs_do() {
        let dates = dates(b"", false).unwrap();
        let text = |number| dates.text(number).unwrap_or_default();
        assert_eq!(text(43_556.0), "2019-04-01");
        assert_eq!(text(43_556.75), "2019-04-01 18:00:00");
        assert_eq!([text(1.0), text(59.0), text(61.0)], ["1900-01-01", "1900-02-28", "1900-03-01"]);
        assert_eq!([text(0.5), text(-1.0), text(1e300), text(f64::NAN)], ["12:00:00", "", "", ""]);
        assert_eq!(super::dates(b"", true).unwrap().text(42_094.0).unwrap(), "2019-04-01");
    }

    #[test]
    fn formats_with_letters_of_time_are_dates() {
        let date = ["yyyy-mm-dd", "[$-409]d mmm", "hh:mm", "\"on\" d/m/yy", "mm:ss.0"];
        let other = ["General", "0.00", "#,##0 \"days\"", "[Red]0", "0\\d", "0;d", "[h]"];
        assert!(date.iter().all(|code| shows_date(code)) && !other.iter().any(|code| shows_date(code)));
        let styles = "<s><numFmts><numFmt numFmtId=\"164\" formatCode=\"dd/mm\"/></numFmts><cellStyleXfs><xf numFmtId=\"14\"/></cellStyleXfs>\
            <cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"164\"/></cellXfs></s>";
        let dates = dates(styles.as_bytes(), false).unwrap();
        assert_eq!([0, 1, 2, 3].map(|format| dates.is_date(format)), [false, true, true, false]);
    }
}
