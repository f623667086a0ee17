//! Two lists of the same passages, scored by vector and by words: in which order are they best?

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the two are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// By reciprocal rank: 1 / (`k` + rank) by each way, summed.
    Ranks {
        /// The larger, the less the first ranks count more than the next.
        k: f32,
    },
    /// By score, each brought to 0 to 1 among the candidates of this question: nearness from the farthest to the nearest,
    /// as models differ in how much of their range they use; words from no word to the best.
    Scores {
        /// How much words count, 0 to 1; nearness counts the rest.
        words: f32,
    },
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Scores { words: 0.5 }
    }
}

impl std::str::FromStr for Fusion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let message =
                format!("the fusion `{text}` is none of `scores`, `scores:W` (W from 0 to 1), `ranks`, `ranks:K`");
            Error::invalid("read fusion", message)
        };
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let number = number.map(|number| number.parse::<f32>().map_err(|_| unknown())).transpose()?;
        let fusion = match name {
            "scores" => Self::Scores { words: number.unwrap_or(0.5) },
            "ranks" => Self::Ranks { k: number.unwrap_or(60.0) },
            _ => return Err(unknown()),
        };
        fusion.check().map_err(|_| unknown())?;
        Ok(fusion)
    }
}

impl std::fmt::Display for Fusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scores { words } => write!(f, "scores:{words}"),
            Self::Ranks { k } => write!(f, "ranks:{k}"),
        }
    }
}

impl Fusion {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// `Invalid` if it does not.
    pub fn check(self) -> Result<()> {
        let fits = match self {
            Self::Ranks { k } => k.is_finite() && k >= 0.0,
            Self::Scores { words } => (0.0..=1.0).contains(&words),
        };
        if !fits {
            let message = "ranks need a `k` of at least 0 and scores a weight of words from 0 to 1";
            return Err(Error::invalid("search", message));
        }
        Ok(())
    }

    /// The score of each candidate by both of `near` and `said`; a `said` of zero is none.
    pub(crate) fn fuse(self, near: &[f32], said: &[f32]) -> Vec<f32> {
        match self {
            Self::Ranks { k } => {
                let (by_vector, by_words) = (ranks(near, f32::NEG_INFINITY), ranks(said, 0.0));
                let part = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / (k + rank as f32));
                by_vector.into_iter().zip(by_words).map(|(a, b)| part(a) + part(b)).collect()
            }
            Self::Scores { words } => {
                let least = near.iter().copied().fold(f32::INFINITY, f32::min);
                let (near, said) = (scaled(near, least), scaled(said, 0.0));
                near.zip(said).map(|(near, said)| (1.0 - words) * near + words * said).collect()
            }
        }
    }
}

/// Ranks from 1, equal scores alike; none for scores that are not above `least`.
fn ranks(scores: &[f32], least: f32) -> Vec<Option<u32>> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&i| scores[i] > least).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut ranks = vec![None; scores.len()];
    let mut rank = 0;
    for (at, &i) in (1..).zip(&order) {
        if at == 1 || scores[order[at as usize - 2]] != scores[i] {
            rank = at;
        }
        ranks[i] = Some(rank);
    }
    ranks
}

/// Scores from `least` to the best as 0 to 1.
fn scaled(scores: &[f32], least: f32) -> impl Iterator<Item = f32> {
    let best = scores.iter().copied().fold(least, f32::max);
    let range = best - least;
    scores.iter().map(move |score| if range > 0.0 { (score - least) / range } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_ranks_and_by_scores() {
        let (near, said) = ([0.9, 0.5, 0.5, -0.2], [0.0, 4.0, 2.0, 0.0]);
        let ranks = Fusion::Ranks { k: 60.0 }.fuse(&near, &said);
        assert_eq!(ranks, [1.0 / 61.0, 1.0 / 62.0 + 1.0 / 61.0, 1.0 / 62.0 + 1.0 / 62.0, 1.0 / 64.0]);
        let scores = Fusion::Scores { words: 0.5 }.fuse(&near, &said);
        let near: Vec<f32> = near.iter().map(|near| (near + 0.2) / 1.1).collect();
        assert_eq!(scores, [0.5 * near[0], 0.5 * near[1] + 0.5, 0.5 * near[2] + 0.25, 0.5 * near[3]]);
        assert_eq!(Fusion::Scores { words: 1.0 }.fuse(&[1.0], &[0.0]), [0.0]);
    }
}
