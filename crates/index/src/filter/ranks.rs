//! Which places in a sorted list of values are looked for?
//!
//! Everything a filter can ask about one field is a few intervals of places: an equal value is one place, a range or a
//! prefix one interval, a part of a string one interval for each run of values that have it.

use std::ops::{Bound, Range};

use super::check::Wanted;
use super::postings::Values;
use super::value::Point;

/// Places in a list of distinct values, ascending and apart from each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ranks(Vec<Range<u32>>);

impl Ranks {
    /// Where `wanted` is among `values`. Binary search, but for a part of a string: that looks at all distinct values.
    pub fn of(wanted: &Wanted, values: &Values) -> Self {
        let count = values.len();
        match (wanted, values) {
            (Wanted::Texts(texts), Values::Texts(own)) => Self::places(texts.iter().filter_map(|text| {
                let at = own.first(|value| value >= text.as_bytes());
                (at < count && own.get(at) == text.as_bytes()).then_some(at)
            })),
            (Wanted::Prefix(prefix), Values::Texts(own)) => {
                let prefix = prefix.as_bytes();
                let from = own.first(|value| value >= prefix);
                Self::interval(from, own.first(|value| value >= prefix && !value.starts_with(prefix)))
            }
            (Wanted::Part(part), Values::Texts(own)) => {
                let has = |at: &u32| std::str::from_utf8(own.get(*at)).is_ok_and(|value| value.contains(part));
                Self::places((0..count).filter(has))
            }
            (Wanted::Points(points), Values::Points(own)) => Self::places(points.iter().filter_map(|point| {
                let at = own.first(|value| value >= *point);
                (at < count && own.get(at) == *point).then_some(at)
            })),
            (Wanted::Between(low, high), Values::Points(own)) => {
                let below = |value: Point| match low {
                    Bound::Included(low) => value < *low,
                    Bound::Excluded(low) => value <= *low,
                    Bound::Unbounded => false,
                };
                let above = |value: Point| match high {
                    Bound::Included(high) => value > *high,
                    Bound::Excluded(high) => value >= *high,
                    Bound::Unbounded => false,
                };
                Self::interval(own.first(|value| !below(value)), own.first(above))
            }
            // The types were checked against the schema.
            _ => Self::default(),
        }
    }

    fn interval(from: u32, to: u32) -> Self {
        let one = (from < to).then_some(from..to);
        Self(one.into_iter().collect())
    }

    fn places(places: impl Iterator<Item = u32>) -> Self {
        let mut places: Vec<u32> = places.collect();
        places.sort_unstable();
        let mut runs: Vec<Range<u32>> = Vec::new();
        for place in places {
            match runs.last_mut() {
                Some(last) if place < last.end => {}
                Some(last) if place == last.end => last.end += 1,
                _ => runs.push(place..place + 1),
            }
        }
        Self(runs)
    }

    /// The places that are in both.
    pub fn common(&self, other: &Self) -> Self {
        let (mut a, mut b, mut runs) = (self.0.iter().peekable(), other.0.iter().peekable(), Vec::new());
        while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
            let both = one.start.max(two.start)..one.end.min(two.end);
            let first_ends = one.end <= two.end;
            runs.extend((!both.is_empty()).then_some(both));
            if first_ends {
                a.next()
            } else {
                b.next()
            };
        }
        Self(runs)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals, ascending.
    pub fn runs(&self) -> &[Range<u32>] {
        &self.0
    }

    #[inline]
    pub fn contains(&self, place: u32) -> bool {
        match &*self.0 {
            [] => false,
            [one] => one.contains(&place),
            many => {
                let after = many.partition_point(|run| run.start <= place);
                after.checked_sub(1).is_some_and(|before| many[before].contains(&place))
            }
        }
    }
}
