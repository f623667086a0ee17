//! What was derived from other content: who may read all of that?

use std::collections::HashMap;

use super::acls::COMPOSED;
use super::effective::Effective;
use super::rules::{NONE, Rules};
use super::table::Passes;
use crate::bits::Bits;
use crate::event::Input;

/// What is derived through more steps than this is nobody's.
pub(crate) const MOST_STEPS: usize = 32;

/// Asks about inputs, each once: the answer must not depend on through what it was asked.
struct Inputs<'a, F> {
    rules: &'a Rules,
    /// Of somebody, before inputs were looked at.
    passes: &'a Passes,
    needed: &'a F,
    known: HashMap<Input, Known>,
}

/// What is known of an input.
#[derive(Clone, Copy)]
enum Known {
    /// It is being asked; whoever meets it now is derived from itself.
    Asked,
    /// Whoever it lets pass is let pass through so many steps; `None`: nobody.
    Steps(Option<usize>),
}

impl<F: Fn(Input) -> Option<Effective>> Inputs<'_, F> {
    /// What an input was derived from itself; `None` if it does not let pass.
    fn below(&self, input: Input) -> Option<Vec<Input>> {
        let effective = (self.needed)(input).filter(|effective| self.passes.permits(effective))?;
        let lists = effective.bases().map(|base| self.rules.get(base).inputs).filter(|list| *list != NONE);
        let lists = lists.map(|list| self.rules.inputs.get(list)).collect::<Option<Vec<_>>>()?;
        Some(lists.into_iter().flatten().copied().collect())
    }

    /// Through how many steps those pass who pass all of `inputs`, which are known.
    fn steps(&self, inputs: &[Input]) -> Option<usize> {
        let mut most = 0;
        for input in inputs {
            match self.known.get(input) {
                Some(Known::Steps(Some(steps))) => most = most.max(steps + 1),
                _ => return None,
            }
        }
        Some(most).filter(|most| *most <= MOST_STEPS)
    }

    /// Asks what is not known yet, without calling itself: there may be very many steps.
    fn ask(&mut self, inputs: &[Input]) {
        let mut open = inputs.to_vec();
        while let Some(&input) = open.last() {
            let before = self.known.get(&input).copied();
            let below = if let Some(Known::Steps(_)) = before { None } else { self.below(input) };
            let unknown = |input: &&Input| !self.known.contains_key(input);
            match (before, below) {
                (None, Some(below)) => {
                    open.extend(below.iter().filter(unknown));
                    self.known.insert(input, Known::Asked);
                }
                (None, None) => drop(self.known.insert(input, Known::Steps(None))),
                (Some(Known::Asked), below) => {
                    let steps = below.and_then(|below| self.steps(&below));
                    self.known.insert(input, Known::Steps(steps));
                }
                (Some(Known::Steps(_)), _) => drop(open.pop()),
            }
        }
    }

    fn all_pass(&mut self, list: u32) -> bool {
        let Some(inputs) = self.rules.inputs.get(list) else { return false };
        self.ask(inputs);
        self.steps(inputs).is_some()
    }
}

/// Those rules that somebody passes who may also read what is under them was derived from. `needed` says what an input,
/// every section of it included, needs; nothing for what is not there, or is another tenant's.
pub(super) fn passing(rules: &Rules, passes: &Passes, needed: &impl Fn(Input) -> Option<Effective>) -> Bits {
    let mut inputs = Inputs { rules, passes, needed, known: HashMap::new() };
    let mut passing = passes.composed().clone();
    for id in passes.composed().iter() {
        let list = rules.get(id | COMPOSED).inputs;
        if list != NONE && !inputs.all_pass(list) {
            passing.remove(id);
        }
    }
    passing
}
