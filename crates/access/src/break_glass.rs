//! An emergency: which rows are there at all, whatever ACLs and labels say?
//!
//! The one way around permissions, and kept apart from all others: a [`BrokenGlass`] is no identity and no
//! [`Permitted`](crate::Permitted), it cannot be cloned, it holds for minutes and for one tenant, and nothing that it
//! opens is remembered. There is none before a [`Witness`] has written down who broke it and why.

use roaring::RoaringBitmap;
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Kind, Result};

use crate::bits::Bits;
use crate::document::Tenant;
use crate::identity::Identity;
use crate::segment::SegmentAccess;
use crate::visible::Visible;

/// For how long the glass stays broken.
const SECONDS: u64 = 900;
/// A reason has so many words at least.
const LEAST_WORDS: usize = 3;

/// Writes down that somebody breaks the glass, where it cannot be taken back.
pub trait Witness {
    /// Returns once it is written.
    ///
    /// # Errors
    /// Whatever keeps it from being written; the glass then stays whole.
    fn write_down(&self, identity: &Identity, reason: &str) -> Result<()>;
}

/// That `identity` may see every document of its tenant for a while, as a witness has written down.
#[derive(Debug)]
pub struct BrokenGlass {
    tenant: Tenant,
    expires_at: Timestamp,
}

impl BrokenGlass {
    /// Breaks the glass, after `witness` has written it down. Whether the identity may do so was checked by the caller.
    ///
    /// # Errors
    /// `Invalid` for a reason of less than three words; `Denied` for an anonymous identity or one that has expired; what
    /// `witness` fails with.
    pub fn witnessed(identity: &Identity, reason: &str, now: Timestamp, witness: &dyn Witness) -> Result<Self> {
        let words = reason.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
        if words < LEAST_WORDS {
            let message = format!("say why, in at least {LEAST_WORDS} words; it is written down");
            return Err(Error::invalid("break glass", message));
        }
        identity.check_expiry(now)?;
        if identity.user().is_none() {
            let message = "somebody who has not signed in cannot be written down";
            return Err(Error::new(Kind::Denied, "break glass", message));
        }
        witness.write_down(identity, reason)?;
        let expires_at = identity.expires_at().min(now.plus_seconds(SECONDS));
        Ok(Self { tenant: identity.tenant().clone(), expires_at })
    }

    /// The tenant whose documents it opens.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether it still holds at `now`.
    ///
    /// # Errors
    /// `Denied` from the moment of its end on.
    pub fn check_expiry(&self, now: Timestamp) -> Result<()> {
        if now >= self.expires_at {
            return Err(Error::new(Kind::Denied, "break glass", "the time is over; break the glass again"));
        }
        Ok(())
    }
}

impl SegmentAccess {
    /// Every row of the segment, whatever permissions say, if it is of the tenant; made anew and never remembered.
    ///
    /// # Errors
    /// `Denied` if the time is over.
    pub fn unsealed(&self, broken: &BrokenGlass, epoch: u64, now: Timestamp) -> Result<Visible> {
        broken.check_expiry(now)?;
        let rows = self.column().rows();
        let mut all = Bits::none(rows as usize);
        if self.column().tenant() == broken.tenant() && rows > 0 {
            all.insert_range(0..rows);
        }
        Ok(Visible::new(epoch, rows, all))
    }

    /// Every document of the segment by ordinal, as [`SegmentAccess::unsealed`] opens them.
    ///
    /// # Errors
    /// As [`SegmentAccess::unsealed`].
    pub fn unsealed_documents(&self, broken: &BrokenGlass, now: Timestamp) -> Result<RoaringBitmap> {
        broken.check_expiry(now)?;
        let same = self.column().tenant() == broken.tenant();
        Ok(if same { (0..self.column().documents() as u32).collect() } else { RoaringBitmap::new() })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use safepassage_error::system::Clock;

    use super::*;
    use crate::document::{Column, DocumentNumber, Version};

    #[derive(Default)]
    struct Book {
        written: Cell<u32>,
        full: bool,
    }

    impl Witness for Book {
        fn write_down(&self, _: &Identity, _: &str) -> Result<()> {
            if self.full {
                return Err(Error::new(Kind::Unavailable, "write down", "the book is full"));
            }
            self.written.set(self.written.get() + 1);
            Ok(())
        }
    }

    const REASON: &str = "auditor needs INC-7";

    #[test]
    fn the_glass_breaks_only_for_somebody_with_a_reason_that_is_written_down() {
        let clock = Clock::fixed(Timestamp(0));
        let book = Book::default();
        let alice = Identity::asserted("alice").ttl_seconds(60).issue(&clock).unwrap();
        let break_as = |who: &Identity, reason: &str| BrokenGlass::witnessed(who, reason, clock.now(), &book);
        for reason in ["", "because", "- - - -", "two words"] {
            assert_eq!(break_as(&alice, reason).unwrap_err().kind(), Kind::Invalid, "{reason}");
        }
        let anonymous = Identity::anonymous().issue(&clock).unwrap();
        assert_eq!(break_as(&anonymous, REASON).unwrap_err().kind(), Kind::Denied);
        assert_eq!(book.written.get(), 0);
        assert_eq!(break_as(&alice, REASON).unwrap().expires_at(), Timestamp(60_000), "not longer than the identity");
        assert_eq!(book.written.get(), 1);
        let full = Book { full: true, ..Book::default() };
        let refused = BrokenGlass::witnessed(&alice, REASON, clock.now(), &full);
        assert_eq!(refused.unwrap_err().kind(), Kind::Unavailable, "no line, no broken glass");
        clock.advance_seconds(60);
        assert_eq!(break_as(&alice, REASON).unwrap_err().kind(), Kind::Denied);
        let lasting = Identity::asserted("alice").ttl_seconds(86_400).issue(&clock).unwrap();
        assert_eq!(break_as(&lasting, REASON).unwrap().expires_at(), clock.now().plus_seconds(SECONDS));
    }

    #[test]
    fn it_opens_every_row_of_its_tenant_and_none_of_another_for_a_while() {
        let clock = Clock::fixed(Timestamp(0));
        let numbers = (0..3).map(DocumentNumber).collect::<Vec<_>>();
        let column = |tenant: &str| {
            let versions = vec![Version(1); 3];
            Column::new(Tenant(tenant.into()), numbers.clone(), versions, vec![0, 30, 64, 70]).unwrap()
        };
        let (own, other) = (SegmentAccess::new(column("acme")), SegmentAccess::new(column("")));
        let alice = Identity::asserted("alice").tenant("acme").issue(&clock).unwrap();
        let broken = BrokenGlass::witnessed(&alice, REASON, clock.now(), &Book::default()).unwrap();
        let rows = own.unsealed(&broken, 4, clock.now()).unwrap();
        assert_eq!((rows.len(), rows.contains(69), rows.contains(70), rows.epoch()), (70, true, false, 4));
        assert_eq!(own.unsealed_documents(&broken, clock.now()).unwrap().len(), 3);
        assert!(other.unsealed(&broken, 4, clock.now()).unwrap().is_empty());
        assert!(other.unsealed_documents(&broken, clock.now()).unwrap().is_empty());
        clock.advance_seconds(SECONDS);
        assert_eq!(own.unsealed(&broken, 4, clock.now()).unwrap_err().kind(), Kind::Denied);
        assert_eq!(own.unsealed_documents(&broken, clock.now()).unwrap_err().kind(), Kind::Denied);
    }
}
