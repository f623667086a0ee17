//! What happened, and who was given what?

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::settings::Standing;

/// So many ids are written out of an answer; of longer ones the rest is in the digest alone.
const MOST_DOCUMENTS: usize = 10_000;

/// One decision, or one change to what is decided by. What is not known is left out of the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// What was done: `search`, `visible`, `acl_revoke`, `break_glass` and others; readers expect names they do not know.
    pub action: String,
    /// The tenant it was about; the empty name is the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who vouched for the asker; the local issuer if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Who asked; nobody who had signed in if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The digest of everything in the identity that a permission can depend on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The epoch of the permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_epoch: Option<u64>,
    /// The generation of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// That it is a generation of the candidate of the index, which counts its own; left out for the index itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<bool>,
    /// Ids of the documents that were given out or changed, in the order of the answer, each once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<Vec<String>>,
    /// How many there were, if not all are written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents_count: Option<u64>,
    /// The SHA-256 of all of them, each with a line feed behind it, if not all are written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents_sha256: Option<Digest>,
    /// How the answer was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// How many passages were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u64>,
    /// How many passages were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// `ok`, `begun`, or the kind of the error.
    pub outcome: String,
    /// What the asker is not told: `forbidden` or `absent`, `wrong secret` or `not enabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Why, in the words of whoever did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Which answer of a model it is about: its name in the ledger too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Whose permission was changed, and to what; of an answer, by which model and template, and how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The salted SHA-256 of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_sha256: Option<Digest>,
    /// The question, only while the log is told to keep texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The salted SHA-256 of the filter that narrowed the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_sha256: Option<Digest>,
    /// The filter, only while the log is told to keep texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The field whose values were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Bytes before this line that are not part of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aside: Option<Aside>,
    /// Where the log begins from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// What is in force from this line on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// Bytes from `from` up to the line that says so: an append that was not finished, or what was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Their place in the file.
    pub from: u64,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Digest,
}

/// Files before this place may be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of the first file.
    pub file: u32,
    /// The number of its first line.
    pub seq: u64,
    /// The hash of the line before.
    pub prev: Digest,
}

impl Entry {
    /// An entry that says what was done and nothing else yet.
    #[must_use]
    pub fn new(action: &str, outcome: &str) -> Self {
        Self { action: action.to_owned(), outcome: outcome.to_owned(), ..Self::default() }
    }

    /// Notes the ids that were given out: all of them up to ten thousand, else the first and a digest of all.
    pub fn give<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        let mut documents: Vec<String> = Vec::new();
        let mut hash = Vec::new();
        let mut count = 0;
        for id in ids {
            count += 1;
            hash.extend_from_slice(id.as_bytes());
            hash.push(b'\n');
            if documents.len() < MOST_DOCUMENTS {
                documents.push(id.to_owned());
            }
        }
        if count > documents.len() as u64 {
            self.documents_count = Some(count);
            self.documents_sha256 = Some(Digest::of(&[&hash]));
        }
        self.documents = Some(documents);
    }

    /// As [`Entry::give`], all of them however many.
    pub fn give_all<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) {
        self.documents = Some(ids.into_iter().map(str::to_owned).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_cut_and_its_digest_is_of_all() {
        let ids: Vec<String> = (0..MOST_DOCUMENTS + 1).map(|n| n.to_string()).collect();
        let mut entry = Entry::new("visible", "ok");
        entry.give(ids.iter().take(MOST_DOCUMENTS).map(String::as_str));
        assert_eq!((entry.documents.as_ref().unwrap().len(), entry.documents_count), (MOST_DOCUMENTS, None));
        entry.give(ids.iter().map(String::as_str));
        assert_eq!((entry.documents.as_ref().unwrap().len(), entry.documents_count), (MOST_DOCUMENTS, Some(10_001)));
        let all = format!("{}\n", ids.join("\n"));
        assert_eq!(entry.documents_sha256, Some(Digest::of(&[all.as_bytes()])));
        entry.give_all(ids.iter().map(String::as_str));
        assert_eq!(entry.documents, Some(ids));
    }
}
