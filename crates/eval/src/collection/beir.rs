//! Here is a BEIR folder: `queries.jsonl` and `qrels/SPLIT.tsv`.
//!
//! Only questions that the split judges are asked, as BEIR does. Grades below 1 say that a document was looked at and is
//! not relevant.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safepassage::{Error, Kind, Result};
use serde::Deserialize;

use super::Question;
use super::lines::{Place, each_line, each_object};

/// A line of `queries.jsonl`; BEIR folders have more keys than we read.
#[derive(Deserialize)]
struct Query {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

pub(super) fn read(folder: &Path, split: &str) -> Result<Vec<Question>> {
    let file = folder.join("qrels").join(format!("{split}.tsv"));
    if !file.is_file() {
        let message = format!("there are no judgements `qrels/{split}.tsv`; name another with --split");
        return Err(Error::new(Kind::NotFound, "read questions", message).with("path", folder.display()));
    }
    let (mut questions, mut places) = (Vec::<Question>::new(), HashMap::new());
    each_object(&folder.join("queries.jsonl"), &mut |place, Query { id, text }| {
        if places.insert(id.clone(), questions.len()).is_some() {
            return Err(place.invalid(format!("the question `{id}` stands twice")));
        }
        questions.push(Question { id, text, ..Question::default() });
        Ok(())
    })?;
    let mut judged: BTreeMap<usize, BTreeMap<String, i64>> = BTreeMap::new();
    let mut first = true;
    each_line(&file, &mut |place, line| {
        let Some((question, document, grade)) = judgement(place, line, std::mem::take(&mut first))? else {
            return Ok(());
        };
        let Some(&number) = places.get(question) else {
            return Err(place.invalid(format!("the question `{question}` is not in `queries.jsonl`")));
        };
        if judged.entry(number).or_default().insert(document.to_owned(), grade).is_some_and(|old| old != grade) {
            let message = format!("the document `{document}` has two grades for the question `{question}`");
            return Err(place.invalid(message));
        }
        Ok(())
    })?;
    let graded = |grades: BTreeMap<String, i64>| {
        let relevant = grades.into_iter().filter_map(|(id, grade)| Some((id, u32::try_from(grade).ok()?)));
        relevant.filter(|(_, grade)| *grade > 0).collect()
    };
    let with = |(number, grades): (usize, _)| Question { expected: graded(grades), ..questions[number].clone() };
    Ok(judged.into_iter().map(with).collect())
}

/// Question, document and grade; `None` for the heading.
fn judgement<'a>(place: Place<'_>, line: &'a str, first: bool) -> Result<Option<(&'a str, &'a str, i64)>> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [question, document, grade] = *columns else {
        let message = format!("a judgement has three columns with tabs between them, not {}", columns.len());
        return Err(place.invalid(message));
    };
    match grade.trim().parse() {
        Ok(grade) => Ok(Some((question, document, grade))),
        Err(_) if first => Ok(None),
        Err(_) => Err(place.invalid(format!("the grade `{grade}` is not a whole number"))),
    }
}
