//! Here is a question with everything that it is asked by: make the prompt, and send it to the first model that answers.

use std::collections::BTreeMap;

use safepassage_audit::Digest;
use safepassage_error::{Error, Kind, Result};
use safepassage_models::{
    Cancel, Cleared, Direction, Generator, Guardrail, Lost, Message, Permit, Pieces, Request, Role, StopReason, Usage,
    Verdict,
};
use safepassage_prompt::{Fitted, Passage, Redactor, Room, Template, check_question, redacted};

use super::account::Account;
use super::answer::Answer;
use super::asked::Asked;
use super::leaving::LastLook;
use super::passages::{Gathered, gather};
use super::stream::AnswerStream;
use super::suspects::{MARK, Suspect};
use super::{AboveLabel, Ask};
use crate::hits::{Hit, VectorHits};
use crate::payer::Payer;
use crate::spans;

/// So often a prompt is made anew because permissions changed while it was made.
const ROUNDS: usize = 8;

/// Asks, and writes down how that began or why it did not.
pub(super) fn begin(ask: &Ask<'_>, generator: &dyn Generator, template: &Template) -> Result<AnswerStream> {
    let mut asked = Asked::new(ask);
    let begun = asked.span().within(|| rounds(ask, generator, template, &asked));
    begun.or_else(|error| {
        asked.ended(outcome(ask, &error), None)?;
        Err(error)
    })
}

fn rounds(ask: &Ask<'_>, generator: &dyn Generator, template: &Template, asked: &Asked) -> Result<AnswerStream> {
    check_question(ask.question, ask.limits)?;
    ask.wary.map_or(Ok(()), |wary| wary.check())?;
    let session = ask.session;
    session.identity().check_expiry(session.engine.clock().now())?;
    for _ in 0..ROUNDS {
        ask.cancel.as_ref().map_or(Ok(()), Cancel::check)?;
        let prompt = Prompt::new(ask, generator, template, asked)?;
        if prompt.passages.is_empty() && !ask.without_passages {
            let answer = prompt.answer(generator, template, asked);
            return AnswerStream::unsent(asked.clone(), answer);
        }
        if let Some(stream) = prompt.send(ask, generator, template, asked)? {
            return Ok(stream);
        }
    }
    let message = "permissions changed again and again while the prompt was made; ask again";
    Err(Error::new(Kind::Conflict, "ask", message))
}

/// How it ended, for whoever reads of it.
fn outcome(ask: &Ask<'_>, error: &Error) -> &'static str {
    if ask.is_cancelled() { "cancelled" } else { error.kind().name() }
}

/// A prompt and what it was made of.
struct Prompt {
    request: Request,
    found: VectorHits,
    /// The places of its passages among what was found, and these.
    passages: Vec<(usize, Hit)>,
    withheld: Vec<String>,
    suspects: Vec<Suspect>,
    redacted: BTreeMap<String, u64>,
    complete: bool,
}

impl Prompt {
    fn new(ask: &Ask<'_>, generator: &dyn Generator, template: &Template, asked: &Asked) -> Result<Self> {
        let cleared = clearances(ask, generator);
        cleared.iter().try_for_each(|cleared| ask.session.engine.check_question(cleared))?;
        let highest: Vec<&str> = cleared.iter().map(Cleared::highest_label).collect();
        let payer = Payer::of_answer(&ask.session.engine, ask.who(), asked.id());
        let question = ask.wary.and_then(|wary| wary.question(ask.question));
        refused(ask, asked, question.as_slice())?;
        let Gathered { found, passages, withheld, suspects, complete } =
            gather((ask.session, &payer), &ask.search, &highest, ask.above, ask.wary)?;
        asked.withheld(&withheld)?;
        if ask.above == AboveLabel::Refuse && !withheld.is_empty() {
            let message = "a passage that answers the question has a label that the model is not cleared for";
            return Err(Error::new(Kind::Denied, "ask", message));
        }
        refused(ask, asked, &suspects)?;
        let suspects: Vec<Suspect> = question.into_iter().chain(suspects).collect();
        asked.suspected(&suspects)?;
        let mut counts = BTreeMap::new();
        let mut clean = |text: &str, wanted: bool| clean(&*ask.redactor, text, wanted, &mut counts);
        let question = clean(ask.question, ask.redact.question);
        let inputs = ask.inputs.iter().map(|(name, text)| (name.clone(), clean(text, ask.redact.question))).collect();
        let texts: Vec<(String, String)> = passages
            .iter()
            .map(|(_, hit)| {
                let title = if hit.heading.is_empty() { hit.title.as_deref().unwrap_or("") } else { &hit.heading };
                let title = clean(title, ask.redact.passages);
                let own = |suspect: &Suspect| {
                    (suspect.document.as_ref(), suspect.chunk) == (Some(&hit.document), Some(hit.chunk))
                };
                let title = if suspects.iter().any(own) { format!("{MARK} {title}") } else { title };
                (title, clean(&hit.text, ask.redact.passages))
            })
            .collect();
        let all: Vec<Passage<'_>> = texts.iter().map(|(title, text)| Passage { title, text }).collect();
        let tokens = |text: &str| generator.tokens(text);
        let room = Room { window: generator.window(), answer: ask.most_tokens as usize, tokens: &tokens };
        let fitted: Fitted = template.fit(&question, &all, &inputs, &room, &[])?;
        let passages = passages.into_iter().enumerate().filter(|(n, _)| fitted.passages.contains(n));
        let passages = passages.map(|(_, passage)| passage).collect();
        let message = |role, text| Message { role, text };
        let mut messages = vec![message(Role::System, fitted.system), message(Role::User, fitted.user)];
        messages.retain(|message| !message.text.is_empty());
        let tenant = ask.session.identity().tenant().0.as_bytes();
        let mut request = Request {
            messages,
            most_tokens: ask.most_tokens,
            stop: ask.stop.clone(),
            temperature: ask.temperature,
            cancel: ask.cancel.clone(),
            lost: Some(Lost::default()),
            cache_key: Some(Digest::of(&[b"cache", tenant, template.id().as_bytes()]).to_string()),
        };
        ask.hooks.iter().try_for_each(|hook| hook.before_request(&mut request))?;
        Ok(Self { request, found, passages, withheld, suspects, redacted: counts, complete })
    }

    /// What the caller will know of it.
    fn answer(&self, generator: &dyn Generator, template: &Template, asked: &Asked) -> Answer {
        Answer {
            id: asked.id().to_owned(),
            text: String::new(),
            citations: Vec::new(),
            unknown_citations: Vec::new(),
            passages: self.passages.iter().map(|(_, hit)| hit.clone()).collect(),
            sent: false,
            withheld: self.withheld.len(),
            suspects: self.suspects.clone(),
            model: generator.name().to_owned(),
            template: template.id(),
            stop: None,
            usage: None,
            cost: None,
            recorded: true,
            redacted: self.redacted.clone(),
            complete: self.complete,
            exact: self.found.exact(),
            plan: self.found.plan(),
            acl_epoch: self.found.acl_epoch(),
            generation: self.found.generation(),
        }
    }

    /// Sends it by the first route that answers; `None` if something in it may not be sent any more.
    fn send(
        &self,
        ask: &Ask<'_>,
        generator: &dyn Generator,
        template: &Template,
        asked: &Asked,
    ) -> Result<Option<AnswerStream>> {
        let mut failed: Option<Error> = None;
        let routes = std::iter::once(generator).chain(generator.fallbacks().iter().map(|other| &**other));
        for (n, route) in routes.enumerate() {
            if n > 0 && !self.may_go_to(ask, route)? {
                continue;
            }
            let mut account = Account::open(ask, asked, route, &self.request, &template.id(), self.passages.len())?;
            let documents = self.passages.iter().map(|(_, hit)| hit.document.as_str());
            let begun = asked.begun(&self.found, documents, &format!("to `{}` by `{}`", route.name(), template.id()));
            if let Err(error) = begun {
                account.failed(error.kind().name(), Usage::default())?;
                return Err(error);
            }
            match account.span().within(|| self.sent(ask, route)) {
                Ok(Some((Sent::Intervened(said), acl_epoch))) => {
                    account.failed("guardrail", Usage::default())?;
                    let answer = self.answer(route, template, asked);
                    let answer = Answer { text: said, stop: Some(StopReason::Guardrail), acl_epoch, ..answer };
                    return AnswerStream::unsent(asked.clone(), answer).map(Some);
                }
                Ok(Some((Sent::Pieces(pieces), acl_epoch))) => {
                    let answer = Answer { sent: true, acl_epoch, ..self.answer(route, template, asked) };
                    account.begun();
                    asked.span().decided(&answer);
                    return Ok(Some(AnswerStream::new(ask, asked.clone(), answer, pieces, account)));
                }
                Ok(None) => {
                    account.failed(Kind::Conflict.name(), self.lost())?;
                    return Ok(None);
                }
                Err(error) => {
                    account.failed(outcome(ask, &error), self.lost())?;
                    if ask.is_cancelled() || !matches!(error.kind(), Kind::Unavailable | Kind::Throttled) {
                        return Err(error);
                    }
                    failed.get_or_insert(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Kind::Internal, "ask", "there is nobody to ask")))
    }

    /// Whether a model to fall back to is cleared for all of it, and has room for it.
    fn may_go_to(&self, ask: &Ask<'_>, route: &dyn Generator) -> Result<bool> {
        let tokens: usize = self.request.messages.iter().map(|message| route.tokens(&message.text)).sum();
        if tokens + self.request.most_tokens as usize > route.window() {
            return Ok(false);
        }
        let Some(cleared) = route.cleared() else { return Ok(true) };
        if ask.session.engine.check_question(cleared).is_err() {
            return Ok(false);
        }
        let may = self.found.cleared(ask.session, &[cleared.highest_label()])?;
        Ok(self.passages.iter().all(|(at, _)| may.get(*at) == Some(&true)))
    }

    /// Sends it, if no guardrail intervenes.
    fn guarded(&self, ask: &Ask<'_>, route: &dyn Generator, last: &LastLook) -> Result<Sent> {
        let mut request = self.request.clone();
        for guardrail in &ask.guardrails {
            for message in request.messages.iter_mut().filter(|message| message.role != Role::System) {
                let look = |permit: &Permit| looked_at(&**guardrail, &message.text, Direction::In, permit);
                match last.before(guardrail.name(), guardrail.cleared().is_none(), look)? {
                    Verdict::Pass => {}
                    Verdict::Masked(text) => message.text = text,
                    Verdict::Intervened(said) => return Ok(Sent::Intervened(said)),
                }
            }
        }
        last.before(route.name(), false, |permit| route.generate(&request, permit)).map(Sent::Pieces)
    }

    /// One route: the pieces and the epoch of the last decision, or `None` if something may not be sent any more.
    fn sent(&self, ask: &Ask<'_>, route: &dyn Generator) -> Result<Option<(Sent, u64)>> {
        let places = self.passages.iter().map(|(at, _)| *at).collect();
        let last = LastLook::new(ask.session, &self.found, places, clearances(ask, route));
        match self.guarded(ask, route, &last) {
            Ok(sent) => Ok(Some((sent, last.epoch()))),
            Err(_) if last.is_stale() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What failed attempts have cost since the last time.
    fn lost(&self) -> Usage {
        self.request.lost.as_ref().map(Lost::take).unwrap_or_default()
    }
}

/// Refuses the question, and writes down why, where one of `suspects` is not to be asked.
fn refused(ask: &Ask<'_>, asked: &Asked, suspects: &[Suspect]) -> Result<()> {
    ask.wary.map_or(Ok(()), |wary| wary.refuses(suspects)).or_else(|error| asked.suspected(suspects).and(Err(error)))
}

/// What `guardrail` says of `text`.
pub(super) fn looked_at(
    guardrail: &dyn Guardrail,
    text: &str,
    direction: Direction,
    permit: &Permit,
) -> Result<Verdict> {
    let span = spans::guardrail(guardrail, if direction == Direction::In { "in" } else { "out" });
    spans::within(&span, || {
        let verdict = guardrail.check(text, direction, permit)?;
        span.record("safepassage.intervened", verdict != Verdict::Pass);
        Ok(verdict)
    })
}

/// What came of a prompt.
enum Sent {
    Pieces(Pieces),
    /// A guardrail said this, and the model was not asked.
    Intervened(String),
}

/// What everything is cleared for that a prompt for `route` goes to.
fn clearances(ask: &Ask<'_>, route: &dyn Generator) -> Vec<Cleared> {
    let guardrails = ask.guardrails.iter().filter_map(|guardrail| guardrail.cleared());
    route.cleared().into_iter().chain(guardrails).cloned().collect()
}

/// `text`, or `text` without identifiers.
fn clean(redactor: &dyn Redactor, text: &str, wanted: bool, counts: &mut BTreeMap<String, u64>) -> String {
    if !wanted {
        return text.to_owned();
    }
    let (clean, found) = redacted(redactor, text);
    found.iter().for_each(|(kind, count)| *counts.entry((*kind).to_owned()).or_default() += count);
    clean
}
