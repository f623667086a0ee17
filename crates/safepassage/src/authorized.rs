//! Somebody outside decides too: which of the nearest passages are left, and are there k of them?
//!
//! An authorizer that can list narrows what is visible before the search. Any other is asked about the documents of the
//! nearest hits, nearest first; what it refuses is taken out, and the search goes on until there are k hits or no more.
//! It hears of no document that the ACLs withhold, is asked within limits, and its failure is the search's.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rayon::prelude::*;
use safepassage_access::{Authorizer, Identity};
use safepassage_error::system::Stopwatch;
use safepassage_error::{Error, Kind, Result};
use safepassage_index::{Answer, Hit, Snapshot, VisibleRows};

const OPERATION: &str = "ask authorizer";

/// How much one call of a session may ask of an authorizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizerLimits {
    /// About so many documents at most; a search that would need more is not complete. 2,000 unless set.
    pub max_documents: usize,
    /// Nothing is asked any more after this time, and the call fails. Ten seconds unless set.
    pub deadline: Duration,
}

impl Default for AuthorizerLimits {
    fn default() -> Self {
        Self { max_documents: 2000, deadline: Duration::from_secs(10) }
    }
}

/// An authorizer and how much may be asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub authorizer: Arc<dyn Authorizer>,
    pub limits: AuthorizerLimits,
}

impl Guard {
    /// One call's questions to the authorizer; the limits hold for all of them together.
    pub fn asking<'a>(&'a self, identity: &'a Identity) -> Asking<'a> {
        Asking { guard: self, identity, since: Stopwatch::start(), decided: HashMap::new() }
    }

    /// The `k` best passages for each question among those of `visible` that the authorizer permits too; `search` finds
    /// so many among some rows.
    pub fn search<Q: Sync>(
        &self,
        identity: &Identity,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        questions: &[Q],
        k: usize,
        search: impl Fn(&VisibleRows, &Q, usize) -> Result<Answer> + Sync,
    ) -> Result<Vec<Answer>> {
        let mut asking = self.asking(identity);
        match asking.listed_rows(snapshot, visible)? {
            Some(rows) => questions.par_iter().map(|question| search(&rows, question, k)).collect(),
            None => asking.search(snapshot, visible, questions, k, search),
        }
    }

    /// As [`Guard::search`] for one question.
    pub fn search_one(
        &self,
        identity: &Identity,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        k: usize,
        search: impl Fn(&VisibleRows, usize) -> Result<Answer> + Sync,
    ) -> Result<Answer> {
        only(self.search(identity, snapshot, visible, &[()], k, |rows, (), k| search(rows, k))?)
    }

    /// Those of `documents` that the authorizer permits too.
    pub fn documents(&self, identity: &Identity, mut documents: Vec<String>) -> Result<Vec<String>> {
        let mut asking = self.asking(identity);
        if let Some(listed) = asking.listed()? {
            documents.retain(|id| listed.contains(id));
            return Ok(documents);
        }
        if !asking.ask(&documents.iter().map(String::as_str).collect::<Vec<_>>())? {
            let most = self.limits.max_documents;
            let message = format!("it would have to be asked about {} documents; the limit is {most}", documents.len());
            return Err(Error::new(Kind::Unavailable, OPERATION, message));
        }
        documents.retain(|id| asking.decided.get(id) == Some(&true));
        Ok(documents)
    }

    /// Whether the authorizer permits `document` too.
    pub fn permits(&self, identity: &Identity, document: &str) -> Result<bool> {
        let mut asking = self.asking(identity);
        asking.ask(&[document])?;
        Ok(asking.decided.get(document) == Some(&true))
    }
}

/// What was asked and answered within one call.
pub(crate) struct Asking<'a> {
    guard: &'a Guard,
    identity: &'a Identity,
    since: Stopwatch,
    decided: HashMap<String, bool>,
}

impl Asking<'_> {
    /// Those of `visible` that the authorizer permits, if it can name all documents that it does.
    pub fn listed_rows(&self, snapshot: &Snapshot, visible: &VisibleRows) -> Result<Option<VisibleRows>> {
        let listed = self.listed()?;
        Ok(listed.map(|listed| snapshot.only(visible, listed.iter().map(String::as_str))))
    }

    /// As [`Guard::search`], of an authorizer that has to be asked about each document.
    pub fn search<Q: Sync>(
        &mut self,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        questions: &[Q],
        k: usize,
        search: impl Fn(&VisibleRows, &Q, usize) -> Result<Answer> + Sync,
    ) -> Result<Vec<Answer>> {
        // What it refuses is not known before it is asked, so no word may be counted over these rows.
        let mut visible = snapshot.without(&visible.uncounted(), self.refused());
        let mut fetch = k.saturating_mul(2);
        loop {
            let found: Vec<Answer> =
                questions.par_iter().map(|question| search(&visible, question, fetch)).collect::<Result<_>>()?;
            let limit_reached = !self.decide(snapshot, &found, k)?;
            let more = |answer: &Answer| answer.hits.len() == fetch && self.kept(snapshot, answer, k).len() < k;
            if limit_reached || !found.iter().any(more) {
                let finish = |answer| self.finish(snapshot, answer, k, limit_reached);
                return Ok(found.into_iter().map(finish).collect());
            }
            visible = snapshot.without(&visible, self.refused());
            fetch = fetch.saturating_mul(2);
        }
    }

    /// As [`Asking::search`] for one question.
    pub fn search_one(
        &mut self,
        snapshot: &Snapshot,
        visible: &VisibleRows,
        k: usize,
        search: impl Fn(&VisibleRows, usize) -> Result<Answer> + Sync,
    ) -> Result<Answer> {
        only(self.search(snapshot, visible, &[()], k, |rows, (), k| search(rows, k))?)
    }

    fn check_deadline(&self) -> Result<()> {
        if self.since.seconds() >= self.guard.limits.deadline.as_secs_f64() {
            return Err(Error::new(Kind::Unavailable, OPERATION, "it took too long to ask about everything"));
        }
        Ok(())
    }

    /// All documents that it permits, if it can name all.
    fn listed(&self) -> Result<Option<BTreeSet<String>>> {
        self.check_deadline()?;
        // A list with some missing would hide them; asking about each does not.
        let listed = self.guard.authorizer.list(self.identity)?.filter(|listed| listed.complete);
        Ok(listed.map(|listed| listed.documents.into_iter().collect()))
    }

    /// Asks about those of `documents` that are not decided yet. False if the limit left some out.
    fn ask(&mut self, documents: &[&str]) -> Result<bool> {
        let Guard { authorizer, limits } = self.guard;
        let mut seen = BTreeSet::new();
        let open: Vec<&str> =
            documents.iter().copied().filter(|id| !self.decided.contains_key(*id) && seen.insert(*id)).collect();
        let within = open.len().min(limits.max_documents.saturating_sub(self.decided.len()));
        for batch in open[..within].chunks(authorizer.max_batch().max(1)) {
            self.check_deadline()?;
            let answers = authorizer.check(self.identity, batch)?;
            if answers.len() != batch.len() {
                let message = format!("{} answers came for {} documents", answers.len(), batch.len());
                return Err(Error::new(Kind::Unavailable, OPERATION, message));
            }
            self.decided.extend(batch.iter().map(ToString::to_string).zip(answers));
        }
        Ok(within == open.len())
    }

    /// Asks until every answer has k permitted hits or all its hits are decided. False if the limit ended it.
    fn decide(&mut self, snapshot: &Snapshot, found: &[Answer], k: usize) -> Result<bool> {
        loop {
            let open: Vec<&str> = found.iter().flat_map(|answer| self.open(snapshot, answer, k)).collect();
            if open.is_empty() {
                return Ok(true);
            }
            if !self.ask(&open)? {
                return Ok(false);
            }
        }
    }

    /// The undecided documents of the nearest hits, so many that k hits remain if every second is refused.
    fn open<'s>(&self, snapshot: &'s Snapshot, answer: &Answer, k: usize) -> Vec<&'s str> {
        let (mut permitted, mut open) = (0, Vec::new());
        for hit in &answer.hits {
            if permitted + open.len() / 2 >= k {
                break;
            }
            let document = snapshot.document_of(hit);
            match self.decided.get(document) {
                Some(true) => permitted += 1,
                Some(false) => {}
                None => open.push(document),
            }
        }
        open
    }

    /// The first k permitted hits before the first undecided one.
    fn kept(&self, snapshot: &Snapshot, answer: &Answer, k: usize) -> Vec<Hit> {
        let decisions = answer.hits.iter().map(|hit| (hit, self.decided.get(snapshot.document_of(hit))));
        let decided = decisions.map_while(|(hit, decision)| decision.map(|permitted| (hit, *permitted)));
        decided.filter(|(_, permitted)| *permitted).map(|(hit, _)| *hit).take(k).collect()
    }

    fn refused(&self) -> impl Iterator<Item = &str> + Clone {
        self.decided.iter().filter(|(_, permitted)| !**permitted).map(|(id, _)| id.as_str())
    }

    fn finish(&self, snapshot: &Snapshot, answer: Answer, k: usize, limit_reached: bool) -> Answer {
        let hits = self.kept(snapshot, &answer, k);
        // With fewer than k, the answer held everything there is, or the limit left some of it undecided.
        let whole = hits.len() == k || !limit_reached;
        let complete = hits.len() == k || (answer.complete && whole);
        Answer { hits, complete, exact: answer.exact && whole, ..answer }
    }
}

fn only(answers: Vec<Answer>) -> Result<Answer> {
    answers.into_iter().next().ok_or_else(|| Error::new(Kind::Internal, OPERATION, "no answer to the question"))
}
