//! Here is a CSV file whose rows are documents, as a sidecar of Bedrock knowledge bases says: which are they?
//!
//! `documentStructureConfiguration` names the column with the text, and which others are metadata (all of them, unless some
//! are named). A column whose values are all numbers, or all `true` or `false`, has them as such; an empty cell says
//! nothing. The ACL and the metadata of the sidecar hold for every row. A row is called `FILE#NUMBER`, from 1.

use std::ops::Range;

use csv::{ByteRecord, Reader, ReaderBuilder};
use serde::Deserialize;
use serde_json::{Map, Value};

/// What a sidecar says of the rows of its file, as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Structure {
    r#type: Kind,
    record_based_structure_metadata: Specification,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
enum Kind {
    #[serde(rename = "RECORD_BASED_STRUCTURE_METADATA")]
    RecordBased,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Specification {
    content_fields: Vec<Field>,
    #[serde(default)]
    metadata_fields_specification: Fields,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fields {
    #[serde(default)]
    fields_to_include: Vec<Field>,
    #[serde(default)]
    fields_to_exclude: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Field {
    field_name: String,
}

/// How the values of a column are written down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Values {
    Numbers,
    Booleans,
    Texts,
}

/// The rows of one file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Records {
    /// How many columns there are, and which of them is the text.
    columns: usize,
    content: usize,
    metadata: Vec<(usize, String, Values)>,
    /// Where each row lies in the file.
    pub spans: Vec<Range<usize>>,
}

impl Structure {
    /// Every column that it names.
    fn named(&self) -> impl Iterator<Item = &str> {
        let Specification { content_fields, metadata_fields_specification: fields } =
            &self.record_based_structure_metadata;
        let all = content_fields.iter().chain(&fields.fields_to_include).chain(&fields.fields_to_exclude);
        all.map(|field| field.field_name.as_str())
    }
}

impl Records {
    /// Those of `bytes`.
    ///
    /// # Errors
    /// A sentence for a person: the file is no CSV, or has not the columns that `structure` names.
    pub fn of(bytes: &[u8], structure: &Structure) -> Result<Self, String> {
        std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.valid_up_to()))?;
        let mut reader = reader(bytes);
        let mut record = ByteRecord::new();
        next(&mut reader, &mut record)?;
        let header: Vec<String> = record.iter().map(|name| text(name).trim().to_owned()).collect();
        let column = |name: &str| match header.iter().filter(|column| *column == name).count() {
            1 => Ok(header.iter().position(|column| column == name).unwrap_or_default()),
            0 => Err(format!("there is no column `{name}`, which its sidecar names")),
            _ => Err(format!("there are several columns `{name}`")),
        };
        structure.named().try_for_each(|name| column(name).map(drop))?;
        let Specification { content_fields, metadata_fields_specification: fields } =
            &structure.record_based_structure_metadata;
        let [content] = &content_fields[..] else {
            return Err("its sidecar names not exactly one content field".into());
        };
        let content = column(&content.field_name)?;
        let is_named = |fields: &[Field], name: &str| fields.iter().any(|field| field.field_name == name);
        let mut metadata = Vec::new();
        for (_, name) in header.iter().enumerate().filter(|(at, name)| *at != content && !name.is_empty()) {
            let included = fields.fields_to_include.is_empty() || is_named(&fields.fields_to_include, name);
            if included && !is_named(&fields.fields_to_exclude, name) {
                metadata.push((column(name)?, name.clone(), None));
            }
        }
        let (mut spans, mut start) = (Vec::new(), position(&reader));
        while next(&mut reader, &mut record)? {
            for (at, _, values) in &mut metadata {
                let cell = record.get(*at).map(text).unwrap_or_default().trim();
                *values = if cell.is_empty() { *values } else { Some(narrowed(*values, cell)) };
            }
            spans.push(start..position(&reader));
            start = position(&reader);
        }
        let metadata = metadata.into_iter().map(|(at, name, values)| (at, name, values.unwrap_or(Values::Texts)));
        Ok(Self { columns: header.len(), content, metadata: metadata.collect(), spans })
    }

    /// The text and the metadata of the row that is `bytes`.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn read(&self, bytes: &[u8]) -> Result<(String, Map<String, Value>), String> {
        let mut record = ByteRecord::new();
        next(&mut reader(bytes), &mut record)?;
        if record.len() != self.columns {
            return Err(format!("the row has {} cells and the header {}", record.len(), self.columns));
        }
        let cell = |at: usize| record.get(at).map(text).unwrap_or_default();
        let value = |(at, name, values): &(usize, String, Values)| {
            let cell = cell(*at).trim();
            let value = match values {
                Values::Numbers => cell.parse().map(Value::Number).unwrap_or_else(|_| cell.into()),
                Values::Booleans => Value::Bool(cell.eq_ignore_ascii_case("true")),
                Values::Texts => cell.into(),
            };
            (!cell.is_empty()).then(|| (name.clone(), value))
        };
        Ok((cell(self.content).to_owned(), self.metadata.iter().filter_map(value).collect()))
    }
}

/// What all values of a column are, `cell` too.
fn narrowed(values: Option<Values>, cell: &str) -> Values {
    let is_number = || {
        let digits = cell.trim_start_matches('-');
        // As JSON has them: an article number with zeros in front is a text.
        digits.starts_with(|c: char| c.is_ascii_digit()) && cell.parse::<serde_json::Number>().is_ok()
    };
    let is_boolean = || cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false");
    match values {
        None | Some(Values::Numbers) if is_number() => Values::Numbers,
        None | Some(Values::Booleans) if is_boolean() => Values::Booleans,
        _ => Values::Texts,
    }
}

fn reader(bytes: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

fn next(reader: &mut Reader<&[u8]>, record: &mut ByteRecord) -> Result<bool, String> {
    reader.read_byte_record(record).map_err(|_| "its rows cannot be told apart".into())
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// Of bytes that were checked to be UTF-8; a quoted cell cut anywhere else is none.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn structure(fields: Value) -> Structure {
        let specification = json!({"contentFields": [{"fieldName": "text"}], "metadataFieldsSpecification": fields});
        serde_json::from_value(json!({
            "type": "RECORD_BASED_STRUCTURE_METADATA",
            "recordBasedStructureMetadata": specification
        }))
        .unwrap()
    }

    const FILE: &str = "\u{feff}text,year,open,zip,note\n\"one, with\na line\",2023,true,01234,x\r\n\ntwo,2024.5,FALSE,7,\nthree,,,,\nfour,1\n";

    fn rows(records: &Records) -> Vec<Result<(String, Value), String>> {
        let read = |span: &Range<usize>| records.read(&FILE.as_bytes()[span.clone()]);
        records.spans.iter().map(|span| read(span).map(|(text, metadata)| (text, metadata.into()))).collect()
    }

    #[test]
    fn every_row_has_its_text_and_typed_metadata() {
        let rows = rows(&Records::of(FILE.as_bytes(), &structure(json!({}))).unwrap());
        let first = json!({"year": 2023, "open": true, "zip": "01234", "note": "x"});
        assert_eq!(rows[0], Ok(("one, with\na line".into(), first)));
        assert_eq!(rows[1], Ok(("two".into(), json!({"year": 2024.5, "open": false, "zip": "7"}))));
        assert_eq!(rows[2], Ok(("three".into(), json!({}))));
        assert_eq!(rows[3], Err("the row has 2 cells and the header 5".into()));
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn only_the_chosen_columns_are_metadata() {
        let of = |fields| rows(&Records::of(FILE.as_bytes(), &structure(fields)).unwrap()).remove(0).unwrap().1;
        assert_eq!(of(json!({"fieldsToInclude": [{"fieldName": "year"}]})), json!({"year": 2023}));
        let but = json!({"fieldsToExclude": [{"fieldName": "year"}, {"fieldName": "note"}]});
        assert_eq!(of(but), json!({"open": true, "zip": "01234"}));
    }

    #[test]
    fn columns_that_are_not_there_and_files_that_are_no_csv_are_refused() {
        let absent = structure(json!({"fieldsToInclude": [{"fieldName": "yaer"}]}));
        assert!(Records::of(FILE.as_bytes(), &absent).unwrap_err().contains("no column `yaer`"));
        let plain = structure(json!({}));
        assert!(Records::of(b"a,b\n1,2\n", &plain).unwrap_err().contains("no column `text`"));
        assert!(Records::of(b"text,text\n1,2\n", &plain).unwrap_err().contains("several columns `text`"));
        assert!(Records::of(b"", &plain).is_err());
        assert!(Records::of(b"text\n\xff\n", &plain).unwrap_err().contains("not UTF-8 at byte 5"));
    }
}
