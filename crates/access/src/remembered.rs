//! What was found out for the identities seen lately, within a budget of bytes.
//!
//! Keyed by identity digest and epoch; another epoch forgets everything. When the budget is spent, what was not asked
//! for since the last round is first made smaller, if it can be, and in the next round forgotten.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;

use crate::identity::IdentityDigest;

/// What one entry costs beside its value.
const ENTRY_BYTES: usize = 192;

/// Something that can be remembered; cloning it costs next to nothing.
pub(crate) trait Remember: Clone + Debug {
    /// How many bytes it holds; may grow while it is remembered.
    fn bytes(&self) -> usize;

    /// The same in a form that is much smaller and slower to use, if there is one.
    fn at_rest(&self) -> Option<Self>;
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    bytes: usize,
    asked_for: bool,
}

/// Values by identity at one epoch.
#[derive(Debug)]
pub(crate) struct Remembered<V> {
    budget_bytes: usize,
    spent_bytes: usize,
    epoch: u64,
    slots: HashMap<IdentityDigest, Slot<V>>,
    /// Every key once; the front is looked at next.
    round: VecDeque<IdentityDigest>,
}

impl<V: Remember> Remembered<V> {
    pub fn within(budget_bytes: usize) -> Self {
        Self { budget_bytes, spent_bytes: 0, epoch: 0, slots: HashMap::new(), round: VecDeque::new() }
    }

    pub fn forget(&mut self) {
        self.slots.clear();
        self.round.clear();
        self.spent_bytes = 0;
    }

    pub fn get(&mut self, digest: &IdentityDigest, epoch: u64) -> Option<V> {
        if epoch != self.epoch {
            return None;
        }
        let slot = self.slots.get_mut(digest)?;
        slot.asked_for = true;
        let bytes = slot.value.bytes() + ENTRY_BYTES;
        self.spent_bytes += bytes - slot.bytes;
        slot.bytes = bytes;
        Some(slot.value.clone())
    }

    pub fn put(&mut self, digest: IdentityDigest, epoch: u64, value: V) {
        if epoch != self.epoch {
            self.forget();
            self.epoch = epoch;
        }
        let bytes = value.bytes() + ENTRY_BYTES;
        match self.slots.insert(digest, Slot { value, bytes, asked_for: false }) {
            Some(replaced) => self.spent_bytes -= replaced.bytes,
            None => self.round.push_back(digest),
        }
        self.spent_bytes += bytes;
        while self.spent_bytes > self.budget_bytes && self.make_room() {}
    }

    /// Looks at one entry: spares it once if it was asked for, else makes it smaller, else forgets it.
    fn make_room(&mut self) -> bool {
        let Some(digest) = self.round.pop_front() else { return false };
        let Some(slot) = self.slots.get_mut(&digest) else { return true };
        if std::mem::take(&mut slot.asked_for) {
            self.round.push_back(digest);
            return true;
        }
        self.spent_bytes -= slot.bytes;
        if let Some(smaller) = slot.value.at_rest() {
            slot.bytes = smaller.bytes() + ENTRY_BYTES;
            slot.value = smaller;
            self.spent_bytes += slot.bytes;
            self.round.push_back(digest);
        } else {
            self.slots.remove(&digest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Weight(usize);

    impl Remember for Weight {
        fn bytes(&self) -> usize {
            self.0
        }

        fn at_rest(&self) -> Option<Self> {
            (self.0 == 1000).then_some(Self(10))
        }
    }

    fn key(i: u8) -> IdentityDigest {
        IdentityDigest([i; 32])
    }

    #[test]
    fn what_was_asked_for_stays_longest() {
        let mut remembered = Remembered::within(3 * (1000 + ENTRY_BYTES));
        (0..3).for_each(|i| remembered.put(key(i), 1, Weight(1000)));
        assert_eq!(remembered.get(&key(0), 1), Some(Weight(1000)));
        remembered.put(key(3), 1, Weight(2000));
        assert_eq!(remembered.get(&key(0), 1), Some(Weight(1000)), "it was asked for");
        assert_eq!(remembered.get(&key(1), 1), Some(Weight(10)), "it went to rest");
        assert_eq!(remembered.get(&key(3), 1), None, "it could not go to rest and was not asked for");
    }

    #[test]
    fn the_budget_holds_and_another_epoch_forgets() {
        let mut remembered = Remembered::within(5000);
        for i in 0..200 {
            remembered.put(key(i), 1, Weight(900 + usize::from(i)));
            remembered.get(&key(i / 2), 1);
            let held: usize = remembered.slots.values().map(|slot| slot.bytes).sum();
            assert_eq!(held, remembered.spent_bytes);
            assert_eq!(remembered.round.len(), remembered.slots.len());
            assert!(held <= 5000);
        }
        remembered.put(key(9), 1, Weight(5));
        assert_eq!(remembered.get(&key(9), 2), None);
        remembered.put(key(8), 2, Weight(6));
        assert_eq!((remembered.get(&key(9), 2), remembered.get(&key(8), 2)), (None, Some(Weight(6))));
        assert_eq!(remembered.get(&key(8), 1), None);
    }
}
