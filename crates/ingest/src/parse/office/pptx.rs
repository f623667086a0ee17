//! Slides: each is a page, under its title; then what the speaker noted.

use safepassage_error::Result;

use super::package::Package;
use super::properties;
use super::xml::{Xml, walk};
use crate::parse::Parsed;
use crate::parse::draft::Draft;
use crate::parse::table::Table;

/// Numbers, dates and footers are on every slide.
const REPEATED: [&str; 4] = ["sldNum", "dt", "ftr", "hdr"];

pub(in crate::parse) fn parse(content: &[u8]) -> Result<Parsed> {
    let mut package = Package::open(content)?;
    let order = package.needed("ppt/presentation.xml")?;
    let relations = properties::relations(&mut package, "ppt/presentation.xml")?;
    let mut slides = Vec::new();
    walk(&order, &mut |xml| {
        if let Xml::Open("sldId", attributes) = xml
            && let Some((_, path)) = attributes.exactly("r:id").and_then(|id| relations.get(&id))
        {
            slides.push(path.clone());
        }
        Ok(())
    })?;
    let (mut draft, mut first_title) = (Draft::default(), String::new());
    for path in slides {
        draft.page();
        let Some(slide) = package.part(&path)? else { continue };
        let Shapes { title, lines } = shapes(&slide)?;
        draft.heading(1, &title)?;
        if first_title.is_empty() {
            first_title = title;
        }
        lines.write("", &mut draft)?;
        let relations = properties::relations(&mut package, &path)?;
        for (_, notes) in relations.values().filter(|(kind, _)| kind == "notesSlide") {
            if let Some(notes) = package.part(notes)? {
                shapes(&notes)?.lines.write("Notes: ", &mut draft)?;
            }
        }
    }
    draft.title(&properties::title(&mut package)?.unwrap_or(first_title));
    Ok(draft.finish())
}

/// What stands in the shapes of a slide.
#[derive(Default)]
struct Shapes {
    title: String,
    lines: Lines,
}

#[derive(Default)]
struct Lines(Vec<Line>);

enum Line {
    /// Of the shape of this number.
    Text(usize, String),
    /// Of the table of this number.
    Row(usize, Vec<String>),
}

impl Lines {
    fn write(self, before: &str, draft: &mut Draft) -> Result<()> {
        let (mut table, mut of, mut before) = (Table::default(), usize::MAX, before);
        for line in self.0 {
            match line {
                Line::Text(shape, text) if of == shape => draft.row(&text)?,
                Line::Text(shape, text) => {
                    of = shape;
                    draft.end_rows();
                    draft.row(&format!("{before}{text}"))?;
                    before = "";
                }
                Line::Row(number, cells) => {
                    if of != number {
                        draft.end_rows();
                        table = Table::default();
                    }
                    of = number;
                    table.row(&cells, draft)?;
                }
            }
        }
        Ok(())
    }
}

fn shapes(slide: &[u8]) -> Result<Shapes> {
    let mut shapes = Shapes::default();
    let (mut in_text, mut kind, mut text) = (false, String::new(), String::new());
    // Shapes and tables are numbered together, as they begin.
    let (mut number, mut cells, mut cell) = (0, Vec::new(), None::<String>);
    walk(slide, &mut |xml| {
        match xml {
            Xml::Open("sp" | "tbl", _) => {
                number += 1;
                kind.clear();
            }
            // A placeholder without a kind is one for text.
            Xml::Open("ph", attributes) => kind = attributes.get("type").unwrap_or_default(),
            Xml::Open("tc", _) => cell = Some(String::new()),
            Xml::Open("t", _) => in_text = true,
            Xml::Open("br", _) => text.push(' '),
            Xml::Text(words) if in_text => text.push_str(words),
            Xml::Close("t") => in_text = false,
            Xml::Close("p") => {
                let text = std::mem::take(&mut text);
                match &mut cell {
                    Some(cell) => {
                        cell.push_str(&text);
                        cell.push(' ');
                    }
                    None if text.trim().is_empty() || REPEATED.contains(&kind.as_str()) => {}
                    None if matches!(kind.as_str(), "title" | "ctrTitle") => {
                        shapes.title.push_str(&text);
                        shapes.title.push(' ');
                    }
                    None => shapes.lines.0.push(Line::Text(number, text)),
                }
            }
            Xml::Close("tc") => cells.extend(cell.take()),
            Xml::Close("tr") => shapes.lines.0.push(Line::Row(number, std::mem::take(&mut cells))),
            _ => {}
        }
        Ok(())
    })?;
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::super::package::tests::zipped;
    use super::*;

    #[test]
    fn a_slide_is_a_page_in_the_order_of_the_show() {
        let p = |text: &str| format!("<a:p><a:r><a:t>{text}</a:t></a:r></a:p>");
        let shape = |kind: &str, inner: &str| format!("<p:sp><p:ph type=\"{kind}\"/>{inner}</p:sp>");
        let table = format!("<a:tbl><a:tr><a:tc>{}</a:tc><a:tc>{}</a:tc></a:tr></a:tbl>", p("Who"), p("Days"));
        let first = format!(
            "<s>{}{}{}</s>",
            shape("sldNum", &p("7")),
            shape("title", &p("Leave")),
            shape("body", &(p("25 days") + &p("plus 5")))
        );
        let second = format!("<s>{table}</s>");
        let notes = format!("<s>{}</s>", shape("body", &p("Smile.")));
        let relation = |id: &str, kind: &str, target: &str| {
            format!("<Relationship Id=\"{id}\" Type=\"http://x/{kind}\" Target=\"{target}\"/>")
        };
        let order = "<p:presentation xmlns:r=\"r\"><p:sldIdLst><p:sldId id=\"1\" r:id=\"b\"/><p:sldId id=\"2\" r:id=\"a\"/></p:sldIdLst></p:presentation>";
        let relations = format!(
            "<R>{}{}</R>",
            relation("a", "slide", "slides/slide1.xml"),
            relation("b", "slide", "slides/slide2.xml")
        );
        let noted = format!("<R>{}</R>", relation("n", "notesSlide", "../notesSlides/n.xml"));
        let parsed = parse(&zipped([
            ("ppt/presentation.xml", order.as_bytes()),
            ("ppt/_rels/presentation.xml.rels", relations.as_bytes()),
            ("ppt/slides/slide1.xml", second.as_bytes()),
            ("ppt/slides/slide2.xml", first.as_bytes()),
            ("ppt/slides/_rels/slide2.xml.rels", noted.as_bytes()),
            ("ppt/notesSlides/n.xml", notes.as_bytes()),
        ]))
        .unwrap();
        assert_eq!(parsed.text, "Leave\n\n25 days\nplus 5\n\nNotes: Smile.\n\nWho | Days");
        assert_eq!(parsed.title.as_deref(), Some("Leave"));
        let pages = ["25", "Smile", "Who"].map(|word| parsed.page(parsed.text.find(word).unwrap()));
        assert_eq!(pages, [Some(1), Some(1), Some(2)]);
    }
}
