//! Here is a ranking and what is relevant: how good is it?
//!
//! Every measure is 0 to 1, higher is better, of the first k documents in the order they were given. nDCG is
//! trec_eval's `ndcg_cut`: the gain of a document is its grade, discounted by log₂(rank + 1), over the gain of the best
//! ranking of all that is relevant (Järvelin and Kekäläinen 2002). trec_eval itself orders by score and breaks ties by
//! document id, descending; here the order of the answer stands, since that is what is read.

use std::collections::BTreeMap;

use serde::Serialize;

/// What is measured of one ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Discounted gain over the best there is.
    Ndcg,
    /// Share of what is relevant that is found.
    Recall,
    /// One over the rank of the first relevant document; 0 if there is none.
    Mrr,
    /// Share of k that is relevant.
    Precision,
    /// 1 if anything relevant is found.
    Hit,
}

impl Measure {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 5] = [Self::Ndcg, Self::Recall, Self::Mrr, Self::Precision, Self::Hit];

    /// Its name as it stands in reports and gates, before `@k`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndcg => "ndcg",
            Self::Recall => "recall",
            Self::Mrr => "mrr",
            Self::Precision => "precision",
            Self::Hit => "hit",
        }
    }

    /// Its value for the first `k` of `ranking`, of which each document stands once; `None` if nothing is relevant.
    #[must_use]
    pub fn of(self, ranking: &[impl AsRef<str>], relevant: &BTreeMap<String, u32>, k: usize) -> Option<f64> {
        if relevant.is_empty() || k == 0 {
            return None;
        }
        let grade = |document: &dyn AsRef<str>| relevant.get(document.as_ref()).copied().unwrap_or(0);
        let grades: Vec<u32> = ranking.iter().take(k).map(|document| grade(document)).collect();
        let found = grades.iter().filter(|grade| **grade > 0).count();
        let first = grades.iter().position(|grade| *grade > 0);
        Some(match self {
            Self::Ndcg => {
                let mut best: Vec<u32> = relevant.values().copied().collect();
                best.sort_unstable_by(|a, b| b.cmp(a));
                best.truncate(k);
                let ideal = discounted(&best);
                if ideal == 0.0 { return None } else { discounted(&grades) / ideal }
            }
            Self::Recall => found as f64 / relevant.len() as f64,
            Self::Mrr => first.map_or(0.0, |place| 1.0 / (place + 1) as f64),
            Self::Precision => found as f64 / k as f64,
            Self::Hit => f64::from(u8::from(first.is_some())),
        })
    }
}

fn discounted(grades: &[u32]) -> f64 {
    grades.iter().zip(2u32..).map(|(grade, place)| f64::from(*grade) / f64::from(place).log2()).sum()
}

/// Precision at eleven levels of recall (0, 0.1 … 1), each the best there is at that recall or more; `None` if nothing is
/// relevant.
#[must_use]
pub fn precision_recall(ranking: &[impl AsRef<str>], relevant: &BTreeMap<String, u32>) -> Option<[f64; 11]> {
    if relevant.is_empty() {
        return None;
    }
    let (mut found, mut best) = (0, [0.0; 11]);
    for (document, rank) in ranking.iter().zip(1u32..) {
        if relevant.contains_key(document.as_ref()) {
            found += 1;
            let reached = found * 10 / relevant.len();
            let precision = found as f64 / f64::from(rank);
            best.iter_mut().take(reached + 1).for_each(|level: &mut f64| *level = level.max(precision));
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests;
