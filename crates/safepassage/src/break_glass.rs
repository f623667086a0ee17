//! An emergency: let somebody see every document of a tenant, for a quarter of an hour, and write down all they see.
//!
//! A [`BreakGlass`] is no [`Session`](crate::Session) and nothing makes one of the other. It needs a secret of which the
//! index stores only a digest, a reason, and an audit log that takes a line before and a line for every answer; nothing
//! of it is remembered.

use std::sync::Arc;

use safepassage_access::{BrokenGlass, Identity, Witness};
use safepassage_audit::{AuditLog, Entry, Secret, SecretDigest};
use safepassage_error::system::Timestamp;
use safepassage_error::{Error, Result};
use safepassage_index::{Snapshot, VisibleRows};

use crate::decision::{Question, entry_of, note_hits, note_question, outcome, refused};
use crate::engine::Engine;
use crate::hits::{Results, VectorHits};
use crate::payer::Payer;
use crate::search::{MOST_MODELS, changes_too_fast};
use crate::session::{DEFAULT_RECALL, Visible};

/// An engine with broken glass: every document of one tenant, labels and denies notwithstanding. Every call is written
/// down with what it gives, and fails if it cannot be.
#[derive(Debug)]
pub struct BreakGlass {
    engine: Engine,
    identity: Identity,
    reason: String,
    broken: BrokenGlass,
    /// Of the secret it was broken with; another one, or none, ends it.
    secret: SecretDigest,
}

/// Writes into the audit log that the glass is broken.
struct InLog<'a>(&'a AuditLog);

impl Witness for InLog<'_> {
    fn write_down(&self, identity: &Identity, reason: &str) -> Result<()> {
        let entry = Entry { reason: Some(reason.to_owned()), ..entry_of(identity, "break_glass", "ok") };
        self.0.append(vec![entry]).map(drop)
    }
}

impl Engine {
    /// Makes a secret that breaks the glass, in place of any before. It is shown here once: the index stores a digest.
    ///
    /// # Errors
    /// `Invalid` if the index does not lie in a local folder; `Unavailable`, `Corrupted` if it cannot be written down.
    pub fn enable_break_glass(&self) -> Result<Secret> {
        self.audit()?;
        let (secret, digest) = Secret::make()?;
        self.change_break_glass("break_glass_enabled", Some(digest))?;
        Ok(secret)
    }

    /// Lets no secret break the glass any more; whoever has broken it sees nothing from now on.
    ///
    /// # Errors
    /// As [`Engine::enable_break_glass`].
    pub fn disable_break_glass(&self) -> Result<()> {
        self.audit()?;
        self.change_break_glass("break_glass_disabled", None)
    }

    fn change_break_glass(&self, action: &str, digest: Option<SecretDigest>) -> Result<()> {
        let Some(log) = self.audit_log() else { return Err(refused()) };
        let changed = log.change(Entry::new(action, "ok"), |standing, _| {
            standing.break_glass = digest;
            Ok(())
        });
        changed.map(drop)
    }

    /// Breaks the glass for `identity`, in its tenant, for fifteen minutes or until the identity expires. Every attempt is
    /// written down.
    ///
    /// # Errors
    /// `Denied` for a wrong secret, and just so if none is enabled; `Denied` for an identity that is anonymous or has
    /// expired; `Invalid` for a reason of less than three words; `Unavailable`, `Corrupted` if it cannot be written down.
    pub fn break_glass(&self, secret: &Secret, identity: Identity, reason: &str) -> Result<BreakGlass> {
        let log = self.audit_log().ok_or_else(refused)?;
        let standing = log.standing()?;
        let stored = standing.as_ref().and_then(|standing| standing.break_glass.as_ref());
        let not_broken = |error: Error, verdict: Option<&str>| {
            let reason = Some(reason.to_owned());
            let entry = entry_of(&identity, "break_glass", error.kind().name());
            let entry = Entry { reason, verdict: verdict.map(str::to_owned), ..entry };
            log.append(vec![entry]).map_or_else(|refusal| refusal, |_| error)
        };
        if !secret.opens(stored) {
            let verdict = if stored.is_some() { "wrong secret" } else { "not enabled" };
            return Err(not_broken(refused(), Some(verdict)));
        }
        let Some(secret) = stored.cloned() else { return Err(refused()) };
        let broken = BrokenGlass::witnessed(&identity, reason, self.clock().now(), &InLog(log));
        match broken {
            Ok(broken) => Ok(BreakGlass { engine: self.clone(), identity, reason: reason.to_owned(), broken, secret }),
            Err(error) => Err(not_broken(error, None)),
        }
    }
}

impl BreakGlass {
    /// Who broke it.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When it ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.broken.expires_at()
    }

    /// The `k` passages of the tenant that answer `text` best.
    ///
    /// # Errors
    /// `Denied` when the time is over or the secret is not enabled any more; `Invalid` for an empty question or an index
    /// without a model; `Unavailable`, `Corrupted`, also if the answer cannot be written down.
    pub fn search(&self, text: &str, k: usize) -> Result<Results> {
        self.find(text, k)?.results()
    }

    /// As [`BreakGlass::search`], without reading the passages yet.
    ///
    /// # Errors
    /// As [`BreakGlass::search`].
    pub fn find(&self, text: &str, k: usize) -> Result<VectorHits> {
        let found = self.answered(text, k);
        self.written("break_glass_search", found, |log, texts, entry, found| {
            entry.k = Some(k as u64);
            note_question(log, texts, entry, Question::Text(text))?;
            found.into_iter().for_each(|found| note_hits(entry, found));
            Ok(())
        })
    }

    /// The `k` passages of the tenant nearest to `vector`.
    ///
    /// # Errors
    /// As [`BreakGlass::search`], and `Invalid` for another dimension, a vector that is zero or not finite, or a recall
    /// outside 0 to 1.
    pub fn search_vector(&self, vector: &[f32], k: usize, recall: Option<f32>) -> Result<VectorHits> {
        let found = self.nearest(vector, k, recall);
        self.written("break_glass_search_vector", found, |log, texts, entry, found| {
            entry.k = Some(k as u64);
            note_question(log, texts, entry, Question::Vector(vector))?;
            found.into_iter().for_each(|found| note_hits(entry, found));
            Ok(())
        })
    }

    /// The ids of all documents of the tenant.
    ///
    /// # Errors
    /// As [`BreakGlass::search`].
    pub fn visible(&self) -> Result<Visible> {
        let listed = self.listed();
        let written = self.written("break_glass_visible", listed, |_, _, entry, listed| {
            if let Some((visible, generation, acl_epoch)) = listed {
                entry.give_all(visible.documents.iter().map(String::as_str));
                (entry.generation, entry.acl_epoch) = (Some(*generation), Some(*acl_epoch));
            }
            Ok(())
        });
        Ok(written?.0)
    }

    /// Whether the secret it was broken with is still the one that is enabled.
    fn check_secret(&self) -> Result<()> {
        let standing = self.engine.audit_log().map(AuditLog::standing).transpose()?.flatten();
        let stored = standing.as_ref().and_then(|standing| standing.break_glass.as_ref());
        if stored == Some(&self.secret) { Ok(()) } else { Err(refused()) }
    }

    /// The answer of content of the model that the question was embedded by.
    fn answered(&self, text: &str, k: usize) -> Result<VectorHits> {
        for _ in 0..MOST_MODELS {
            let before = self.engine.index().snapshot()?;
            let settings = &before.manifest().settings;
            let payer = Payer::of_search(&self.engine, &self.identity);
            let vector = self.engine.embed_question(text, &self.identity, settings, &payer)?;
            let (snapshot, rows) = self.unsealed()?;
            if snapshot.manifest().settings.same_model(settings) {
                let answer = snapshot.search(&rows, &vector, k, DEFAULT_RECALL)?;
                return VectorHits::new(&self.engine, snapshot, answer, self.expires_at());
            }
        }
        Err(changes_too_fast())
    }

    fn nearest(&self, vector: &[f32], k: usize, recall: Option<f32>) -> Result<VectorHits> {
        let (snapshot, rows) = self.unsealed()?;
        let answer = snapshot.search(&rows, vector, k, recall.unwrap_or(DEFAULT_RECALL))?;
        VectorHits::new(&self.engine, snapshot, answer, self.expires_at())
    }

    fn unsealed(&self) -> Result<(Arc<Snapshot>, VisibleRows)> {
        self.check_secret()?;
        let (index, now) = (self.engine.index(), self.engine.clock().now());
        let snapshot = index.snapshot()?;
        let rows = index.with_plane(|plane| snapshot.unsealed(&self.broken, plane.epoch(), now))?;
        Ok((snapshot, rows))
    }

    fn listed(&self) -> Result<(Visible, u64, u64)> {
        self.check_secret()?;
        let (index, now) = (self.engine.index(), self.engine.clock().now());
        let snapshot = index.snapshot()?;
        let acl_epoch = index.with_plane(|plane| Ok(plane.epoch()))?;
        let documents = snapshot.unsealed_documents(&self.broken, now)?;
        Ok((Visible { count: documents.len(), documents }, snapshot.generation(), acl_epoch))
    }

    /// Gives `result` out once it is written down, whether or not decisions are.
    fn written<T>(
        &self,
        action: &str,
        result: Result<T>,
        note: impl FnOnce(&AuditLog, bool, &mut Entry, Option<&T>) -> Result<()>,
    ) -> Result<T> {
        let log = self.engine.audit_log().ok_or_else(refused)?;
        let texts = log.settings()?.texts;
        let mut entry = entry_of(&self.identity, action, outcome(&result));
        entry.reason = Some(self.reason.clone());
        note(log, texts, &mut entry, result.as_ref().ok())?;
        log.append(vec![entry])?;
        result
    }
}
