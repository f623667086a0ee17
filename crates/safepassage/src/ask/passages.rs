//! Here is a question: which passages may go to this model with it?

use safepassage_error::{Error, Kind, Result};

use super::AboveLabel;
use crate::hits::{Hit, VectorHits};
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
    pub complete: bool,
}

/// The best passages of `search` that `session` may have, and everything too that is cleared for one of `highest`.
pub(super) fn gather(session: &Session, search: &Search<'_>, highest: &[&str], above: AboveLabel) -> Result<Gathered> {
    let k = search.wanted();
    let mut fetch = k;
    loop {
        let found = search.clone().k(fetch).found()?;
        let may = found.cleared(session, highest)?;
        // Of more than were asked for, those above the first k tell nothing of the answer.
        let within = may.iter().scan(0, |good, may| {
            let go_on = *good < k;
            *good += usize::from(*may);
            go_on.then_some(*may)
        });
        let may: Vec<bool> = within.collect();
        let withheld: Vec<String> =
            found.ids().zip(&may).filter(|(_, may)| !**may).map(|(id, _)| id.to_owned()).collect();
        if above == AboveLabel::Refuse && !withheld.is_empty() {
            let message = "a passage that answers the question has a label that the model is not cleared for";
            return Err(Error::new(Kind::Denied, "ask", message));
        }
        let good = may.iter().filter(|may| **may).count();
        let all = found.ids().len() < fetch;
        if good >= k || all || fetch >= MOST {
            let results = found.results()?;
            let complete = good == k || (all && results.complete);
            let passages = results.hits.into_iter().enumerate().zip(may).filter(|(_, may)| *may);
            let passages = passages.map(|(passage, _)| passage).collect();
            return Ok(Gathered { found, passages, withheld, complete });
        }
        fetch = fetch.saturating_mul(2).min(MOST);
    }
}
