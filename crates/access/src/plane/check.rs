//! Can these events be applied, before anybody writes them down?

use std::collections::HashSet;

use safepassage_error::{Error, Result};

use super::AccessPlane;
use crate::event::AccessEvent;

impl AccessPlane {
    /// Whether `events` can be the next epoch. What is written and cannot be applied would close the log for ever, so
    /// this refuses at least what [`AccessPlane::apply`] does.
    ///
    /// # Errors
    /// `Invalid` for a document whose number is not the next free one, or that has one already; for an event about a
    /// document without a number, a label that the index does not have, or new labels for an old index; and as
    /// [`AccessEvent::check`].
    pub fn check(&self, events: &[AccessEvent]) -> Result<()> {
        let invalid = |what| Err(Error::invalid("change permissions", what));
        let (mut next, mut new) = (self.next_number(), HashSet::new());
        for event in events {
            event.check()?;
            let about = match event {
                AccessEvent::Created { .. } => return invalid("an index gets its labels when it is made"),
                AccessEvent::Numbered { tenant, id, number } => {
                    if number.0 != next {
                        return invalid("a document's number is not the next free one");
                    }
                    if self.number(tenant, id).is_some() || !new.insert((tenant, id)) {
                        return invalid("a document has a number already");
                    }
                    next += 1;
                    continue;
                }
                AccessEvent::Bound { binding, .. } if !self.labels().contains(binding.label) => {
                    return invalid("a label is not one of the index");
                }
                AccessEvent::Bound { number, .. }
                | AccessEvent::Revoked { number, .. }
                | AccessEvent::Restored { number, .. } => number,
            };
            if about.0 >= next {
                return invalid("a document has no number");
            }
        }
        Ok(())
    }
}
