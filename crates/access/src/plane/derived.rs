//! What was derived from other content: who may read all of that?

use std::collections::HashMap;

use super::acls::COMPOSED;
use super::rules::{NONE, Rules};
use super::table::{Effective, Passes};
use crate::bits::Bits;
use crate::event::Input;

/// What is derived through more steps than this is nobody's.
pub(crate) const MOST_STEPS: usize = 32;

/// Asks about inputs, each once.
struct Inputs<'a, F> {
    rules: &'a Rules,
    /// Of somebody, before inputs were looked at.
    passes: &'a Passes,
    needed: &'a F,
    /// What is being asked counts as no: nothing is derived from itself.
    known: HashMap<Input, bool>,
}

impl<F: Fn(Input) -> Option<Effective>> Inputs<'_, F> {
    fn all_pass(&mut self, list: u32, steps: usize) -> bool {
        let Some(inputs) = self.rules.inputs.get(list) else { return false };
        steps < MOST_STEPS && inputs.iter().all(|input| self.passes(*input, steps + 1))
    }

    fn passes(&mut self, input: Input, steps: usize) -> bool {
        if let Some(&known) = self.known.get(&input) {
            return known;
        }
        self.known.insert(input, false);
        let passes = (self.needed)(input).is_some_and(|effective| {
            self.passes.permits(&effective)
                && effective.bases().all(|base| {
                    let inputs = self.rules.get(base).inputs;
                    inputs == NONE || self.all_pass(inputs, steps)
                })
        });
        self.known.insert(input, passes);
        passes
    }
}

/// Those rules that somebody passes who may also read what is under them was derived from. `needed` says what an input,
/// every section of it included, needs; nothing for what is not there, or is another tenant's.
pub(super) fn passing(rules: &Rules, passes: &Passes, needed: &impl Fn(Input) -> Option<Effective>) -> Bits {
    let mut inputs = Inputs { rules, passes, needed, known: HashMap::new() };
    let mut passing = passes.composed().clone();
    for id in passes.composed().iter() {
        let list = rules.get(id | COMPOSED).inputs;
        if list != NONE && !inputs.all_pass(list, 0) {
            passing.remove(id);
        }
    }
    passing
}
