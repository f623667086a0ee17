//! Stands where a model would, and keeps what it is sent; and reads that by itself, without the library.

use std::sync::{Arc, Mutex, PoisonError};

use safepassage::models::Catalogue;
use safepassage::system::Clock;
use safepassage::{
    Cleared, Error, Finished, Generator, Identity, Kind, Permit, Piece, Pieces, Request, Result, StopReason,
};

use crate::World;

/// A model that only listens.
pub struct Listener {
    cleared: Option<Cleared>,
    heard: Mutex<Vec<String>>,
    /// Those to turn to; where there are any, it fails after it has listened.
    others: Vec<Arc<dyn Generator>>,
}

impl Listener {
    /// One that is cleared for `label`, or one within the process.
    pub fn new(label: Option<&str>) -> Self {
        let cleared = label.map(|label| {
            let entry =
                format!("[[model]]\nname = \"m\"\nprovider = \"tests\"\nmodel = \"m\"\nhighest_label = \"{label}\"");
            let catalogue = Catalogue::parse(&entry).expect("a catalogue");
            catalogue.model("m").and_then(safepassage::models::CataloguedModel::cleared).expect("cleared")
        });
        Self { cleared, heard: Mutex::default(), others: Vec::new() }
    }

    /// The same, which is unavailable: `others` are asked instead.
    #[must_use]
    pub fn failing(self, others: &[Arc<Self>]) -> Self {
        let others = others.iter().map(|other| Arc::clone(other) as Arc<dyn Generator>).collect();
        Self { others, ..self }
    }

    /// Everything it was sent.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Generator for Listener {
    fn name(&self) -> &str {
        "listener"
    }

    fn window(&self) -> usize {
        4096
    }

    fn cleared(&self) -> Option<&Cleared> {
        self.cleared.as_ref()
    }

    fn fallbacks(&self) -> &[Arc<dyn Generator>] {
        &self.others
    }

    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        permit()?;
        let prompt: Vec<&str> = request.messages.iter().map(|message| message.text.as_str()).collect();
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(prompt.join("\n"));
        if !self.others.is_empty() {
            return Err(Error::new(Kind::Unavailable, "generate", "it only listens"));
        }
        let end = Piece::Finished(Finished { reason: StopReason::End, usage: None });
        Ok(Pieces::pulled(request, [Ok(Piece::Text("[1]".to_owned())), Ok(end)].into_iter()))
    }
}

/// What stands between the marks of a prompt, by its lines.
pub fn passages(prompt: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    prompt.lines().filter(move |line| {
        if line.starts_with("<passage ") || line.starts_with("</passage ") {
            inside = line.starts_with("<p");
            return false;
        }
        inside
    })
}

/// Whether a word is one that documents are made of.
pub fn is_word(word: &str) -> bool {
    word.strip_prefix('w').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The asker as somebody who is cleared for `label` at most.
pub fn judged_as(who: &Identity, label: Option<&str>, clock: &Clock) -> Identity {
    let place = |name: Option<&str>| (0..4).find(|at| Some(World::label(*at)) == name).unwrap_or(0);
    let Some(label) = label.filter(|label| place(Some(label)) < place(who.clearance())) else { return who.clone() };
    let named = who.user().map_or_else(Identity::anonymous, Identity::asserted);
    let groups: Vec<String> = who.groups().map(ToString::to_string).collect();
    let mut named = named.tenant(&who.tenant().0).groups(groups.iter().map(String::as_str));
    if let Some(issuer) = who.issuer() {
        named = named.issuer(issuer);
    }
    let named = named.groups_complete(who.groups_complete()).clearance(label).expires_at(who.expires_at());
    named.issue(clock).expect("somebody who has not expired")
}
