//! Here is a `personas.jsonl`: who asks?
//!
//! `{"_id", "identity": {…}, "must_not_see"?: [ID or FOLDER/]}`, the identity as `--identity FILE` has it.

use std::collections::BTreeSet;
use std::path::Path;

use safepassage::system::Clock;
use safepassage::{Identity, Result, identity_from_json};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lines::each_object;

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Persona {
    /// Its name.
    pub id: String,
    /// Documents it must not be given, whatever the index permits; `FOLDER/` stands for all under it.
    pub must_not_see: Vec<String>,
    who: Who,
}

#[derive(Debug, Clone)]
enum Who {
    /// Issued anew whenever it is needed, so that a long evaluation does not outlive it.
    Described(String),
    Given(Identity),
}

impl Persona {
    /// Somebody whom the caller has authenticated.
    #[must_use]
    pub fn given(id: impl Into<String>, identity: Identity) -> Self {
        Self { id: id.into(), must_not_see: Vec::new(), who: Who::Given(identity) }
    }

    /// Somebody by an identity as JSON, as `--identity FILE` has it.
    #[must_use]
    pub fn described(id: impl Into<String>, identity: impl Into<String>) -> Self {
        Self { id: id.into(), must_not_see: Vec::new(), who: Who::Described(identity.into()) }
    }

    /// Its identity, from now on.
    ///
    /// # Errors
    /// `Invalid` if what describes it is no identity; `Denied` if it has expired.
    pub fn identity(&self, clock: &Clock) -> Result<Identity> {
        match &self.who {
            Who::Given(identity) => identity.check_expiry(clock.now()).map(|()| identity.clone()),
            Who::Described(json) => identity_from_json(json.as_bytes(), clock).map_err(|e| e.with("persona", &self.id)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "_id")]
    id: String,
    identity: Map<String, Value>,
    #[serde(default)]
    must_not_see: Vec<String>,
}

/// Reads the personas of a file.
///
/// # Errors
/// `NotFound`; `Invalid`, naming file and line, for one that is not understood or a name that stands twice.
pub fn read_personas(file: &Path) -> Result<Vec<Persona>> {
    let (mut personas, mut ids) = (Vec::new(), BTreeSet::new());
    each_object(file, &mut |place, line: Line| {
        let Line { id, identity, must_not_see } = line;
        if !ids.insert(id.clone()) {
            return Err(place.invalid(format!("the persona `{id}` stands twice")));
        }
        personas.push(Persona { must_not_see, ..Persona::described(id, Value::Object(identity).to_string()) });
        Ok(())
    })?;
    Ok(personas)
}
