//! Here is what a caller wants of the metadata: which documents have it?
//!
//! In go a schema ([`Fields`]) and a [`Filter`], the filter JSON of Amazon Bedrock; out comes, segment by segment, which
//! documents match. A filter only narrows what is visible already. What a filter may say is decided by the schema alone,
//! before any document is looked at, so that no error depends on what is forbidden.
//!
//! | | `string` | `number` | `bool` | `list` | `date` |
//! |---|---|---|---|---|---|
//! | `equals`, `notEquals` | a string | a number | a bool | | a date |
//! | `in`, `notIn` | strings | numbers | bools | | dates |
//! | `greaterThan`, `greaterThanOrEquals`, `lessThan`, `lessThanOrEquals` | | a number | | | a date |
//! | `startsWith` | a string | | | | |
//! | `stringContains` | a string | | | of any member | |
//! | `listContains` | | | | a member | |
//!
//! - Every other pair is refused by name. Strings are compared byte by byte, numbers exactly (64-bit integers and
//!   doubles), dates (RFC 3339, a day is its midnight in UTC) as instants.
//! - A field that is not declared matches nothing, under every operator.
//! - A document that lacks a declared field matches `notEquals` and `notIn` of it and nothing else: what Bedrock
//!   documents. `null` and a value of another type than the declared one count as lacking.
//! - A name with dots means the field of exactly that name; if there is none, the value inside of nested objects.
//! - `andAll` and `orAll` have two members or more, each object one operator.
//! - An integer beyond 64 bits is the nearest double, in documents and in filters, as JSON readers have it.
//! - A document without passages has no metadata in the index and matches nothing.

mod check;
mod column;
mod documents;
mod evaluate;
mod facets;
mod fields;
mod histogram;
mod instant;
mod interpret;
mod json;
mod parse;
mod postings;
mod ranks;
mod suggest;
mod value;
mod write;

pub(crate) use self::documents::{Documents, ones};
pub(crate) use self::evaluate::Matching;
pub use self::facets::{Bucket, Counted, FacetValue, FacetValues, Facets};
pub(crate) use self::facets::{Tally, check_limit};
pub use self::fields::{FieldType, Fields};
pub use self::parse::Filter;
pub(crate) use self::postings::{FieldPostings, Postings, SegmentFields};
pub(crate) use self::suggest::Survey;
pub use self::suggest::{FieldStats, Suggestion};
pub(crate) use self::write::PostingsWriter;

#[cfg(test)]
mod tests;
