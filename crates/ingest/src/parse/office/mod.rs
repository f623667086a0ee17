//! Office files: parcels of XML.

mod dates;
pub(super) mod docx;
mod package;
pub(super) mod pptx;
mod properties;
mod styles;
pub(super) mod xlsx;
mod xml;

#[cfg(test)]
pub(super) use package::tests::zipped;
