//! Here is a folder or a file: which questions are in it, what should be found, and who asks?
//!
//! In go a BEIR folder (`corpus.jsonl` is not read: it is in the index), or a file or folder of questions; out comes a
//! [`Collection`]. Every fault is an error that names file and line: a judgement that is not understood would change the
//! figures in silence.

mod beir;
mod lines;
mod persona;
mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use safepassage::{Error, Kind, Result};

pub use persona::{Persona, read_personas};

/// A question with what is known of its answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// Unlike that of any other question.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The documents that answer it, by grade: 1 is relevant, more is more so.
    pub expected: BTreeMap<String, u32>,
    /// Only asked by this persona.
    pub persona: Option<String>,
    /// Whether nothing in the collection answers it.
    pub unanswerable: bool,
    /// Documents that whoever asks must not be given; `FOLDER/` stands for all under it.
    pub must_not_see: Vec<String>,
}

/// Questions and who asks them.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    /// For people: the name of the folder or file.
    pub name: String,
    /// Which judgements, where there are several.
    pub split: Option<String>,
    /// In the order of the file.
    pub questions: Vec<Question>,
    /// In the order of the file; empty if none are beside the questions.
    pub personas: Vec<Persona>,
}

impl Collection {
    /// Reads what is at `path`: a BEIR folder with the judgements `split` (`test` unless said), a folder with a
    /// `questions.jsonl`, or such a file. Personas come from `personas.jsonl` beside it, if it is there.
    ///
    /// # Errors
    /// `NotFound` if there is nothing; `Invalid`, naming file and line, for anything that cannot be understood.
    pub fn read(path: &Path, split: Option<&str>) -> Result<Self> {
        let found = std::fs::metadata(path).map_err(|e| {
            let kind = if e.kind() == std::io::ErrorKind::NotFound { Kind::NotFound } else { Kind::Unavailable };
            Error::new(kind, "read questions", e.to_string()).with("path", path.display())
        })?;
        let folder = if found.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let own = folder.join("questions.jsonl");
        let beir = folder.join("queries.jsonl");
        let is_beir = found.is_dir() && beir.is_file() && !own.is_file();
        if split.is_some() && !is_beir {
            let message = "only the judgements of a BEIR folder have splits";
            return Err(Error::invalid("read questions", message).with("path", path.display()));
        }
        let mut collection = Self { name: name_of(path), ..Self::default() };
        if is_beir {
            let split = split.unwrap_or("test");
            collection.questions = beir::read(path, split)?;
            collection.split = Some(split.to_owned());
        } else if found.is_dir() && !own.is_file() {
            let message = "the folder has neither `questions.jsonl` nor, as BEIR folders have, `queries.jsonl`";
            return Err(Error::invalid("read questions", message).with("path", path.display()));
        } else {
            collection.questions = questions::read(if found.is_dir() { &own } else { path })?;
        }
        let personas = folder.join("personas.jsonl");
        if personas.is_file() {
            collection.personas = read_personas(&personas)?;
        }
        collection.check()?;
        Ok(collection)
    }

    /// Whether there is a question, and no id stands twice.
    fn check(&self) -> Result<()> {
        if self.questions.is_empty() {
            return Err(Error::invalid("read questions", format!("`{}` has no questions", self.name)));
        }
        let mut ids = BTreeSet::new();
        match self.questions.iter().find(|question| !ids.insert(&question.id)) {
            None => Ok(()),
            Some(twice) => Err(Error::invalid("read questions", format!("the question `{}` stands twice", twice.id))),
        }
    }

    /// Whether every persona that a question names is among those who ask.
    ///
    /// # Errors
    /// `Invalid`, naming the first that is not.
    pub fn check_personas(&self) -> Result<()> {
        for question in &self.questions {
            if let Some(named) =
                question.persona.as_deref().filter(|named| self.personas.iter().all(|p| p.id != *named))
            {
                let message =
                    format!("the question `{}` is asked by the persona `{named}`, whom nobody described", question.id);
                return Err(Error::invalid("read questions", message));
            }
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    whole.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Whether `document` is `rule`, or under it if it ends in `/`.
pub(crate) fn is_meant(rule: &str, document: &str) -> bool {
    document == rule || (rule.ends_with('/') && (rule == "./" || document.starts_with(rule)))
}

#[cfg(test)]
mod tests;
