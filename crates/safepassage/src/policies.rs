//! Which policies must permit, beside the ACLs?

use std::sync::Arc;

use safepassage_access::{AccessEvent, PolicyCompiler, PolicySource};
use safepassage_audit::Entry;
use safepassage_error::{Error, Kind, Result};

use crate::decision::Subject;
use crate::engine::Engine;

impl Engine {
    /// The policies in force.
    ///
    /// # Errors
    /// `Corrupted`, `Unavailable`.
    pub fn policies(&self) -> Result<Option<PolicySource>> {
        self.index().with_plane(|plane| Ok(plane.policies().cloned()))
    }

    /// Replaces the policies. From now on ACLs and policies must both permit, in every process; one that does not know
    /// their language opens nothing. Documents that are in the index learn the attributes that these policies know
    /// when they are synced or staged again. Returns the epoch from which it holds.
    ///
    /// # Errors
    /// `Invalid` without a reason, for a language that this program does not know, and for policies, a schema or entities
    /// that are not right; `Unavailable` if they cannot be written.
    pub fn set_policies(&self, source: PolicySource, reason: &str) -> Result<u64> {
        self.change_policies(Some(source), reason)
    }

    /// Takes the policies out of force: the ACLs alone decide. Returns the epoch from which it holds.
    ///
    /// # Errors
    /// `NotFound` if there are none; `Invalid` without a reason; `Unavailable` if it cannot be written.
    pub fn remove_policies(&self, reason: &str) -> Result<u64> {
        self.change_policies(None, reason)
    }

    fn change_policies(&self, source: Option<PolicySource>, reason: &str) -> Result<u64> {
        let change = source.as_ref().map_or_else(|| "none".to_owned(), |source| format!("in {}", source.language));
        let entry = Entry { change: Some(change), reason: Some(reason.to_owned()), ..Entry::new("policies", "begun") };
        self.noted_change(entry, Subject::Index, || {
            self.index().commit_access(&mut |plane| {
                if source.is_none() && plane.policies().is_none() {
                    return Err(Error::new(Kind::NotFound, "remove policies", "there are no policies"));
                }
                Ok(vec![AccessEvent::Policies { source: source.clone(), reason: reason.to_owned() }])
            })
        })
    }

    /// Gives this engine somebody who knows the language of its policies, instead of the feature `cedar`.
    pub fn set_policy_compiler(&self, compiler: Arc<dyn PolicyCompiler>) {
        self.index().set_policy_compiler(compiler);
    }
}
