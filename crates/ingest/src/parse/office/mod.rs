//! Office files: parcels of XML.

pub(super) mod docx;
mod package;
pub(super) mod pptx;
mod properties;
mod styles;
pub(super) mod xlsx;
mod xml;
