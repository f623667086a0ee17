//! Markdown: the text stays as it is written; headings and blocks come from pulldown-cmark.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Block, Parsed};

pub(super) fn parse(source: &str) -> Parsed {
    let body = front_matter(source);
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let (mut blocks, mut title, mut depth) = (Vec::<Block>::new(), None, 0usize);
    let mut heading: Option<(u8, String)> = None;
    for (event, range) in Parser::new_ext(&source[body..], options).into_offset_iter() {
        let range = range.start + body..range.end + body;
        match event {
            Event::Start(tag) => {
                if depth == 0 {
                    blocks.push(Block { range, heading: None });
                }
                if let Tag::Heading { level, .. } = tag {
                    heading = Some((level as u8, String::new()));
                }
                depth += 1;
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                if let (TagEnd::Heading(_), Some((level, text))) = (tag, heading.take()) {
                    let text = text.trim().to_owned();
                    if level == 1 && title.is_none() && !text.is_empty() {
                        title = Some(text.clone());
                    }
                    // A heading inside a list or a quote does not begin a section.
                    if depth == 0
                        && let Some(block) = blocks.last_mut()
                    {
                        block.heading = Some((level, text));
                    }
                }
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, words)) = &mut heading {
                    words.push_str(&text);
                } else if depth == 0 {
                    blocks.push(Block { range, heading: None });
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, words)) = &mut heading {
                    words.push(' ');
                }
            }
            _ if depth == 0 => blocks.push(Block { range, heading: None }),
            _ => {}
        }
    }
    Parsed { title, text: source.to_owned(), blocks, ..Parsed::default() }
}

/// Where the text begins behind a `---` header, which says nothing a reader would ask for.
fn front_matter(source: &str) -> usize {
    let Some(rest) = source.strip_prefix("---\n").or_else(|| source.strip_prefix("---\r\n")) else { return 0 };
    let mut at = source.len() - rest.len();
    for line in rest.split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == "---" {
            return at;
        }
    }
    0
}
