//! Here is a `questions.jsonl`: a question a line, with the documents that answer it.
//!
//! `{"question", "expected": [ID…] or {ID: grade}, "_id"?, "persona"?, "unanswerable"?: true, "must_not_see"?: [ID or
//! FOLDER/]}`; no other keys. Without an id a question has the number of its line.

use std::collections::BTreeMap;
use std::path::Path;

use safepassage::Result;
use serde::Deserialize;

use super::Question;
use super::lines::each_object;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "_id")]
    id: Option<String>,
    question: String,
    #[serde(default)]
    expected: Expected,
    persona: Option<String>,
    #[serde(default)]
    unanswerable: bool,
    #[serde(default)]
    must_not_see: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`expected` is a list of ids, or an object of ids with whole grades from 1 on")]
enum Expected {
    Ids(Vec<String>),
    Graded(BTreeMap<String, u32>),
}

impl Default for Expected {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    each_object(file, &mut |place, line: Line| {
        let Line { id, question, expected, persona, unanswerable, must_not_see } = line;
        if question.trim().is_empty() {
            return Err(place.invalid("the question is empty"));
        }
        let expected: BTreeMap<String, u32> = match expected {
            Expected::Ids(ids) => ids.into_iter().map(|id| (id, 1)).collect(),
            Expected::Graded(graded) => graded,
        };
        if let Some((id, _)) = expected.iter().find(|(_, grade)| **grade == 0) {
            return Err(place.invalid(format!("the grade of `{id}` is 0; leave it out")));
        }
        if expected.is_empty() && !unanswerable && must_not_see.is_empty() {
            return Err(place.invalid("nothing is expected; if nothing answers it, say `\"unanswerable\": true`"));
        }
        if unanswerable && !expected.is_empty() {
            return Err(place.invalid("a question that is unanswerable has documents that answer it"));
        }
        let id = id.unwrap_or_else(|| place.line.to_string());
        questions.push(Question { id, text: question, expected, persona, unanswerable, must_not_see });
        Ok(())
    })?;
    Ok(questions)
}
