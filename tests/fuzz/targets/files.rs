//! What do the parsers of files make of any bytes?
//!
//! The first byte says which format, unless `FORMAT` does for all of a run, and how office files come: as they are, or as
//! the parts of a parcel that is made here, so that what is inside is reached. What a block says must lie in the text,
//! pages ascend, and a refusal is a sentence that does not come from a panic.

#![no_main]

mod parts;

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use safepassage_ingest::{Format, parse};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Which parts of a parcel the bytes between `====` are.
const PARTS: [&[&str]; 3] = [
    &["word/document.xml", "word/styles.xml", "docProps/core.xml"],
    &[
        "ppt/presentation.xml",
        "ppt/_rels/presentation.xml.rels",
        "ppt/slides/slide1.xml",
        "ppt/slides/_rels/slide1.xml.rels",
    ],
    &[
        "[Content_Types].xml",
        "_rels/.rels",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "xl/sharedStrings.xml",
        "xl/worksheets/sheet1.xml",
        "xl/styles.xml",
    ],
];

/// The one format of this run.
static ONE: LazyLock<Option<Format>> = LazyLock::new(|| {
    let named = std::env::var("FORMAT").ok()?;
    let is_it = |format: &Format| format!("{format:?}").eq_ignore_ascii_case(&named);
    Some(Format::ALL.into_iter().find(is_it).expect("`FORMAT` is the name of a format"))
});

fn parcel(names: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let parts = parts::split(bytes).into_iter().chain(std::iter::repeat(&[][..]));
    for (name, part) in names.iter().zip(parts) {
        zip.start_file(*name, options).unwrap();
        zip.write_all(part).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let format = ONE.unwrap_or_else(|| Format::ALL[usize::from(first & 0x1f) % Format::ALL.len()]);
    let office = [Format::Docx, Format::Pptx, Format::Xlsx].iter().position(|office| *office == format);
    let made = office.filter(|_| first & 0x80 == 0).map(|n| parcel(PARTS[n], rest));
    match parse(made.as_deref().unwrap_or(rest), format) {
        Ok(parsed) => {
            let mut end = 0;
            for block in &parsed.blocks {
                assert!(block.range.start >= end && parsed.text.get(block.range.clone()).is_some());
                end = block.range.end;
            }
            assert!(parsed.page(0) <= parsed.page(parsed.text.len()));
        }
        Err(error) => assert!(!error.message().contains("fell over"), "{format:?}: {error}"),
    }
});
