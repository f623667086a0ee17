//! Here is somebody outside who looks at texts: ask within all limits.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use safepassage_error::Result;

use super::call::{CallError, Cost};
use super::caller::Caller;
use super::generator::permitted;
use super::runtime::wait_for;
use crate::catalogue::Cleared;
use crate::generator::{BYTES_PER_TOKEN, Permit};
use crate::guardrail::{Direction, Guardrail, Verdict};

/// The future of one call to a provider.
pub type GuardrailCall = Pin<Box<dyn Future<Output = std::result::Result<Verdict, CallError>> + Send>>;

/// Somebody outside who looks at texts: how one call is put and read. No error says anything of the text.
pub trait GuardrailProvider: Send + Sync + 'static {
    /// The provider as a catalogue calls it, and what it calls the guardrail.
    fn model(&self) -> (&str, &str);

    /// One attempt of one call.
    fn check(&self, text: &str, direction: Direction) -> GuardrailCall;
}

/// A provider as a [`Guardrail`].
pub struct RemoteGuardrail {
    name: String,
    provider: Arc<dyn GuardrailProvider>,
    caller: Caller,
    cleared: Cleared,
}

impl fmt::Debug for RemoteGuardrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteGuardrail").field("name", &self.name).finish_non_exhaustive()
    }
}

impl RemoteGuardrail {
    /// `provider`, called by `caller`.
    ///
    /// # Errors
    /// `Denied` if `cleared` is for another one.
    pub fn new(cleared: Cleared, provider: impl GuardrailProvider, caller: Caller) -> Result<Self> {
        let (by, model) = provider.model();
        cleared.check_model(by, model)?;
        Ok(Self { name: cleared.name().to_owned(), provider: Arc::new(provider), caller, cleared })
    }
}

impl Guardrail for RemoteGuardrail {
    fn name(&self) -> &str {
        &self.name
    }

    fn cleared(&self) -> Option<&Cleared> {
        Some(&self.cleared)
    }

    fn check(&self, text: &str, direction: Direction, permit: &Permit) -> Result<Verdict> {
        let cost = Cost { tokens: u32::try_from(text.len() / BYTES_PER_TOKEN).unwrap_or(u32::MAX) };
        let (caller, provider, text) = (self.caller.clone(), Arc::clone(&self.provider), text.to_owned());
        let (permit, cleared) = (Arc::clone(permit), self.cleared.clone());
        wait_for(async move {
            let attempt = || {
                let (permit, cleared, provider, text) = (&permit, &cleared, &provider, &text);
                async move {
                    permitted(permit, cleared).await?;
                    provider.check(text, direction).await
                }
            };
            caller.call_within(caller.limits().question_deadline, cost, attempt).await
        })
    }
}
