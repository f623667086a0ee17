//! How much may be spent, by whom, in what time?

use jiff::Timestamp as Time;
use jiff::tz::TimeZone;
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::line::{Amount, Who};

/// Stands for each value by itself.
const EACH: &str = "*";

/// Of what time a budget is, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight.
    Day,
    /// From the first.
    Month,
}

/// So much may be spent in a time. `*` for tenant, user or feature is each of them by itself; left out is all together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Which tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Which user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which part of the caller's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Of what time.
    pub per: Period,
    /// Tokens of prompts and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// In the currency of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// Whether calls are written down, and what they may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageSettings {
    /// Whether calls are written down. Where there are budgets they are, whatever this says.
    pub on: bool,
    /// All of which must have room for a call.
    #[serde(rename = "budget")]
    pub budgets: Vec<Budget>,
}

impl Default for UsageSettings {
    fn default() -> Self {
        Self { on: true, budgets: Vec::new() }
    }
}

impl UsageSettings {
    /// Whether calls are written down.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.on || !self.budgets.is_empty()
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// `Invalid` for a budget without a limit, or with one that is no number.
    pub fn check(&self) -> Result<()> {
        let bad = |budget: &&Budget| {
            let limitless = budget.tokens.is_none() && budget.cost.is_none();
            limitless || budget.cost.is_some_and(|cost| !cost.is_finite() || cost < 0.0)
        };
        match self.budgets.iter().find(bad) {
            Some(budget) => {
                Err(Error::invalid("set budgets", format!("{} has no limit that can be held", budget.name())))
            }
            None => Ok(()),
        }
    }
}

impl Budget {
    /// Under which name `who` is counted; `None` if it is not.
    pub(crate) fn key(&self, who: &Who) -> Option<String> {
        let mut key = String::new();
        let fields =
            [(&self.tenant, Some(&who.tenant)), (&self.user, who.user.as_ref()), (&self.feature, who.feature.as_ref())];
        for (wanted, value) in fields {
            match (wanted.as_deref(), value) {
                (None, _) => {}
                // Whoever has no name is one of those who have none.
                (Some(EACH), value) => key.push_str(value.map_or("\u{0}", |value| value.as_str())),
                (Some(wanted), Some(value)) if wanted == value => {}
                _ => return None,
            }
            key.push('\u{1}');
        }
        Some(key)
    }

    /// The number of the period that `now` is in.
    pub(crate) fn period(&self, now: Timestamp) -> i64 {
        let day = i64::try_from(now.0 / 86_400_000).unwrap_or(i64::MAX);
        match self.per {
            Period::Day => day,
            Period::Month => month(now),
        }
    }

    /// Whether `spent` and `more` together are within it.
    pub(crate) fn holds(&self, spent: Amount, more: Amount) -> bool {
        self.tokens.is_none_or(|most| spent.tokens.saturating_add(more.tokens) <= most)
            && self.cost.is_none_or(|most| spent.cost + more.cost <= most)
    }

    /// How a person calls it.
    #[must_use]
    pub fn name(&self) -> String {
        let fields = [("tenant", &self.tenant), ("user", &self.user), ("feature", &self.feature)];
        let named = fields.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} `{value}`")));
        let who: Vec<String> = named.collect();
        let per = match self.per {
            Period::Day => "day",
            Period::Month => "month",
        };
        format!("the budget of {} for a {per}", if who.is_empty() { "all".to_owned() } else { who.join(", ") })
    }
}

/// The number of the month that `now` is in, from year 0.
pub(crate) fn month(now: Timestamp) -> i64 {
    let time = i64::try_from(now.0).ok().and_then(|ms| Time::from_millisecond(ms).ok()).unwrap_or(Time::MAX);
    let date = time.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}
