//! Here is a file: what does it ask, and can that be asked?

use std::collections::BTreeMap;
use std::path::Path;

use safepassage::{Error, Kind, Result};
use serde::Deserialize;

use super::{Bounds, COUNTS, Drop, Gate};
use crate::collection::Collection;
use crate::evaluate::Run;
use crate::measure::Measure;
use crate::summary::BANDS;

/// A gate as it is written. A name that is none of these is a measure.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    personas: BTreeMap<String, BTreeMap<String, Bounds>>,
    #[serde(default)]
    bands: BTreeMap<String, BTreeMap<String, Bounds>>,
    #[serde(default)]
    against: BTreeMap<String, Drop>,
    #[serde(flatten)]
    everybody: BTreeMap<String, Bounds>,
}

impl Gate {
    /// Reads a gate: TOML if the file's name ends so, JSON otherwise.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it is not understood.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Invalid };
            Error::new(kind, "read gate", e.to_string()).with("file", file.display())
        })?;
        let toml = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let read = if toml { Self::from_toml(&text) } else { Self::from_json(&text) };
        read.map_err(|e| e.with("file", file.display()))
    }

    /// Reads a gate from JSON.
    ///
    /// # Errors
    /// `Invalid` if it is not understood.
    pub fn from_json(text: &str) -> Result<Self> {
        let written = serde_json::from_str(text).map_err(|e| Error::invalid("read gate", e.to_string()))?;
        Self::of(written)
    }

    /// Reads a gate from TOML.
    ///
    /// # Errors
    /// `Invalid` if it is not understood.
    pub fn from_toml(text: &str) -> Result<Self> {
        let written = toml::from_str(text).map_err(|e| Error::invalid("read gate", e.message()))?;
        Self::of(written)
    }

    fn of(written: Written) -> Result<Self> {
        let Written { personas, bands, against, everybody } = written;
        let gate = Self { everybody, personas, bands, against };
        let all = gate.personas.values().chain(gate.bands.values()).chain([&gate.everybody]).flatten();
        for (name, bounds) in all {
            let numbers = [bounds.min, bounds.max];
            if numbers.iter().all(Option::is_none) {
                return Err(Error::invalid("read gate", format!("`{name}` has neither `min` nor `max`")));
            }
            if numbers.into_iter().flatten().any(f64::is_nan) {
                return Err(Error::invalid("read gate", format!("a bound of `{name}` is no number")));
            }
        }
        if let Some((name, _)) = gate.against.iter().find(|(_, drop)| drop.max_drop.is_nan()) {
            return Err(Error::invalid("read gate", format!("`max_drop` of `{name}` is no number")));
        }
        if let Some(band) = gate.bands.keys().find(|band| BANDS.iter().all(|(name, _)| name != band)) {
            let names = BANDS.map(|(name, _)| format!("`{name}`")).join(", ");
            return Err(Error::invalid("read gate", format!("`{band}` is no band of selectivity; there are {names}")));
        }
        Ok(gate)
    }

    /// Whether everything it asks will be measured by `run` on `collection`.
    ///
    /// # Errors
    /// `Invalid`, naming the first measure or persona that is not known.
    pub fn check(&self, run: &Run, collection: &Collection, compared: bool) -> Result<()> {
        let measured: Vec<String> = run.measures().map(|(measure, k)| format!("{}@{k}", measure.name())).collect();
        let unknown = |name: &String, counts: &[&str]| {
            if measured.contains(name) || counts.contains(&name.as_str()) {
                return Ok(());
            }
            let kind = name.split_once('@').filter(|(kind, _)| Measure::ALL.iter().any(|m| m.name() == *kind));
            let message = match kind {
                Some((_, k)) => format!("`{name}` is not measured; ask for it with -k {k}"),
                None => {
                    format!("there is no measure `{name}`; there are {} and {}", measured.join(", "), counts.join(", "))
                }
            };
            Err(Error::invalid("read gate", message))
        };
        let all = self.personas.values().chain(self.bands.values()).chain([&self.everybody]).flatten();
        all.map(|(name, _)| name).try_for_each(|name| unknown(name, &COUNTS))?;
        self.against.keys().try_for_each(|name| unknown(name, &[]))?;
        if self.compares() && !compared {
            let message = "the gate asks for a comparison; say with what: --against INDEX, or --against-recall R";
            return Err(Error::invalid("read gate", message));
        }
        let known = |id: &String| id == "*" || collection.personas.iter().any(|persona| persona.id == *id);
        match self.personas.keys().find(|id| !known(id)) {
            Some(id) => {
                Err(Error::invalid("read gate", format!("the gate speaks of the persona `{id}`, who does not ask")))
            }
            None => Ok(()),
        }
    }
}
