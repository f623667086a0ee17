//! Here is a question: which passages may go to this model with it?

use safepassage_error::Result;

use super::AboveLabel;
use super::suspects::{Suspect, Suspected, Wary};
use crate::hits::{Hit, VectorHits};
use crate::payer::Payer;
use crate::search::Search;
use crate::session::Session;

/// More are not looked at to fill up for those that a model may not read.
const MOST: usize = 1024;

/// What was found, and what of it may be sent.
pub(super) struct Gathered {
    pub found: VectorHits,
    /// The places among what was found, best first, and the passages there.
    pub passages: Vec<(usize, Hit)>,
    /// Documents of which passages were withheld, for what they are labelled.
    pub withheld: Vec<String>,
    /// Passages that look like instructions: left out, or among `passages`.
    pub suspects: Vec<Suspect>,
    pub complete: bool,
}

/// The best passages of `search` that `session` may have, and everything too that is cleared for one of `highest`. Where
/// one above that is to be refused, not more are looked for than until there is one.
pub(super) fn gather(
    (session, payer): (&Session, &Payer),
    search: &Search<'_>,
    highest: &[&str],
    above: AboveLabel,
    wary: Option<Wary>,
) -> Result<Gathered> {
    let k = search.wanted();
    let mut fetch = k;
    loop {
        let found = search.clone().k(fetch).found(payer)?;
        let cleared = found.cleared(session, highest)?;
        // Nobody reads passages before there are enough, unless somebody looks at them.
        let read = wary.map(|_| found.results()).transpose()?;
        let suspects = match (wary, &read) {
            (Some(wary), Some(read)) => suspects(wary, &read.hits, &cleared),
            _ => vec![None; cleared.len()],
        };
        let dropped = wary.is_some_and(|wary| wary.does == Suspected::Drop);
        let may = cleared.iter().zip(&suspects).map(|(cleared, suspect)| *cleared && !(dropped && suspect.is_some()));
        // Of more than were asked for, those above the first k tell nothing of the answer.
        let within = may.scan(0, |good, may| {
            let go_on = *good < k;
            *good += usize::from(may);
            go_on.then_some(may)
        });
        let may: Vec<bool> = within.collect();
        let above_label = found.ids().zip(&cleared).take(may.len()).filter(|(_, cleared)| !**cleared);
        let withheld: Vec<String> = above_label.map(|(id, _)| id.to_owned()).collect();
        let refused = above == AboveLabel::Refuse && !withheld.is_empty();
        let good = may.iter().filter(|may| **may).count();
        let all = found.ids().len() < fetch;
        if good >= k || all || refused || fetch >= MOST {
            let results = read.map_or_else(|| found.results(), Ok)?;
            let complete = good == k || (all && results.complete);
            let suspects: Vec<Suspect> = suspects.into_iter().take(may.len()).flatten().collect();
            let passages = results.hits.into_iter().enumerate().zip(may).filter(|(_, may)| *may);
            let passages = passages.map(|(passage, _)| passage).collect();
            return Ok(Gathered { found, passages, withheld, suspects, complete });
        }
        fetch = fetch.saturating_mul(2).min(MOST);
    }
}

/// Which of `hits` look like instructions, of those that the model may have.
fn suspects(wary: Wary, hits: &[Hit], cleared: &[bool]) -> Vec<Option<Suspect>> {
    hits.iter().zip(cleared).map(|(hit, cleared)| if *cleared { wary.passage(hit) } else { None }).collect()
}
