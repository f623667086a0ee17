//! A file that takes all the memory is one file that cannot be read.

use std::fmt::Write;

use crate::program::Scratch;

/// A PDF of one page that says `text`, with a stream of `filler` bytes that no page draws.
fn pdf(text: &str, filler: usize) -> Vec<u8> {
    let content = format!("BT /F 12 Tf 20 50 Td ({text}) Tj ET");
    let stream =
        |dictionary: &str, bytes: &str| format!("<<{dictionary} /Length {}>>\nstream\n{bytes}\nendstream", bytes.len());
    let objects = [
        "<</Type /Catalog /Pages 2 0 R>>".to_owned(),
        "<</Type /Pages /Kids [3 0 R] /Count 1>>".to_owned(),
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 400 100] /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>>"
            .to_owned(),
        stream("", &content),
        "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>".to_owned(),
        stream("", &" ".repeat(filler)),
    ];
    let (mut file, mut places) = ("%PDF-1.7\n".to_owned(), Vec::new());
    for (n, object) in objects.iter().enumerate() {
        places.push(file.len());
        write!(file, "{} 0 obj\n{object}\nendobj\n", n + 1).unwrap();
    }
    let start = file.len();
    write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    places.iter().for_each(|place| writeln!(file, "{place:010} 00000 n ").unwrap());
    write!(file, "trailer\n<</Size {} /Root 1 0 R>>\nstartxref\n{start}\n%%EOF", objects.len() + 1).unwrap();
    file.into_bytes()
}

fn skipped(report: &serde_json::Value) -> Vec<String> {
    report["skipped"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_that_takes_too_much_memory_is_named_and_the_others_are_read() {
    let scratch = Scratch::new();
    scratch.write("docs/acl.jsonl", r#"{"_id": "./", "acl": {"allow": ["everyone"]}}"#);
    scratch.write("docs/small.pdf", pdf("holiday rota of the small one", 10));
    scratch.write("docs/large.pdf", pdf("holiday rota of the large one", 60 << 20));
    scratch.write("docs/torn.pdf", &pdf("holiday rota", 10)[..40]);
    scratch.write("docs/text.md", "# Holiday\n\nA rota.");
    let report = scratch.sync(&["docs", "--parser-memory", "192"]);
    let reasons = skipped(&report);
    assert_eq!((report["added"].as_u64(), reasons.len()), (Some(2), 2), "{report}");
    assert!(reasons.iter().any(|reason| reason.contains("more than 192 MB of memory")), "{reasons:?}");
    assert_eq!(scratch.visible("ann"), ["small.pdf", "text.md"]);
    // With more it is read, and so it is here, without a process of its own.
    assert_eq!(scratch.sync(&["docs"])["added"], 1);
    assert_eq!(scratch.visible("ann"), ["large.pdf", "small.pdf", "text.md"]);
    let here = Scratch::new();
    crate::program::copy(&scratch.path("docs"), &here.path("docs"));
    here.sync(&["docs", "--parser-memory", "0"]);
    assert_eq!(here.visible("ann"), scratch.visible("ann"));
    assert_eq!(here.found("ann"), scratch.found("ann"));
    let (kind, message) = scratch.try_sync(&["docs", "--parser-memory", "9"]).error();
    assert_eq!((kind.as_str(), message.contains("at least 192 MB")), ("Invalid", true), "{message}");
    assert!(scratch.found("ann").contains(&"large.pdf".to_owned()));
}
