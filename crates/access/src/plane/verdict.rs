//! What do an ACL and what it inherits say of somebody, taken together?

use super::acls::Said;
use super::rules::{NONE, Rule};
use crate::acl::Inherit;

/// What is said of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Nothing,
    Allowed,
    Denied,
    /// Denied, and nothing below can override it.
    Lost,
}

const VERDICTS: [Verdict; 4] = [Verdict::Nothing, Verdict::Allowed, Verdict::Denied, Verdict::Lost];
const INHERITS: [Inherit; 4] =
    [Inherit::DenyWins, Inherit::ChildOverrides, Inherit::ParentOverrides, Inherit::BothPermit];

/// [`combined`] of every child, parent and way to inherit: asked for every rule there is, so it must not branch.
const UNDER: [[[Verdict; 4]; 4]; 4] = {
    let mut table = [[[Verdict::Lost; 4]; 4]; 4];
    let (mut child, mut parent, mut inherit) = (0, 0, 0);
    while child < 4 {
        while parent < 4 {
            while inherit < 4 {
                let combined = combined(VERDICTS[child], VERDICTS[parent], INHERITS[inherit]);
                table[INHERITS[inherit] as usize][VERDICTS[child] as usize][VERDICTS[parent] as usize] = combined;
                inherit += 1;
            }
            (parent, inherit) = (parent + 1, 0);
        }
        (child, parent) = (child + 1, 0);
    }
    table
};

/// What a child says becomes together with what its parent says.
const fn combined(child: Verdict, parent: Verdict, inherit: Inherit) -> Verdict {
    use Verdict::*;
    match (child, parent, inherit) {
        (Lost, _, _) | (_, Lost, _) => Lost,
        (Allowed, Allowed, Inherit::BothPermit) => Allowed,
        (_, _, Inherit::BothPermit) => Denied,
        (Nothing, other, Inherit::ChildOverrides) => other,
        (said, _, Inherit::ChildOverrides) => said,
        (other, Nothing, Inherit::ParentOverrides) => other,
        (_, said, Inherit::ParentOverrides) => said,
        (Denied, _, Inherit::DenyWins) | (_, Denied, Inherit::DenyWins) => Denied,
        (Allowed, _, Inherit::DenyWins) | (_, Allowed, Inherit::DenyWins) => Allowed,
        (Nothing, Nothing, Inherit::DenyWins) => Nothing,
    }
}

impl Verdict {
    /// What a child says becomes together with what its parent says.
    #[inline]
    pub fn under(self, parent: Self, inherit: Inherit) -> Self {
        UNDER[inherit as usize][self as usize][parent as usize]
    }
}

/// The part of a rule that says something of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saying {
    lists: u32,
    revoked: u32,
    parent: u32,
    inherit: Inherit,
}

impl From<Rule> for Saying {
    #[inline]
    fn from(Rule { lists, revoked, parent, inherit, .. }: Rule) -> Self {
        Self { lists, revoked, parent, inherit }
    }
}

impl Saying {
    /// What it says of somebody of whom the lists say `said` and the objects, by number, what is in `objects`.
    #[inline]
    pub fn says(self, said: &Said, objects: &[Verdict]) -> Verdict {
        if said.denied.contains(self.revoked) {
            return Verdict::Lost;
        }
        // Nobody is both allowed and denied: a number of 0 to 2.
        let own = usize::from(said.allowed.contains(self.lists)) + 2 * usize::from(said.denied.contains(self.lists));
        let own = VERDICTS[own];
        if self.parent == NONE {
            return own;
        }
        own.under(objects.get(self.parent as usize).copied().unwrap_or(Verdict::Denied), self.inherit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_rule_says() {
        for (child, parent) in VERDICTS.iter().flat_map(|child| VERDICTS.map(|parent| (*child, parent))) {
            for inherit in INHERITS {
                assert_eq!(child.under(parent, inherit), combined(child, parent, inherit));
            }
        }
        assert_eq!(Verdict::Allowed.under(Verdict::Denied, Inherit::ChildOverrides), Verdict::Allowed);
        assert_eq!(Verdict::Allowed.under(Verdict::Denied, Inherit::ParentOverrides), Verdict::Denied);
        assert_eq!(Verdict::Allowed.under(Verdict::Nothing, Inherit::BothPermit), Verdict::Denied);
        assert_eq!(Verdict::Nothing.under(Verdict::Allowed, Inherit::DenyWins), Verdict::Allowed);
    }
}
