//! Here are the numbers or dates of visible documents: how many lie in which interval?
//!
//! Numbers are cut into intervals of one width between the least and the greatest; dates into seconds, minutes, hours,
//! days, months or years of the calendar (UTC), the finest that are few enough. Intervals without a document are left out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::facets::{Bucket, FacetValues};
use super::instant::{DAY, Instant, date, days};
use super::value::Point;

/// At most `most` buckets of numbers.
pub(super) fn numbers(counts: &BTreeMap<Point, u64>, most: usize) -> FacetValues {
    let (Some((min, _)), Some((max, _))) = (counts.first_key_value(), counts.last_key_value()) else {
        return FacetValues::Range { min: None, max: None, buckets: Vec::new() };
    };
    let (low, high) = (min.nearest(), max.nearest());
    // Weighed, not added up: the distance of the largest doubles is none.
    let start = |at: usize| low * ((most - at) as f64 / most as f64) + high * (at as f64 / most as f64);
    let number_of = |point: &Point| {
        let (mut first, mut last) = (0, if low < high { most - 1 } else { 0 });
        while first < last {
            let middle = (first + last).div_ceil(2);
            if point.nearest() < start(middle) { last = middle - 1 } else { first = middle }
        }
        first
    };
    let bound = |at: usize| match at {
        0 => min.number(),
        at if at == most || low >= high => max.number(),
        at => start(at).into(),
    };
    let mut found = BTreeMap::<usize, u64>::new();
    counts.iter().for_each(|(point, count)| *found.entry(number_of(point)).or_default() += count);
    let buckets = found.into_iter().map(|(at, count)| Bucket { from: bound(at), to: bound(at + 1), count });
    FacetValues::Range { min: Some(min.number()), max: Some(max.number()), buckets: buckets.collect() }
}

/// Where intervals of the calendar begin.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Seconds(i64),
    Months(i64),
}

const UNITS: [Unit; 15] = [
    Unit::Seconds(1),
    Unit::Seconds(60),
    Unit::Seconds(3600),
    Unit::Seconds(DAY),
    Unit::Months(1),
    Unit::Months(3),
    Unit::Months(12),
    Unit::Months(12 * 2),
    Unit::Months(12 * 5),
    Unit::Months(12 * 10),
    Unit::Months(12 * 50),
    Unit::Months(12 * 100),
    Unit::Months(12 * 500),
    Unit::Months(12 * 1_000),
    Unit::Months(12 * 100_000),
];

impl Unit {
    /// Which interval `at` is in, counted from an origin of the unit's own.
    fn number_of(self, at: Instant) -> i64 {
        match self {
            Self::Seconds(length) => at.seconds.div_euclid(length),
            Self::Months(length) => {
                let (year, month, _) = date(at.seconds.div_euclid(DAY));
                (year * 12 + month - 1).div_euclid(length)
            }
        }
    }

    /// Where an interval begins.
    fn start(self, number: i64) -> Instant {
        let seconds = match self {
            Self::Seconds(length) => number * length,
            Self::Months(length) => {
                let months = number * length;
                days(months.div_euclid(12), months.rem_euclid(12) + 1, 1) * DAY
            }
        };
        Instant { seconds, nanos: 0 }
    }
}

/// At most `most` buckets of dates.
pub(super) fn dates(counts: &BTreeMap<Point, u64>, most: usize) -> FacetValues {
    let (Some((min, _)), Some((max, _))) = (counts.first_key_value(), counts.last_key_value()) else {
        return FacetValues::Range { min: None, max: None, buckets: Vec::new() };
    };
    let (min, max) = (min.instant(), max.instant());
    let few = |unit: &&Unit| ((unit.number_of(max) - unit.number_of(min)) as u64) < most as u64;
    let shown = |at: Instant| Value::String(at.to_string());
    let mut found = BTreeMap::<(Instant, Instant), u64>::new();
    // Four digits of a year are within one of the longest intervals, or two where it is before the year 0.
    let unit = UNITS.iter().find(few);
    for (point, count) in counts {
        let at = point.instant();
        let interval =
            unit.map_or((min, max), |unit| (unit.start(unit.number_of(at)), unit.start(unit.number_of(at) + 1)));
        *found.entry(interval).or_default() += count;
    }
    let buckets = found.into_iter().map(|((from, to), count)| Bucket { from: shown(from), to: shown(to), count });
    FacetValues::Range { min: Some(shown(min)), max: Some(shown(max)), buckets: buckets.collect() }
}
