//! Here are lines: how much of each budget is spent, and how much more may calls under way cost?

use std::collections::{HashMap, VecDeque};

use safepassage_error::system::Timestamp;

use crate::budget::Budget;
use crate::line::{Amount, Entry, UsageLine, Who};

/// A reservation that nobody settled counts no longer: whoever made it is gone.
const RESERVED_FOR_MS: u64 = 30 * 60 * 1000;

/// What is counted of each budget in its newest period.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    budgets: Vec<Budget>,
    /// By budget and name: the period, and what was spent in it.
    sums: HashMap<(usize, String), (i64, Amount)>,
    open: HashMap<String, (u64, Who, Amount)>,
    /// Names of open reservations, the oldest first; those settled meanwhile too.
    waiting: VecDeque<(u64, String)>,
}

impl Spent {
    pub fn new(budgets: &[Budget]) -> Self {
        Self { budgets: budgets.to_vec(), ..Self::default() }
    }

    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// Takes notice of a line.
    pub fn take(&mut self, line: &UsageLine) {
        match &line.entry {
            Entry::Reserved { answer, who, most } => {
                self.open.insert(answer.clone(), (line.at_ms, who.clone(), *most));
                self.waiting.push_back((line.at_ms, answer.clone()));
            }
            Entry::Settled(call) => {
                self.open.remove(&call.answer);
                self.add(Timestamp(line.at_ms), &call.who, call.amount());
            }
            Entry::Measured(_) => {}
        }
    }

    fn add(&mut self, at: Timestamp, who: &Who, amount: Amount) {
        for (n, budget) in self.budgets.iter().enumerate() {
            let Some(key) = budget.key(who) else { continue };
            let period = budget.period(at);
            let (counted, sum) = self.sums.entry((n, key)).or_insert((period, Amount::default()));
            if period > *counted {
                (*counted, *sum) = (period, Amount::default());
            }
            // A clock that goes back counts for the newest period: nobody gets a budget twice.
            sum.tokens = sum.tokens.saturating_add(amount.tokens);
            sum.cost += amount.cost;
        }
    }

    /// The first budget that has no room for `more` at `now`.
    pub fn without_room(&mut self, now: Timestamp, who: &Who, more: Amount) -> Option<&Budget> {
        while let Some((at, answer)) = self.waiting.front() {
            if at.saturating_add(RESERVED_FOR_MS) > now.0 && self.open.contains_key(answer) {
                break;
            }
            if at.saturating_add(RESERVED_FOR_MS) <= now.0 {
                self.open.remove(answer);
            }
            self.waiting.pop_front();
        }
        self.budgets.iter().enumerate().find_map(|(n, budget)| {
            let key = budget.key(who)?;
            let period = budget.period(now);
            let mut spent = match self.sums.get(&(n, key.clone())) {
                Some((counted, sum)) if *counted >= period => *sum,
                _ => Amount::default(),
            };
            let same = |other: &Who| budget.key(other).as_ref() == Some(&key);
            for (_, _, most) in self.open.values().filter(|(_, other, _)| same(other)) {
                spent.tokens = spent.tokens.saturating_add(most.tokens);
                spent.cost += most.cost;
            }
            (!budget.holds(spent, more)).then_some(budget)
        })
    }
}
