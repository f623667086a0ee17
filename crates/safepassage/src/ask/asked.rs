//! Who asked what of a model: how is that a line of the audit log?
//!
//! A question has one line that says how it ended, whatever comes of it; before that one for each prompt that is about to be
//! sent, with what is in it, and one with what the model is not cleared for.

use safepassage_error::Result;
use safepassage_error::system::{Stopwatch, unique_name};
use safepassage_index::Filter;

use super::Ask;
use super::span::AskSpan;
use super::suspects::Suspect;
use crate::decision::{self, Question};
use crate::hits::VectorHits;
use crate::session::Session;

/// Who asked what: for the audit log.
#[derive(Clone)]
pub(super) struct Asked {
    session: Session,
    id: String,
    question: String,
    filters: Vec<Filter>,
    k: usize,
    since: Stopwatch,
    span: AskSpan,
}

impl Asked {
    pub fn new(ask: &Ask<'_>) -> Self {
        let id = unique_name(ask.session.engine.clock());
        Self {
            span: AskSpan::new(ask, &id),
            session: ask.session.clone(),
            id,
            question: ask.question.to_owned(),
            filters: ask.search.filters().to_vec(),
            k: ask.search.wanted(),
            since: Stopwatch::start(),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// What whoever watches the program sees of it.
    pub fn span(&self) -> &AskSpan {
        &self.span
    }

    /// Since when.
    pub fn since(&self) -> &Stopwatch {
        &self.since
    }

    /// Writes down that a prompt is about to be sent, with what is in it.
    pub fn begun<'a>(
        &self,
        found: &VectorHits,
        documents: impl Iterator<Item = &'a str> + Clone,
        change: &str,
    ) -> Result<()> {
        self.note("begun", |entry| {
            decision::note_hits(entry, found);
            let mut seen = std::collections::HashSet::new();
            entry.give(documents.clone().filter(|id| seen.insert(*id)));
            entry.hits = Some(documents.count() as u64);
            entry.change = Some(change.to_owned());
        })
    }

    /// Writes down which documents' passages the model is not cleared for.
    pub fn withheld(&self, documents: &[String]) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        self.note("ok", |entry| {
            entry.action = "ask_withheld".to_owned();
            let mut seen = std::collections::HashSet::new();
            entry.give(documents.iter().map(String::as_str).filter(|id| seen.insert(*id)));
            entry.verdict = Some("label above the model's".to_owned());
        })
    }

    /// Writes down which documents' passages look like instructions to the model, and by which signs.
    pub fn suspected(&self, suspects: &[Suspect]) -> Result<()> {
        if suspects.is_empty() {
            return Ok(());
        }
        self.note("ok", |entry| {
            entry.action = "ask_suspected".to_owned();
            let mut seen = std::collections::HashSet::new();
            entry.give(suspects.iter().filter_map(|suspect| suspect.document.as_deref()).filter(|id| seen.insert(*id)));
            let signs: std::collections::BTreeSet<&str> =
                suspects.iter().flat_map(|suspect| suspect.signs.iter().copied()).collect();
            entry.verdict = Some(signs.into_iter().collect::<Vec<_>>().join(", "));
        })
    }

    /// Writes down how it ended.
    pub fn ended(&mut self, outcome: &str, change: Option<String>) -> Result<()> {
        self.span.ended(outcome);
        self.note(outcome, |entry| entry.change = change)
    }

    fn note(&self, outcome: &str, with: impl FnOnce(&mut safepassage_audit::Entry)) -> Result<()> {
        let Session { engine, .. } = &self.session;
        let Some((log, texts)) = engine.deciding()? else { return Ok(()) };
        let mut entry = decision::entry_of(self.session.identity(), "ask", outcome);
        entry.k = Some(self.k as u64);
        entry.answer = Some(self.id.clone());
        decision::note_question(log, texts, &mut entry, Question::Text(&self.question))?;
        decision::note_filters(log, texts, &mut entry, &self.filters)?;
        with(&mut entry);
        log.append(vec![entry]).map(drop)
    }
}
