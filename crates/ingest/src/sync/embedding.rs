//! Here are chunks without vectors: embed them, until money or time is up.

use std::sync::Arc;
use std::time::Duration;

use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Result};
use safepassage_models::{Cleared, Embedder, Purpose};

use super::plan::Reader;
use super::{Progress, Report};

/// Chunks sent to the embedder between two looks at money and time.
const AT_ONCE: usize = 1_024;
/// The same where there is a most time: of a slow model these are some seconds.
const AT_ONCE_IN_TIME: usize = 128;

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
    /// The same model where it may read what is above the label of the one before.
    above: Vec<Arc<dyn Embedder>>,
    spending: Spending,
    since: Stopwatch,
    progress: &'a dyn Progress,
}

/// A text and who reads it.
pub(crate) type Read<'t> = (&'t str, Reader);

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
        let above = std::iter::successors(embedder.above(), |model| model.above()).collect();
        Ok(Self { embedder, above, spending, since: Stopwatch::start(), progress })
    }

    pub fn embedder(&self) -> &'a dyn Embedder {
        self.embedder
    }

    fn readers(&self) -> impl Iterator<Item = (Reader, &dyn Embedder)> {
        let above = self.above.iter().map(|model| &**model);
        std::iter::once(self.embedder).chain(above).enumerate().map(|(n, model)| (Reader(n), model))
    }

    /// Counts what embedding `texts` would take, without doing it.
    pub fn count(&self, texts: &[Read<'_>], report: &mut Report) -> Result<()> {
        for (reader, model) in self.readers() {
            let texts: Vec<&str> = texts.iter().filter(|(_, by)| *by == reader).map(|(text, _)| *text).collect();
            let unpaid = model.unpaid(&texts)?;
            report.embedded += unpaid.len() as u64;
            let unpaid: Vec<&str> = unpaid.iter().map(|&at| texts[at]).collect();
            self.spent(model, tokens(model, &unpaid)?, None, report);
        }
        Ok(())
    }

    /// What becomes of each of `texts`; `done` hears of so many more as they come.
    pub fn embed(&self, texts: &[Read<'_>], report: &mut Report, done: &mut dyn FnMut(u64)) -> Result<Vec<Embedded>> {
        let mut outcomes: Vec<Embedded> = texts.iter().map(|_| Embedded::Not).collect();
        let at_once = if self.spending.max_time.is_some() { AT_ONCE_IN_TIME } else { AT_ONCE };
        for (reader, model) in self.readers() {
            let places: Vec<usize> = (0..texts.len()).filter(|at| texts[*at].1 == reader).collect();
            for places in places.chunks(at_once) {
                let part: Vec<&str> = places.iter().map(|at| texts[*at].0).collect();
                if self.is_up(model, &part, report)? {
                    return Ok(outcomes);
                }
                let unpaid = model.unpaid(&part)?.len() as u64;
                let kept = model.embed_each(&part, Purpose::Document, &mut |at, row| {
                    outcomes[places[at]] = Embedded::Vector(row.to_vec(), false);
                    self.progress.embedded(1);
                    done(1);
                    Ok(())
                })?;
                report.embedded += unpaid - (kept.refused.len() as u64).min(unpaid);
                report.truncated += kept.truncated.len() as u64;
                for at in kept.truncated {
                    if let Embedded::Vector(_, truncated) = &mut outcomes[places[at]] {
                        *truncated = true;
                    }
                }
                self.spent(model, kept.tokens, kept.cost, report);
                for refused in kept.refused {
                    outcomes[places[refused.text]] = Embedded::Refused(refused.reason);
                    done(1);
                }
            }
        }
        Ok(outcomes)
    }

    /// Counts what was read and, unless somebody knows better, what that costs.
    fn spent(&self, model: &dyn Embedder, tokens: u64, cost: Option<f64>, report: &mut Report) {
        report.tokens += tokens;
        if let Some(price) = model.cleared().and_then(Cleared::price) {
            let cost = cost.unwrap_or_else(|| price.of(tokens));
            report.cost = Some(report.cost.unwrap_or(0.0) + cost);
            report.currency = Some(price.currency.clone());
            report.priced.clone_from(&price.priced);
            self.progress.spent(cost, &price.currency);
        }
    }

    /// Whether `texts` would go beyond what may be spent; says so in the report.
    fn is_up(&self, model: &dyn Embedder, texts: &[&str], report: &mut Report) -> Result<bool> {
        let Spending { max_cost, max_time, .. } = self.spending;
        if let Some(most) = max_time
            && self.since.seconds() >= most.as_secs_f64()
        {
            report.stopped = Some(format!("{} s are over", most.as_secs_f64()));
        }
        if let (Some(most), Some(price)) = (max_cost, model.cleared().and_then(Cleared::price)) {
            let unpaid = model.unpaid(texts)?;
            let next = tokens(model, &unpaid.iter().map(|&at| texts[at]).collect::<Vec<_>>())?;
            if next > 0 && report.cost.unwrap_or(0.0) + price.of(next) > most {
                let message = format!("more would cost more than {most} {}", price.currency);
                report.stopped = Some(message);
            }
        }
        Ok(report.stopped.is_some())
    }
}

/// What `model` would read of `texts`.
fn tokens(model: &dyn Embedder, texts: &[&str]) -> Result<u64> {
    let tokenizer = model.tokenizer();
    texts.iter().map(|text| Ok(tokenizer.offsets(text)?.len().min(tokenizer.max_tokens()) as u64)).sum()
}
