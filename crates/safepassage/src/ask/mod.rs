//! Here is a question for a model: which passages go with it, may they, and what does it answer?
//!
//! In this order: the question is checked (`prompt`), passages are found as the asker (`passages.rs`), those that the model
//! is not cleared for are taken out, a prompt is made of what fits, hooks see it, what it can cost is reserved
//! (`account.rs`), it is written down that it will be sent (`sending.rs`), and right before each time that it leaves all of it
//! is decided again by the newest permissions (`leaving.rs`). What has become forbidden by then makes another prompt. The
//! answer comes in pieces (`stream.rs`), with its citations at the end.

mod account;
mod answer;
mod asked;
mod feedback;
mod hook;
mod leaving;
mod passages;
mod sending;
mod span;
mod stream;
mod suspects;

use std::collections::BTreeMap;
use std::sync::Arc;

use safepassage_error::{Error, Result};
use safepassage_models::{Cancel, Generator, Guardrail};
use safepassage_prompt::{QuestionLimits, Redactor, Template};
use safepassage_usage::Who;

pub use self::answer::{Answer, Citation};
pub use self::hook::Hook;
pub use self::stream::AnswerStream;
use self::suspects::Wary;
pub use self::suspects::{Suspect, Suspected};
use crate::payer;
use crate::search::Search;
use crate::session::Session;

/// Tokens of an answer unless said otherwise.
const ANSWER_TOKENS: u32 = 512;

/// What is done with a passage whose label is above what the model is cleared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AboveLabel {
    /// It is left out, others are found in its place, and the audit log says so.
    #[default]
    Drop,
    /// The question is refused.
    Refuse,
}

/// Where identifiers are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redact {
    /// Of the question and of what the template wants besides, before they are in the prompt.
    pub question: bool,
    /// Of passages, before they are in the prompt; the asker still gets them as they are.
    pub passages: bool,
    /// Of the answer, before anybody gets it.
    pub answer: bool,
}

impl Redact {
    /// Everywhere.
    pub const ALL: Self = Self { question: true, passages: true, answer: true };
}

/// A question to a model being put together; [`Ask::run`] and [`Ask::stream`] end it.
#[derive(Clone)]
pub struct Ask<'a> {
    session: &'a Session,
    question: &'a str,
    search: Search<'a>,
    generator: Option<&'a dyn Generator>,
    template: Option<&'a Template>,
    inputs: BTreeMap<String, String>,
    most_tokens: u32,
    stop: Vec<String>,
    temperature: Option<f32>,
    above: AboveLabel,
    without_passages: bool,
    limits: QuestionLimits,
    redact: Redact,
    redactor: Arc<dyn Redactor>,
    hooks: Vec<Arc<dyn Hook>>,
    feature: Option<String>,
    guardrails: Vec<Arc<dyn Guardrail>>,
    wary: Option<Wary>,
    cancel: Option<Cancel>,
}

impl std::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { search, generator, most_tokens, above, redact, .. } = self;
        let mut shown = f.debug_struct("Ask");
        shown.field("search", search).field("generator", &generator.map(Generator::name));
        shown.field("most_tokens", most_tokens).field("above", above).field("redact", redact).finish_non_exhaustive()
    }
}

impl<'a> Ask<'a> {
    pub(crate) fn new(session: &'a Session, question: &'a str) -> Self {
        Self {
            session,
            question,
            search: session.search(question),
            generator: None,
            template: None,
            inputs: BTreeMap::new(),
            most_tokens: ANSWER_TOKENS,
            stop: Vec::new(),
            temperature: None,
            above: AboveLabel::default(),
            without_passages: false,
            limits: QuestionLimits::default(),
            redact: Redact::default(),
            redactor: Arc::new(safepassage_prompt::Identifiers),
            hooks: Vec::new(),
            feature: None,
            guardrails: Vec::new(),
            wary: None,
            cancel: None,
        }
    }

    /// The model that answers. Where it is unavailable its fallbacks are asked, in order, of these only such as are cleared
    /// for every passage of the prompt.
    #[must_use]
    pub fn generator(mut self, generator: &'a dyn Generator) -> Self {
        self.generator = Some(generator);
        self
    }

    /// How passages are found: everything that a search can be told.
    #[must_use]
    pub fn search(mut self, with: impl FnOnce(Search<'a>) -> Search<'a>) -> Self {
        self.search = with(self.search);
        self
    }

    /// What stands where in the prompt; [`Template::cited`] unless set.
    #[must_use]
    pub fn template(mut self, template: &'a Template) -> Self {
        self.template = Some(template);
        self
    }

    /// What the template wants besides passages and question.
    #[must_use]
    pub fn input(mut self, name: &str, value: &str) -> Self {
        self.inputs.insert(name.to_owned(), value.to_owned());
        self
    }

    /// How many tokens the answer may have; 512 unless set.
    #[must_use]
    pub fn most_tokens(mut self, tokens: u32) -> Self {
        self.most_tokens = tokens;
        self
    }

    /// The answer ends before this; of several before the first.
    #[must_use]
    pub fn stop(mut self, word: &str) -> Self {
        self.stop.push(word.to_owned());
        self
    }

    /// How freely it is written, from 0 to 2; as the model does by itself unless set.
    #[must_use]
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// What is done with passages that the model is not cleared for; they are left out unless set.
    #[must_use]
    pub fn above_label(mut self, above: AboveLabel) -> Self {
        self.above = above;
        self
    }

    /// Sends the question also where no passage goes with it; unless set, nothing is sent then.
    #[must_use]
    pub fn without_passages(mut self) -> Self {
        self.without_passages = true;
        self
    }

    /// What is taken as a question.
    #[must_use]
    pub fn limits(mut self, limits: QuestionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Where identifiers are taken out; nowhere unless set.
    #[must_use]
    pub fn redact(mut self, redact: Redact) -> Self {
        self.redact = redact;
        self
    }

    /// What finds them; [`safepassage_prompt::Identifiers`] unless set.
    #[must_use]
    pub fn redactor(mut self, redactor: Arc<dyn Redactor>) -> Self {
        self.redactor = redactor;
        self
    }

    /// Lets `hook` see and change prompt, pieces and answer; of several each sees what those before it left.
    #[must_use]
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Lets `guardrail` look at question and passages before they are sent, and at the answer before anybody gets any of it:
    /// it comes as one piece then. Passages are only such as the guardrail is cleared for too. Where it intervenes, what it
    /// says is the answer.
    #[must_use]
    pub fn guardrail(mut self, guardrail: Arc<dyn Guardrail>) -> Self {
        self.guardrails.push(guardrail);
        self
    }

    /// Looks for what speaks to the model rather than to its reader, in passages and in the question, and does `what` with it.
    /// Signs are no proof, and an attack may show none: see [`safepassage_prompt::suspicion`]. Nobody looks unless set.
    #[must_use]
    pub fn suspected(mut self, what: Suspected) -> Self {
        let from = self.wary.map_or(safepassage_prompt::SUSPECTED_FROM, |wary| wary.from);
        self.wary = Some(Wary { from, does: what });
        self
    }

    /// From which score on, 0 to 1, a text is suspected: [`safepassage_prompt::SUSPECTED_FROM`] unless set. Where it is not
    /// said what is done with such texts, they are marked.
    #[must_use]
    pub fn suspected_from(mut self, score: f32) -> Self {
        let does = self.wary.map_or(Suspected::Mark, |wary| wary.does);
        self.wary = Some(Wary { from: score, does });
        self
    }

    /// Ends the question when `cancel` says so, from any thread: also before the model has begun to answer.
    #[must_use]
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Whether somebody ended it.
    fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// What of the caller's program it is for: in the ledger, and for budgets that name it.
    #[must_use]
    pub fn feature(mut self, feature: &str) -> Self {
        self.feature = Some(feature.to_owned());
        self
    }

    /// On whose account it is.
    fn who(&self) -> Who {
        payer::who(self.session.identity(), self.feature.as_deref())
    }

    /// Asks, and waits for all of the answer.
    ///
    /// # Errors
    /// As [`Ask::stream`], and what the answer breaks off with.
    pub fn run(self) -> Result<Answer> {
        self.stream()?.finish()
    }

    /// Asks, and returns when the model has begun to answer. To drop what is returned ends the call.
    ///
    /// # Errors
    /// As [`Search::run`]; `Invalid` for a question that is none, a template whose inputs are not given, or no room for any
    /// passage; `Denied` if the model is not cleared for questions, or, where that is to be refused, for a passage;
    /// `Throttled` if a budget has no room for the call; `Conflict` if permissions change again and again meanwhile; what the model and the hooks fail with; what the audit
    /// log and the ledger fail with, and then nothing was sent.
    pub fn stream(self) -> Result<AnswerStream> {
        let generator = self.generator.ok_or_else(|| Error::invalid("ask", "a model is needed that answers"))?;
        match self.template {
            Some(template) => sending::begin(&self, generator, template),
            None => sending::begin(&self, generator, &Template::cited()?),
        }
    }
}
