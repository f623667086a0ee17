//! Do two indexes say the same, however they came to it?
//!
//! SHA-256 of what the index is (model, chunker, labels, fields), of every live document (title, place, metadata, passages
//! with spans, headings and pages, vectors bit by bit, and who may read it), of every ACL object and of the policies. What
//! depends on how it came about is no part of it: numbers of documents, generations and epochs, segments and their graphs,
//! tombstones, which source brought a document, revocations of documents that are gone, logs.
//!
//! The digests of the parts are added as numbers of 256 bits, so that no order matters and one document is in memory at
//! once. That tells any two indexes apart that came about by themselves; it is no proof against somebody who makes up
//! documents until the sums agree. It tells nothing of what is in the index but whether something is the same.

use safepassage_access::{AccessPlane, Binding, Tenant};
use safepassage_error::{Error, Kind, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::index::Index;
use crate::manifest::Settings;
use crate::segment::{NewChunk, NewDocument};

const OPERATION: &str = "digest index";
/// Goes with what is digested and how.
const FORMAT: &str = "safepassage logical content 1";

/// Digests of parts, in whatever order they come.
#[derive(Default)]
struct Sum {
    parts: u64,
    sum: [u64; 4],
}

impl Sum {
    fn add(&mut self, part: Sha256) {
        let mut carry = false;
        for (number, bytes) in self.sum.iter_mut().zip(part.finalize().chunks_exact(8)) {
            let more = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            let (sum, over) = number.overflowing_add(more);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*number, carry) = (sum, over || over_again);
        }
        self.parts += 1;
    }
}

/// One part, of what it is and its fields.
fn part(kind: &str) -> Sha256 {
    let mut part = Sha256::new();
    put(&mut part, Some(kind));
    part
}

/// A text or its absence, so that no two ways of cutting are the same.
fn put(part: &mut Sha256, text: Option<&str>) {
    part.update([u8::from(text.is_some())]);
    number(part, text.map_or(0, str::len) as u64);
    part.update(text.unwrap_or_default());
}

fn number(part: &mut Sha256, number: u64) {
    part.update(number.to_le_bytes());
}

fn json(part: &mut Sha256, value: &impl Serialize) -> Result<()> {
    let failed = |e| Error::new(Kind::Internal, OPERATION, "something is no JSON").because(e);
    let mut value = serde_json::to_value(value).map_err(failed)?;
    value.sort_all_objects();
    put(part, Some(&value.to_string()));
    Ok(())
}

impl Index {
    /// A digest of the logical content of the newest generation under the permissions in force, 64 hexadecimal digits: equal
    /// where everything that can be asked of two indexes is. Reads every segment; O(one document) of memory.
    ///
    /// # Errors
    /// `Conflict` if permissions change meanwhile; `Corrupted`, `Unavailable`.
    pub fn digest(&self) -> Result<String> {
        let snapshot = self.snapshot()?;
        let mut sum = Sum::default();
        let epoch = self.with_plane(|plane| {
            sum.add(of_index(&snapshot.manifest().settings, plane)?);
            for (tenant, object) in plane.all_objects() {
                let acl = object.statement.and_then(|statement| statement.acl);
                // One that was only ever named, or removed, denies like one that there never was.
                if acl.is_none() && object.revoked.is_empty() {
                    continue;
                }
                let mut part = part("object");
                put(&mut part, Some(&tenant.0));
                put(&mut part, Some(&object.name));
                json(&mut part, &acl)?;
                json(&mut part, &object.revoked)?;
                sum.add(part);
            }
            Ok(plane.epoch())
        })?;
        for (s, live) in snapshot.segments().iter().enumerate() {
            snapshot.rewrite(s, &mut |document| {
                let said = self.with_known_plane(|plane| {
                    if plane.epoch() != epoch {
                        return Err(Error::new(Kind::Conflict, OPERATION, "permissions changed meanwhile; try again"));
                    }
                    of_permissions(plane, &document)
                })?;
                let mut part = of_document(&live.segment.tenant, &document)?;
                part.update(said.finalize());
                sum.add(part);
                Ok(())
            })?;
        }
        let mut whole = part(FORMAT);
        number(&mut whole, sum.parts);
        sum.sum.iter().for_each(|part| number(&mut whole, *part));
        Ok(whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn of_index(settings: &Settings, plane: &AccessPlane) -> Result<Sha256> {
    // Where the model is found again is a hint.
    let Settings { dim, model, embedder: _, chunker, metric, precision, language, fields } = settings;
    let mut part = part("index");
    number(&mut part, *dim as u64);
    json(&mut part, &(model, chunker, metric, precision, language, fields))?;
    json(&mut part, &(plane.labels(), plane.max_age_ms(), plane.policies()))?;
    Ok(part)
}

fn of_document(tenant: &Tenant, document: &NewDocument) -> Result<Sha256> {
    let NewDocument { number: _, version, id, source: _, title, uri, metadata, chunks, vectors } = document;
    let mut part = part("document");
    put(&mut part, Some(&tenant.0));
    put(&mut part, Some(id));
    part.update(version.0.to_le_bytes());
    [title, uri, metadata].into_iter().for_each(|text| put(&mut part, text.as_deref()));
    number(&mut part, chunks.len() as u64);
    for NewChunk { ordinal, text, span, heading, hash, section, page, parent } in chunks {
        number(&mut part, u64::from(*ordinal));
        put(&mut part, Some(text));
        number(&mut part, span.0);
        number(&mut part, span.1);
        put(&mut part, Some(heading));
        part.update(hash.to_le_bytes());
        number(&mut part, u64::from(*section));
        for absent_or in [page, parent] {
            number(&mut part, absent_or.map_or(0, |number| u64::from(number) + 1));
        }
    }
    let numbers = vectors.numbers()?;
    number(&mut part, numbers.len() as u64);
    numbers.iter().for_each(|number| part.update(number.to_bits().to_le_bytes()));
    Ok(part)
}

/// What is in force of `document`: what was stated of its version and of later ones, since an older one must pass both.
fn of_permissions(plane: &AccessPlane, document: &NewDocument) -> Result<Sha256> {
    let mut part = part("permissions");
    let Some(access) = plane.document(document.number) else { return Ok(part) };
    let binding = |binding: &Binding| binding.version == document.version;
    for binding in access.bindings.iter().skip_while(|one| !binding(one)) {
        // Who stated it, and what a source said beside, is in force for nobody.
        let Binding { version, acl, label, source_acl: _, origin: _, attributes, sections, derived_from } = binding;
        json(&mut part, &(version, acl, label, attributes, sections))?;
        number(&mut part, derived_from.len() as u64);
        for input in derived_from {
            put(&mut part, plane.id(input.number));
            part.update(input.version.0.to_le_bytes());
        }
    }
    json(&mut part, &access.revoked)?;
    Ok(part)
}
