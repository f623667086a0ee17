//! Mail: the subject as title, who wrote to whom and when, the text, and the names of what is attached.

use mail_parser::{Address, MessageParser, MimeHeaders, PartType};
use safepassage_error::{Error, Result};

use super::PARSE;
use super::draft::{Draft, one_line};
use super::{Parsed, html, plain};

pub(super) fn parse(content: &[u8]) -> Result<Parsed> {
    let no_mail = || Error::invalid(PARSE, "it is not mail: it has neither a sender, a subject nor a date");
    let message = MessageParser::default().parse(content).ok_or_else(no_mail)?;
    if message.from().is_none() && message.subject().is_none() && message.date().is_none() {
        return Err(no_mail());
    }
    let mut draft = Draft::default();
    draft.title(message.subject().unwrap_or_default());
    let mut head = |name: &str, value: String| {
        let value = one_line(&value);
        if value.is_empty() { Ok(()) } else { draft.row(&format!("{name}: {value}")) }
    };
    head("Subject", message.subject().unwrap_or_default().to_owned())?;
    head("From", people(message.from()))?;
    head("To", people(message.to()))?;
    head("Cc", people(message.cc()))?;
    head("Date", message.date().map(|date| date.to_rfc3339()).unwrap_or_default())?;
    // A body that was sent as text and as HTML is one body; the parts say which of them stand in for each other.
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(text) => draft.append(&plain::parse(&text.replace("\r\n", "\n")))?,
            PartType::Html(text) => draft.append(&html::parse(text))?,
            _ => {}
        }
    }
    let names: Vec<String> =
        message.attachments().map(|part| one_line(part.attachment_name().unwrap_or("without a name"))).collect();
    if !names.is_empty() {
        draft.paragraph(&format!("Attachments: {}", names.join(", ")))?;
    }
    Ok(draft.finish())
}

fn people(address: Option<&Address<'_>>) -> String {
    let people = address.into_iter().flat_map(Address::iter).map(|person| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    });
    people.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"From: =?utf-8?q?Ann_M=C3=BCller?= <ann@example.com>\r\nTo: bob@example.com, Carol <carol@example.com>\r\n\
        Subject: Pay in 2026\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
        --x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nCaf\xe9 first.\r\n\r\nThen pay.\r\n\
        --y\r\nContent-Type: text/html\r\n\r\n<p>Caf&eacute; first.</p>\r\n--y--\r\n--x\r\nContent-Type: application/pdf; name=\"pay.pdf\"\r\n\
        Content-Disposition: attachment; filename=\"pay.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n";

    #[test]
    fn head_body_and_the_names_of_attachments() {
        let parsed = parse(MAIL).unwrap();
        assert_eq!(parsed.title.as_deref(), Some("Pay in 2026"));
        let expected = "Subject: Pay in 2026\nFrom: Ann Müller <ann@example.com>\nTo: bob@example.com, Carol <carol@example.com>\n\
            Date: 2026-03-03T10:00:00+01:00\n\nCafé first.\n\nThen pay.\n\nAttachments: pay.pdf";
        assert_eq!(parsed.text, expected);
        let html = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<style>p{}</style><h1>Hello</h1><p>You &amp; me</p>";
        assert_eq!(parse(html).unwrap().text, "Subject: x\n\nHello\n\nYou & me");
        // Boundaries that do not match: mail-parser asserts that there are none, and reads them nonetheless.
        let damaged = b"Subject: x\nContent-Type:multipart;boundary=x\n\n\n--xContent-Type:message/rfc822\n\n\
            Content-Type:message/rfc822\n\n\n--x--";
        assert_eq!(parse(damaged).unwrap().title.as_deref(), Some("x"));
        assert!(parse(b"\x89PNG\r\n\x1a\n\0\0").is_err());
        assert!(parse(b"").is_err());
    }
}
