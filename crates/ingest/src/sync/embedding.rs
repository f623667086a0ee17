//! Here are chunks without vectors: embed them, until money or time is up.

use std::time::Duration;

use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Result};
use safepassage_models::{Cleared, Embedder, Purpose};

use super::{Progress, Report};

/// Chunks sent to the embedder between two looks at money and time.
const AT_ONCE: usize = 1_024;

/// What a job may take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spending {
    /// Embeds no more once it would cost more than this, in the currency of the model's price.
    pub max_cost: Option<f64>,
    /// Embeds no more after this time.
    pub max_time: Option<Duration>,
    /// Tries texts again that the model refused before.
    pub retry_refused: bool,
    /// Sends nothing.
    pub dry_run: bool,
}

/// What is embedded in one job, and what it may cost.
pub(crate) struct Embedding<'a> {
    embedder: &'a dyn Embedder,
    spending: Spending,
    since: Stopwatch,
    progress: &'a dyn Progress,
}

/// What became of a chunk.
pub(crate) enum Embedded {
    /// And whether it is of the beginning of the chunk alone.
    Vector(Vec<f32>, bool),
    /// The model would not read it.
    Refused(String),
    /// Money or time was up before.
    Not,
}

impl<'a> Embedding<'a> {
    pub fn new(embedder: &'a dyn Embedder, spending: Spending, progress: &'a dyn Progress) -> Result<Self> {
        let priced = embedder.cleared().is_some_and(|cleared| cleared.price().is_some());
        if spending.max_cost.is_some() && !priced && embedder.cleared().is_some() {
            return Err(Error::invalid("embed", "there is a most that it may cost, and the catalogue has no price"));
        }
        if spending.retry_refused && !spending.dry_run {
            embedder.retry_refused()?;
        }
        Ok(Self { embedder, spending, since: Stopwatch::start(), progress })
    }

    pub fn embedder(&self) -> &'a dyn Embedder {
        self.embedder
    }

    /// Counts what embedding `texts` would take, without doing it.
    pub fn count(&self, texts: &[&str], report: &mut Report) -> Result<()> {
        let unpaid = self.embedder.unpaid(texts)?;
        report.embedded += unpaid.len() as u64;
        self.spent(self.tokens(&unpaid.iter().map(|&at| texts[at]).collect::<Vec<_>>())?, report);
        Ok(())
    }

    /// What becomes of each of `texts`; `done` hears of so many more as they come.
    pub fn embed(&self, texts: &[&str], report: &mut Report, done: &mut dyn FnMut(u64)) -> Result<Vec<Embedded>> {
        let mut outcomes = Vec::with_capacity(texts.len());
        for part in texts.chunks(AT_ONCE) {
            if self.is_up(part, report)? {
                break;
            }
            let start = outcomes.len();
            outcomes.extend(part.iter().map(|_| Embedded::Not));
            let unpaid = self.embedder.unpaid(part)?.len() as u64;
            let kept = self.embedder.embed_each(part, Purpose::Document, &mut |at, row| {
                outcomes[start + at] = Embedded::Vector(row.to_vec(), false);
                self.progress.embedded(1);
                done(1);
                Ok(())
            })?;
            report.embedded += unpaid - (kept.refused.len() as u64).min(unpaid);
            report.truncated += kept.truncated.len() as u64;
            for at in kept.truncated {
                if let Embedded::Vector(_, truncated) = &mut outcomes[start + at] {
                    *truncated = true;
                }
            }
            self.spent(kept.tokens, report);
            for refused in kept.refused {
                outcomes[start + refused.text] = Embedded::Refused(refused.reason);
                done(1);
            }
        }
        outcomes.resize_with(texts.len(), || Embedded::Not);
        Ok(outcomes)
    }

    fn spent(&self, tokens: u64, report: &mut Report) {
        report.tokens += tokens;
        if let Some(price) = self.embedder.cleared().and_then(Cleared::price) {
            report.cost = Some(price.of(report.tokens));
            report.currency = Some(price.currency.clone());
            report.priced.clone_from(&price.priced);
            self.progress.spent(price.of(tokens), &price.currency);
        }
    }

    fn tokens(&self, texts: &[&str]) -> Result<u64> {
        let tokenizer = self.embedder.tokenizer();
        texts.iter().map(|text| Ok(tokenizer.offsets(text)?.len().min(tokenizer.max_tokens()) as u64)).sum()
    }

    /// Whether `texts` would go beyond what may be spent; says so in the report.
    fn is_up(&self, texts: &[&str], report: &mut Report) -> Result<bool> {
        let Spending { max_cost, max_time, .. } = self.spending;
        if let Some(most) = max_time
            && self.since.seconds() >= most.as_secs_f64()
        {
            report.stopped = Some(format!("{} s are over", most.as_secs_f64()));
        }
        if let (Some(most), Some(price)) = (max_cost, self.embedder.cleared().and_then(Cleared::price)) {
            let unpaid = self.embedder.unpaid(texts)?;
            let next = self.tokens(&unpaid.iter().map(|&at| texts[at]).collect::<Vec<_>>())?;
            if next > 0 && price.of(report.tokens + next) > most {
                let message = format!("more would cost more than {most} {}", price.currency);
                report.stopped = Some(message);
            }
        }
        Ok(report.stopped.is_some())
    }
}
