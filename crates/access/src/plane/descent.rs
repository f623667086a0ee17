//! Here is what the lists say of somebody: what does every ACL object say, from the top down?
//!
//! Objects are long and lie in the order in which they came. What is needed of each is kept here in the order of asking, so
//! that all are asked in one pass.

use super::acls::Said;
use super::objects::Object;
use super::rules::{NONE, Rules};
use super::verdict::{Saying, Verdict};

/// Every object after the one above it. Those in a circle, and below one, are left out: they deny.
#[derive(Debug, Default)]
pub(super) struct Descent {
    steps: Vec<Step>,
    /// Where in `steps` an object is, by its number; [`NONE`] for one that is left out.
    places: Vec<u32>,
}

/// What one object says.
#[derive(Debug, Clone, Copy)]
struct Step {
    object: u32,
    /// Lists that deny who lost everything under it, or [`NONE`].
    lost: u32,
    /// `None` for one of which nothing is stated: it denies.
    saying: Option<Saying>,
}

impl Step {
    fn of(number: u32, object: &Object, rules: &Rules) -> Self {
        let rule = object.stated.and_then(|stated| stated.rule);
        let saying = rule.map(|rule| Saying::from(rules.get(rule)));
        Self { object: number, lost: object.revoked_lists.unwrap_or(NONE), saying }
    }
}

impl Descent {
    pub fn new(objects: &[Object], rules: &Rules) -> Self {
        let mut below = vec![Vec::new(); objects.len()];
        let mut order = Vec::with_capacity(objects.len());
        for (number, object) in (0..).zip(objects) {
            match object.above() {
                Some(above) => below[above as usize].push(number),
                None => order.push(number),
            }
        }
        let mut next = 0;
        while let Some(&number) = order.get(next) {
            order.append(&mut below[number as usize]);
            next += 1;
        }
        let mut places = vec![NONE; objects.len()];
        (0..).zip(&order).for_each(|(place, number)| places[*number as usize] = place);
        let steps = order.iter().map(|number| Step::of(*number, &objects[*number as usize], rules)).collect();
        Self { steps, places }
    }

    /// Takes over what an object says now that stays where it is.
    pub fn restate(&mut self, number: u32, object: &Object, rules: &Rules) {
        let place = self.places.get(number as usize).copied().unwrap_or(NONE);
        if let Some(step) = self.steps.get_mut(place as usize) {
            *step = Step::of(number, object, rules);
        }
    }

    /// What every object says, by number.
    pub fn verdicts(&self, said: &Said) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::Denied; self.places.len()];
        for step in &self.steps {
            let own = step.saying.map_or(Verdict::Denied, |saying| saying.says(said, &verdicts));
            verdicts[step.object as usize] = if said.denied.contains(step.lost) { Verdict::Lost } else { own };
        }
        verdicts
    }
}
