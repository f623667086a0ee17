//! Files that nobody means well with: is each read or refused in a sentence, and does nothing else happen?
//!
//! All are made here from a seed out of `fixtures/office`; none is stored. `-- --nocapture` prints the table of
//! `benches/record/parsers.md`.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use safepassage_error::Kind;

use super::office::zipped;
use super::*;

const SEED: [u8; 32] = [7; 32];

const GOOD: [(Format, &str); 8] = [
    (Format::Docx, "people/leave.docx"),
    (Format::Pptx, "people/town-hall.pptx"),
    (Format::Xlsx, "finance/salaries.xlsx"),
    (Format::Pdf, "legal/contract.pdf"),
    (Format::Mail, "legal/complaint.eml"),
    (Format::Csv, "finance/fees.csv"),
    (Format::Json, "finance/limits.json"),
    (Format::Notebook, "finance/forecast.ipynb"),
];

fn good() -> Vec<(Format, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/office");
    GOOD.iter().map(|(format, name)| (*format, std::fs::read(folder.join(name)).unwrap())).collect()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PDF of these objects, numbered from 1, of which the first is the catalog.
fn pdf(objects: &[&[u8]]) -> Vec<u8> {
    let (mut file, mut places) = (b"%PDF-1.7\n".to_vec(), Vec::new());
    for (n, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", n + 1).bytes());
        file.extend_from_slice(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    places.iter().for_each(|place| file.extend(format!("{place:010} 00000 n \n").bytes()));
    file.extend(format!("trailer\n<</Size {} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF", objects.len() + 1).bytes());
    file
}

fn stream(dictionary: &str, bytes: &[u8]) -> Vec<u8> {
    [format!("<<{dictionary} /Length {}>>\nstream\n", bytes.len()).as_bytes(), bytes, b"\nendstream"].concat()
}

/// One page whose content is the fourth object; the fifth is the form `/F`.
fn page(content: &[u8], form: &[u8]) -> Vec<u8> {
    pdf(&[
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources <</XObject <</F 5 0 R>> /Font <</A 6 0 R>>>>>>",
        content,
        form,
        b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    ])
}

fn docx(document: &[u8]) -> Vec<u8> {
    zipped([("word/document.xml", document)])
}

fn xlsx(shared: &str, sheet: &str) -> Vec<u8> {
    let relation = |id: &str, kind: &str, target: &str| {
        let kind = format!("http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}");
        format!("<Relationship Id=\"{id}\" Type=\"{kind}\" Target=\"{target}\"/>")
    };
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let book = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">\
         <sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
    );
    let parts = [
        ("[Content_Types].xml", "<Types/>".to_owned()),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{relations}\">{}</Relationships>",
                relation("r", "officeDocument", "xl/workbook.xml")
            ),
        ),
        ("xl/workbook.xml", book),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{relations}\">{}{}</Relationships>",
                relation("a", "worksheet", "worksheets/s.xml"),
                relation("b", "sharedStrings", "sharedStrings.xml")
            ),
        ),
        (
            "xl/sharedStrings.xml",
            format!("<sst xmlns=\"{main}\" count=\"4294967295\" uniqueCount=\"4294967295\">{shared}</sst>"),
        ),
        ("xl/worksheets/s.xml", format!("<worksheet xmlns=\"{main}\">{sheet}</worksheet>")),
    ];
    zipped(parts.iter().map(|(name, text)| (*name, text.as_bytes())))
}

/// Small files that would become large ones; every one has to be refused.
fn bombs() -> Vec<(Format, Vec<u8>)> {
    let zeros = vec![b' '; 160 << 20];
    let bomb = deflated(&zeros);
    let names: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    let long = "x".repeat(1 << 20);
    let cells = "<row><c t=\"s\"><v>0</v></c></row>".repeat(100_000);
    let entities = (1..30).map(|n| format!("<!ENTITY e{n} \"&e{0};&e{0};\">", n - 1)).collect::<String>();
    let calls: Vec<u8> = b"/F Do ".repeat(1_000);
    let twice = [&b"q /F Do Q "[..], &b"BT /A 9 Tf (again and again) Tj ET ".repeat(60_000)].concat();
    vec![
        (Format::Docx, docx(&zeros)),
        (Format::Docx, docx(format!("<!DOCTYPE d [<!ENTITY e0 \"ha\">{entities}]><d>&e29;</d>").as_bytes())),
        (Format::Docx, zipped(names.iter().map(|name| (name.as_str(), &b""[..])))),
        (Format::Docx, zipped([("word/document.xml", &b"<d/>"[..]), ("word/styles.xml", &zeros)])),
        (Format::Pptx, zipped([("ppt/presentation.xml", &zeros[..])])),
        (Format::Xlsx, xlsx(&format!("<si><t>{long}</t></si>"), &format!("<sheetData>{cells}</sheetData>"))),
        (Format::Xlsx, zipped([("xl/workbook.xml", &b"<b/>"[..]), ("xl/sharedStrings.xml", &zeros)])),
        (Format::Pdf, page(&stream("/Filter /FlateDecode", &bomb), b"null")),
        (Format::Pdf, page(&stream("/Filter [/FlateDecode /FlateDecode]", &deflated(&bomb)), b"null")),
        (Format::Pdf, page(&stream("/Type /ObjStm /N 9 /First 9 /Filter /FlateDecode", &bomb), b"null")),
        // A form that is drawn a thousand times, on a page that draws it a thousand times.
        (
            Format::Pdf,
            page(
                &stream("", &calls),
                &stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</Font <</A 6 0 R>>>>", &twice),
            ),
        ),
        (
            Format::Pdf,
            pdf(&[b"<</Type /Catalog /Pages 2 0 R /W [0 4294967295 500]>>", b"<</Type /Pages /Kids [] /Count 0>>"]),
        ),
        (
            Format::Pdf,
            page(
                &stream(
                    "/Filter /FlateDecode /DecodeParms <</Predictor 12 /Columns 99999999999>>",
                    &deflated(b"BT ET"),
                ),
                b"null",
            ),
        ),
        (Format::Json, format!("{{\"{long}\": [{}1]}}", "1,".repeat(100)).into_bytes()),
        (Format::Json, b"[".repeat(8 << 20)),
        (Format::Notebook, [&b"{\"cells\": "[..], &b"[".repeat(1 << 20)].concat()),
        (Format::Docx, docx(&b"<p>".repeat(4 << 20))),
    ]
}

/// What leads back to itself, or lies far out; read or refused.
fn cycles() -> Vec<(Format, Vec<u8>)> {
    let form = "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources <</XObject <</F 5 0 R>>>>";
    let style = |id: &str, on: &str| format!("<style styleId=\"{id}\"><basedOn val=\"{on}\"/></style>");
    let styles = format!("<styles>{}{}</styles>", style("a", "b"), style("b", "a"));
    let relation = "<R><Relationship Id=\"a\" Type=\"x/slide\" Target=\"presentation.xml\"/></R>";
    let slides = "<p xmlns:r=\"r\"><sldId r:id=\"a\"/><sldId r:id=\"a\"/><sldId r:id=\"b\"/></p>";
    let nested: String =
        (0..2_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect();
    let message = "Content-Type: message/rfc822\r\n\r\nSubject: x\r\n".repeat(5_000);
    vec![
        (Format::Pdf, page(&stream("", b"/F Do"), &stream(form, b"/F Do /F Do"))),
        (Format::Pdf, pdf(&[b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Kids [2 0 R 2 0 R] /Count 2>>"])),
        (
            Format::Pdf,
            pdf(&[
                b"<</Type /Catalog /Pages 2 0 R>>",
                b"<</Type /Pages /Kids [3 0 R]>>",
                b"<</Type /Pages /Parent 2 0 R /Kids [2 0 R]>>",
            ]),
        ),
        (Format::Pdf, pdf(&[b"1 0 R", b"2 0 R"])),
        (Format::Pdf, page(b"4 0 R", b"5 0 R")),
        (Format::Pdf, page(&stream("/Length 4 0 R", b"BT ET"), b"null")),
        (
            Format::Pdf,
            [&b"%PDF-1.7\n1 0 obj\n"[..], &b"[".repeat(1 << 20), b"\nendobj\ntrailer<</Root 1 0 R>>"].concat(),
        ),
        (
            Format::Pdf,
            [&b"%PDF-1.7\n1 0 obj\n"[..], &b"<</A ".repeat(1 << 20), b"\nendobj\ntrailer<</Root 1 0 R>>"].concat(),
        ),
        (Format::Pdf, b"%PDF-1.7\nxref\n0 0\ntrailer\n<</Prev 9 /Root 1 0 R>>\nstartxref\n9\n%%EOF".to_vec()),
        (
            Format::Docx,
            zipped([
                ("word/document.xml", &b"<p><pPr><pStyle val=\"a\"/></pPr><t>x</t></p>"[..]),
                ("word/styles.xml", styles.as_bytes()),
            ]),
        ),
        (
            Format::Pptx,
            zipped([
                ("ppt/presentation.xml", slides.as_bytes()),
                ("ppt/_rels/presentation.xml.rels", relation.as_bytes()),
            ]),
        ),
        (
            Format::Xlsx,
            xlsx(
                "",
                "<dimension ref=\"A1:XFD1048576\"/><sheetData><row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>2</v></c></row></sheetData>",
            ),
        ),
        (
            Format::Xlsx,
            xlsx(
                "",
                "<sheetData><row r=\"4294967295\"><c r=\"ZZZZZZZ99999999999\" t=\"s\"><v>77</v></c></row></sheetData>",
            ),
        ),
        (
            Format::Xlsx,
            xlsx(
                "<si/>",
                "<sheetData><row><c t=\"s\"><v>-1</v></c><c t=\"b\"><v>x</v></c><c t=\"d\"><v>9999999-99-99</v></c><c><v>1e999</v></c></row></sheetData>",
            ),
        ),
        (Format::Mail, format!("Subject: x\r\n{nested}").into_bytes()),
        (Format::Mail, format!("Subject: x\r\n{message}").into_bytes()),
        (Format::Mail, [&b"Subject: x\r\nContent-Type: text/html\r\n\r\n"[..], &b"<div>".repeat(1 << 20)].concat()),
        (Format::Csv, [&b"a,b\n\""[..], &b"x,".repeat(1 << 20)].concat()),
        (Format::Csv, b",".repeat(1 << 20)),
    ]
}

fn files() -> Vec<(&'static str, Format, Vec<u8>)> {
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut below = move |n: usize| random.next_u64() as usize % n.max(1);
    let good = good();
    let mut files: Vec<(&str, Format, Vec<u8>)> = Vec::new();
    files.extend(bombs().into_iter().map(|(format, bytes)| ("bomb", format, bytes)));
    files.extend(cycles().into_iter().map(|(format, bytes)| ("cycle, depth, far out", format, bytes)));
    for (format, bytes) in &good {
        for n in 0..8 {
            let mut flipped = bytes.clone();
            (0..1 << n).for_each(|_| flipped[below(bytes.len())] ^= 1 << below(8));
            files.push(("bits flipped", *format, flipped));
        }
        for _ in 0..5 {
            files.push(("truncated", *format, bytes[..below(bytes.len())].to_vec()));
        }
        for (other, _) in good.iter().filter(|(other, _)| other != format) {
            files.push(("another kind of file", *other, bytes.clone()));
        }
        for n in [0, 1, 40, 4_000] {
            let garbage = (0..n).map(|_| below(256) as u8).collect::<Vec<u8>>();
            files.push(("garbage", *format, [&bytes[..bytes.len().min(4)], &garbage].concat()));
        }
        let spliced = [&bytes[bytes.len() / 2..], &bytes[..bytes.len() / 2]].concat();
        files.push(("halves exchanged", *format, spliced));
    }
    files
}

#[test]
fn hostile_files_are_read_or_refused_in_a_sentence() {
    println!("seed {SEED:?}");
    let files = files();
    assert!(files.len() >= 200, "{}", files.len());
    let mut table = BTreeMap::<&str, [usize; 2]>::new();
    for (n, (kind, format, bytes)) in files.iter().enumerate() {
        let place = format!("file {n}: {kind} as {format:?}");
        let column = match parse(bytes, *format) {
            Ok(parsed) => {
                assert!(parsed.text.len() <= draft::MOST_BYTES, "{place}");
                assert!(parsed.blocks.iter().all(|block| parsed.text.get(block.range.clone()).is_some()), "{place}");
                assert_ne!(*kind, "bomb", "{place}");
                0
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Invalid, "{place}: {error}");
                let said = error.message();
                assert!(
                    said.len() < 160 && said.starts_with(char::is_lowercase) && !said.ends_with('.'),
                    "{place}: {said}"
                );
                assert!(!said.contains("seconds"), "{place}: {said}");
                assert!(!said.contains("fell over"), "{place}: {said}");
                1
            }
        };
        table.entry(kind).or_default()[column] += 1;
    }
    println!("| kind | files | read | refused |\n|---|---|---|---|");
    for (kind, [read, refused]) in table {
        println!("| {kind} | {} | {read} | {refused} |", read + refused);
    }
}

#[test]
fn files_that_are_well_are_read() {
    for (format, bytes) in good() {
        let parsed = parse(&bytes, format).unwrap();
        assert!(!parsed.blocks.is_empty(), "{format:?}");
        assert!(format != Format::Pdf || parsed.page(parsed.text.len()) == Some(3));
    }
}
