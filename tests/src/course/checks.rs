//! What must everybody see of a world, and what may a model be sent of it?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use safepassage::{Engine, Hook, Identity, Kind, Mode, Request, Result};

use super::changes::Step;
use super::{ASKERS, Course};
use crate::listener::{Listener, is_word, judged_as, passages};
use crate::{Key, Numbers, Words, World, cosine};

const SEARCHES: usize = 3;
/// Scores are f32, and rows may lie in other orders.
const NEAR: f64 = 1e-5;

/// A change between the making of a prompt and its sending.
struct Meanwhile(Mutex<Option<(Engine, Step, Key)>>);

impl Hook for Meanwhile {
    fn before_request(&self, _: &mut Request) -> Result<()> {
        let change = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        change.map_or(Ok(()), |(engine, step, key)| Course::perform(&engine, &step, &key))
    }
}

impl Course {
    /// Everybody sees what the specification says, and searches find the nearest of it.
    pub fn check(&mut self, step: usize) {
        let now = self.clock.now();
        for n in 0..self.askers.len() {
            let (session, judged) = &self.askers[n];
            let place = format!("seed {} step {step} asker {n}: {judged:?}", self.seed);
            if judged.check_expiry(now).is_err() {
                let kinds = [
                    session.visible().map(drop).unwrap_err().kind(),
                    session.search_vector(&[1.0; crate::words::DIM], 3, None).map(drop).unwrap_err().kind(),
                ];
                assert_eq!(kinds, [Kind::Denied; 2], "{place}");
                self.compared.decisions += self.ledger.judged(judged, now).count() as u64;
                continue;
            }
            let (mut right, mut open) = (Vec::new(), BTreeMap::<&str, Vec<(&str, Vec<f32>)>>::new());
            for (key, may, passages) in self.ledger.judged(judged, now) {
                self.compared.decisions += 1;
                self.compared.allowed += u64::from(may);
                if may {
                    right.push(key.1.as_str());
                }
                if !passages.is_empty() {
                    open.insert(&key.1, passages.into_iter().map(|text| (text, Words::vector(text))).collect());
                }
            }
            // Now the list and now the searches come first: each must look for what is new by itself.
            let listed = || assert_eq!(session.visible().expect("a list").documents, right, "{place}");
            let list_first = (n + step).is_multiple_of(2);
            if list_first {
                listed();
            }
            for search in 0..SEARCHES {
                let query = self.numbers.vector(crate::words::DIM);
                let k = 1 + self.numbers.below(14);
                let found = session.search_vector(&query, k, Some(1.0)).expect("hits");
                let mut nearest: Vec<f64> = open.values().flatten().map(|(_, v)| cosine(v, &query)).collect();
                nearest.sort_by(|a, b| b.total_cmp(a));
                assert!(found.complete() && found.exact(), "{place}");
                assert_eq!(found.ids().len(), k.min(nearest.len()), "{place}");
                for ((id, score), best) in found.ids().zip(found.scores()).zip(nearest) {
                    let score = f64::from(score);
                    let own = open.get(id).unwrap_or_else(|| panic!("{place}: `{id}` is forbidden"));
                    let its = own.iter().any(|(_, vector)| (cosine(vector, &query) - score).abs() < NEAR);
                    assert!(
                        its && (score - best).abs() < NEAR,
                        "{place}: `{id}` scores {score}, the best left is {best}"
                    );
                    self.compared.hits += 1;
                }
                self.compared.searches += 1;
                if search == 0 && n == step % ASKERS {
                    for hit in found.results().expect("passages").hits {
                        let texts = &open[hit.document.as_str()];
                        assert!(texts.iter().any(|(text, _)| *text == hit.text), "{place}: {hit:?}");
                    }
                }
            }
            if !list_first {
                listed();
            }
        }
    }

    /// Somebody asks a model, and permissions change between what is found and what is sent: every prompt that left is read
    /// by itself, and the specification says of each passage in it whether asker and model may have it.
    pub fn ask(&mut self) {
        let quiet = self.numbers.one_in(3);
        let (change, key) = if quiet { Default::default() } else { self.drawn() };
        let n = self.numbers.below(self.askers.len());
        let (session, judged) = self.askers[n].clone();
        let label = |numbers: &mut Numbers| Some(numbers.below(5)).filter(|label| *label < 4).map(World::label);
        let first = label(&mut self.numbers);
        // Half of the models are unavailable, and turn to others of a catalogue of their own.
        let others: Vec<_> = (0..self.numbers.below(4).saturating_sub(1)).map(|_| label(&mut self.numbers)).collect();
        let fallbacks: Vec<_> = others.iter().map(|label| Arc::new(Listener::new(*label))).collect();
        let model = Listener::new(first).failing(&fallbacks);
        let question = format!("w{} w{}", self.numbers.below(9), self.numbers.draw() % 100_000);
        let (k, mode) = (1 + self.numbers.below(8), self.numbers.pick(&[Mode::Lexical, Mode::Vector, Mode::Hybrid]));
        let meanwhile = Arc::new(Meanwhile(Mutex::new(Some((self.engine.clone(), change.clone(), key.clone())))));
        let hook = Arc::clone(&meanwhile);
        let asked = session.ask(&question).generator(&model).most_tokens(64).hook(hook);
        let answer = asked.search(|search| search.k(k).mode(mode)).run();
        match meanwhile.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // There was no prompt to be made.
            Some(_) => self.whole(change, &key),
            None => self.performed(change),
        }
        let (seed, now) = (self.seed, self.clock.now());
        let place = format!("seed {seed} asker {n}: {judged:?}");
        let mut heard = vec![(first, model.heard())];
        heard.extend(others.iter().zip(&fallbacks).map(|(label, other)| (*label, other.heard())));
        self.compared.prompts += heard.iter().map(|(_, prompts)| prompts.len() as u64).sum::<u64>();
        if judged.check_expiry(now).is_err() {
            assert!(heard.iter().all(|(_, prompts)| prompts.is_empty()) && answer.is_err(), "{place}");
            return;
        }
        let seen_by = |who: &Identity| -> BTreeSet<(Key, String)> {
            let judged = self.ledger.judged(who, now);
            judged
                .flat_map(|(key, _, texts)| texts.into_iter().map(move |text| (key.clone(), text.to_owned())))
                .collect()
        };
        let open = seen_by(&judged);
        let cleared_for = |label| seen_by(&judged_as(&judged, label, &self.clock));
        let says = |of: &BTreeSet<(Key, String)>, passage: &str| of.iter().any(|(_, text)| text == passage);
        for (label, prompt) in
            heard.iter().flat_map(|(label, prompts)| prompts.iter().map(move |prompt| (*label, prompt)))
        {
            let cleared = cleared_for(label);
            for passage in passages(prompt) {
                assert!(says(&open, passage), "{place}: `{passage}` may not be read");
                assert!(says(&cleared, passage), "{place}: the model may not have `{passage}`");
                self.compared.sent += 1;
            }
            // Nothing of a document stands anywhere else in it.
            let words = |text: &str| text.split_whitespace().filter(|word| is_word(word)).count();
            let inside: usize = passages(prompt).map(words).sum();
            assert_eq!(words(prompt), inside + words(&question), "{place}: {prompt}");
        }
        if let Ok(answer) = answer {
            let sent: Vec<&str> = answer.passages.iter().map(|hit| hit.text.as_str()).collect();
            // The last that were asked: they have answered.
            let last = heard.iter().rev().find_map(|(_, prompts)| prompts.last());
            assert_eq!(sent, last.map(|prompt| passages(prompt).collect::<Vec<_>>()).unwrap_or_default(), "{place}");
            let both = open.intersection(&cleared_for(first)).count();
            // Words alone need not be in every passage; and what was opened meanwhile need not be found.
            let all = mode != Mode::Lexical && quiet;
            assert!(!all || sent.len() == k.min(both), "{place}: {} of {k}, and {both} there are", sent.len());
        }
    }
}
