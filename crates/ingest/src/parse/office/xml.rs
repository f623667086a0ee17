//! Here is XML: what opens, what closes, what stands between?
//!
//! Names come without their prefixes. Nothing is expanded but the five names that XML has and numbers; a document type,
//! where the others are made, is refused: no office program writes one.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use safepassage_error::{Error, Result};

/// Deeper than any document is.
const MOST_DEPTH: usize = 256;

pub(super) enum Xml<'a> {
    Open(&'a str, Attributes<'a>),
    Text(&'a str),
    Close(&'a str),
}

/// The attributes of what opens.
pub(super) struct Attributes<'a>(&'a BytesStart<'a>);

impl Attributes<'_> {
    /// The value of the attribute `name`, whatever its prefix.
    pub fn get(&self, name: &str) -> Option<String> {
        let mut all = self.0.attributes();
        let found = all.with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
        Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
    }

    /// The same for one that has to have the prefix that everybody gives it.
    pub fn exactly(&self, name: &str) -> Option<String> {
        Some(self.0.try_get_attribute(name).ok()??.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
    }
}

pub(super) fn walk(xml: &[u8], each: &mut dyn FnMut(Xml<'_>) -> Result<()>) -> Result<()> {
    let damaged = || Error::invalid("parse", "one of its parts is not XML");
    let text = std::str::from_utf8(xml).map_err(|_| damaged())?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|_| damaged())? {
            Event::Start(start) => {
                depth += 1;
                if depth > MOST_DEPTH {
                    return Err(Error::invalid("parse", "one of its parts is nested without an end"));
                }
                each(Xml::Open(start.local_name().as_ref(), Attributes(&start)))?;
            }
            Event::Empty(start) => {
                let name = start.local_name();
                each(Xml::Open(name.as_ref(), Attributes(&start)))?;
                each(Xml::Close(name.as_ref()))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                each(Xml::Close(end.local_name().as_ref()))?;
            }
            Event::Text(text) => each(Xml::Text(&text.xml10_content()))?,
            Event::CData(text) => each(Xml::Text(&text.xml10_content()))?,
            Event::GeneralRef(name) => {
                let number = name.resolve_char_ref().map_err(|_| damaged())?;
                let known = || resolve_predefined_entity(&name);
                match (number, number.is_none().then(known).flatten()) {
                    (Some(letter), _) => each(Xml::Text(letter.encode_utf8(&mut [0; 4])))?,
                    (None, Some(text)) => each(Xml::Text(text))?,
                    (None, None) => {}
                }
            }
            Event::DocType(_) => {
                return Err(Error::invalid(
                    "parse",
                    "one of its parts has a document type, which could make more of it",
                ));
            }
            Event::Eof if depth > 0 => return Err(damaged()),
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(xml: &str) -> Result<String> {
        let mut words = String::new();
        walk(xml.as_bytes(), &mut |xml| {
            match xml {
                Xml::Open(name, attributes) => {
                    words.push_str(&format!("<{name}{}>", attributes.get("val").unwrap_or_default()));
                }
                Xml::Text(text) => words.push_str(text),
                Xml::Close(name) => words.push_str(&format!("</{name}>")),
            }
            Ok(())
        })?;
        Ok(words)
    }

    #[test]
    fn what_opens_closes_and_stands_between() {
        let xml = r#"<?xml version="1.0"?><w:p><w:b w:val="a&amp;b"/>x &lt;&#233;&unknown;<![CDATA[<y>]]></w:p>"#;
        assert_eq!(words(xml).unwrap(), "<p><ba&b></b>x <é<y></p>");
    }

    #[test]
    fn bombs_and_broken_parts_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"cccc\"><!ENTITY d \"&b;&b;\">]><a>&d;</a>";
        assert!(words(bomb).unwrap_err().message().contains("document type"));
        assert!(words(&"<a>".repeat(100_000)).unwrap_err().message().contains("nested"));
        for bad in ["<a>", "<a></b>", "<a", "<a>&#xffffffff;</a>"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }
}
