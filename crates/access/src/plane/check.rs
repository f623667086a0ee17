//! Can these events be applied, before anybody writes them down?

use std::collections::{HashMap, HashSet};

use safepassage_error::{Error, Result};

use super::AccessPlane;
use crate::document::Tenant;
use crate::event::{AccessEvent, Input};

impl AccessPlane {
    /// Whether `events` can be the next epoch. What is written and cannot be applied would close the log for ever, so
    /// this refuses at least what [`AccessPlane::apply`] does.
    ///
    /// # Errors
    /// `Invalid` for a document whose number is not the next free one, or that has one already; for an event about a
    /// document without a number, a label that the index does not have, or new labels for an old index; for ACL objects
    /// that would be above themselves or below one that is not stated; for policies that cannot be compiled; and as [`AccessEvent::check`].
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
                AccessEvent::Policies { source, .. } => {
                    source.as_ref().map_or(Ok(()), |source| self.policies.compile(source).map(drop))?;
                    continue;
                }
                AccessEvent::MaxAge { .. }
                | AccessEvent::Confirmed { .. }
                | AccessEvent::ObjectStated { .. }
                | AccessEvent::ObjectRevoked { .. }
                | AccessEvent::ObjectRestored { .. } => continue,
                AccessEvent::Bound { binding, .. } if !self.labels().contains(binding.label) => {
                    return invalid("a label is not one of the index");
                }
                AccessEvent::Bound { number, binding } => {
                    let known = |input: &Input| input.number.0 < next && input.number != *number;
                    if !binding.derived_from.iter().all(known) {
                        return invalid("a document is derived from itself, or from one without a number");
                    }
                    number
                }
                AccessEvent::Revoked { number, .. } | AccessEvent::Restored { number, .. } => number,
            };
            if about.0 >= next {
                return invalid("a document has no number");
            }
        }
        self.check_objects(events)
    }

    /// Whether every parent is known and no object would be above itself.
    fn check_objects(&self, events: &[AccessEvent]) -> Result<()> {
        let mut parents = HashMap::<(&Tenant, &str), Option<Option<&str>>>::new();
        for event in events {
            if let AccessEvent::ObjectStated { tenant, name, statement } = event {
                let parent = statement.acl.as_ref().map(|acl| acl.parent.as_deref());
                parents.insert((tenant, name), parent);
            }
        }
        for ((tenant, name), parent) in &parents {
            let Some(Some(parent)) = parent else { continue };
            let stated = parents.get(&(*tenant, *parent)).map(Option::is_some);
            if !stated.unwrap_or_else(|| self.is_stated(tenant, parent)) {
                return Err(Error::invalid("change permissions", format!("unknown parent `{parent}` of `{name}`")));
            }
        }
        let above = |tenant: &Tenant, name: &str| -> Option<String> {
            if let Some(parent) = parents.get(&(tenant, name)) {
                return parent.flatten().map(str::to_owned);
            }
            let object = self.table.objects.get(self.table.objects.find(tenant, name)?)?;
            Some(self.table.objects.get(object.stated?.parent?)?.name.as_ref().to_owned())
        };
        // Everything above these leads to an end.
        let mut ends = HashSet::<(&Tenant, String)>::new();
        for (tenant, name) in parents.keys() {
            let (mut path, mut on_path) = (Vec::new(), HashSet::new());
            let mut at = Some((*name).to_owned());
            while let Some(name) = at.filter(|name| !ends.contains(&(*tenant, name.clone()))) {
                if !on_path.insert(name.clone()) {
                    let from = path.iter().position(|above| *above == name).unwrap_or(0);
                    let circle: Vec<String> = path[from..].iter().take(20).map(|name| format!("`{name}`")).collect();
                    let message = format!("ACL objects would be above themselves: {} → `{name}`", circle.join(" → "));
                    return Err(Error::invalid("change permissions", message));
                }
                at = above(tenant, &name);
                path.push(name);
            }
            ends.extend(path.into_iter().map(|name| (*tenant, name)));
        }
        Ok(())
    }
}
