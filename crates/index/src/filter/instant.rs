//! Here is an RFC 3339 date: which instant is it? And the way back.

use std::fmt;

/// A point in time, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    /// Since 1970, in UTC.
    pub seconds: i64,
    pub nanos: u32,
}

pub(super) const DAY: i64 = 86_400;

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; H. Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day that `days` after 1970-01-01 is; its `civil_from_days`.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next_month, 1) - days(year, month, 1)
}

impl Instant {
    /// The instant of `2024-05-01`, `2024-05-01T09:30:00Z` or `2024-05-01T09:30:00.25+02:00`; `None` for anything else,
    /// dates that do not exist and fractions finer than a nanosecond included. A leap second is the second after it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (day, rest) = bytes.split_at_checked(10)?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *day else { return None };
        let (year, month, day) = (digits(&[y0, y1, y2, y3])?, digits(&[m0, m1])?, digits(&[d0, d1])?);
        if !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
            return None;
        }
        let midnight = days(year, month, day) * DAY;
        let Some((b'T' | b't' | b' ', rest)) = rest.split_first() else {
            return rest.is_empty().then_some(Self { seconds: midnight, nanos: 0 });
        };
        let (time, rest) = rest.split_at_checked(8)?;
        let [h0, h1, b':', n0, n1, b':', s0, s1] = *time else { return None };
        let (hour, minute, second) = (digits(&[h0, h1])?, digits(&[n0, n1])?, digits(&[s0, s1])?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (nanos, rest) = fraction(rest)?;
        let seconds = midnight + hour * 3600 + minute * 60 + second - offset(rest)?;
        Some(Self { seconds, nanos })
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
}

/// The nanoseconds that a fraction at the beginning of `text` says, and what is behind it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else { return Some((0, text)) };
    let length = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let (own, rest) = rest.split_at(length);
    let scale = 10i64.pow(9u32.checked_sub(u32::try_from(length).ok().filter(|n| *n > 0)?)?);
    Some((u32::try_from(digits(own)? * scale).ok()?, rest))
}

/// The seconds that local time is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (digits(&[h0, h1])?, digits(&[m0, m1])?);
            let ahead = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            Some(if sign == b'-' { -ahead } else { ahead })
        }
        _ => None,
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.seconds.div_euclid(DAY));
        let time = self.seconds.rem_euclid(DAY);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)?;
        if self.nanos > 0 {
            write!(f, ".{}", format!("{:09}", self.nanos).trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        let mut at = days(-1, 1, 1);
        for year in -1..=2800 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month) {
                    assert_eq!((days(year, month, day), date(at)), (at, (year, month, day)));
                    at += 1;
                }
            }
        }
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1)), (0, 11_017));
    }

    #[test]
    fn dates_are_instants() {
        let read = |text: &str| Instant::parse(text).map(|at| at.to_string());
        for (text, at) in [
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2024-02-29T23:30:00-01:00", "2024-03-01T00:30:00Z"),
            ("2024-02-29t00:00:00.250000000z", "2024-02-29T00:00:00.25Z"),
            ("0000-01-01 00:00:00.000000001+00:00", "0000-01-01T00:00:00.000000001Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
            ("9999-12-31T23:59:59+23:59", "9999-12-31T00:00:59Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(at), "{text}");
        }
        for text in [
            "",
            "2024",
            "2024-2-29",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "2024-01-32",
            "2100-02-29",
            "2024-01-01T",
            "2024-01-01T00:00",
            "2024-01-01T00:00:00",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.0000000001Z",
            "2024-01-01T00:00:00+0100",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00+01:60",
            "2024-01-01 ",
            "2024-01-01Z",
            " 2024-01-01",
            "+024-01-01",
            "2024-01-01T00:00:00ZZ",
            "２０２４-01-01",
            "2024-01-01T00:00:00ü",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
