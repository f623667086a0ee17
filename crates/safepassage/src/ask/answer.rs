//! What was answered, by what, from which passages?

use std::collections::BTreeMap;

use safepassage_index::Plan;
use safepassage_models::{StopReason, Usage};
use safepassage_prompt::cited;
use serde::Serialize;

use super::suspects::Suspect;
use crate::hits::Hit;

/// What a model answered, and from what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Its name in the audit log and in the ledger.
    pub id: String,
    /// What the model wrote; empty if nothing was sent to it.
    pub text: String,
    /// The passages that the answer names, in the order in which it does.
    pub citations: Vec<Citation>,
    /// Numbers that the answer names and no passage had: it made them up.
    pub unknown_citations: Vec<u64>,
    /// The passages of the prompt: the first has the number 1 there.
    pub passages: Vec<Hit>,
    /// Whether anything was sent: not where there was no passage, unless the caller said so.
    pub sent: bool,
    /// Passages that would have been in it, had the model been cleared for them.
    pub withheld: usize,
    /// Texts that look like instructions to the model, where somebody looks: the question, passages left out for it, and
    /// passages of the prompt.
    pub suspects: Vec<Suspect>,
    /// Which model answered.
    pub model: String,
    /// By which template, `name@version`.
    pub template: String,
    /// Why the answer ended.
    pub stop: Option<StopReason>,
    /// Tokens, as the model's provider counts them; none if it does not say.
    pub usage: Option<Usage>,
    /// What the call cost, in the currency of the catalogue, if that names prices and the provider counts.
    pub cost: Option<f64>,
    /// Whether the call is in the ledger as far as calls are written down: false where it cannot be written, as in a folder
    /// that can only be read, and no budget depends on it.
    pub recorded: bool,
    /// How often something of each kind was taken out, of everything that was to be redacted.
    pub redacted: BTreeMap<String, u64>,
    /// Whether there were as many passages as asked for, or as there are.
    pub complete: bool,
    /// Whether no better passage can exist.
    pub exact: bool,
    /// For operators.
    pub plan: Plan,
    /// For operators: of the permissions right before the prompt left.
    pub acl_epoch: u64,
    /// For operators.
    pub generation: u64,
}

/// A passage that an answer names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Citation {
    /// How the answer calls it.
    pub number: usize,
    /// Id of the document.
    pub document: String,
    /// Its place within the document, from 0.
    pub chunk: u32,
    /// Bytes of the source text, half open.
    pub span: (u64, u64),
    /// The page it begins on, from 1.
    pub page: Option<u32>,
    /// Of the document.
    pub title: Option<String>,
    /// Of the document.
    pub uri: Option<String>,
    /// Headings above it.
    pub heading: String,
}

impl Answer {
    /// Looks up what the text names.
    pub(super) fn cite(&mut self) {
        let found = cited(&self.text, self.passages.len());
        let citation = |number: usize| {
            let hit = self.passages.get(number - 1)?.clone();
            let Hit { document, chunk, span, page, title, uri, heading, .. } = hit;
            Some(Citation { number, document, chunk, span, page, title, uri, heading })
        };
        self.citations = found.passages.into_iter().filter_map(citation).collect();
        self.unknown_citations = found.unknown;
    }
}
