//! HTML: the text of the page without markup, scripts, navigation and footers; where it says what its main part is, of
//! that alone.
//!
//! Tokens and their places come from html5gum; tags it does not know are text containers like any other, so broken
//! pages give their words rather than nothing.

use std::ops::Range;

use html5gum::Tokenizer;
use html5gum::emitters::default::{DefaultEmitter, Token};

use super::{Block, Parsed};

/// Nothing inside is what the page says.
const SKIPPED: [&[u8]; 10] =
    [b"script", b"style", b"nav", b"footer", b"template", b"noscript", b"svg", b"head", b"iframe", b"select"];
/// Begin and end a block.
const BLOCKS: [&[u8]; 26] = [
    b"p",
    b"div",
    b"section",
    b"article",
    b"main",
    b"ul",
    b"ol",
    b"dl",
    b"table",
    b"pre",
    b"blockquote",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"header",
    b"aside",
    b"figure",
    b"form",
    b"hr",
    b"address",
    b"details",
    b"body",
    b"dd",
];
/// Begin a line within a block.
const LINES: [&[u8]; 7] = [b"li", b"tr", b"br", b"dt", b"caption", b"option", b"summary"];

#[derive(Default)]
struct Page {
    parsed: Parsed,
    /// Where the open block began, if anything was written since.
    block: Option<usize>,
    heading: Option<u8>,
    preformatted: bool,
}

impl Page {
    fn end_block(&mut self) {
        let level = self.heading.take();
        let Some(start) = self.block.take() else { return };
        let end = self.parsed.text.trim_end().len().max(start);
        let heading = level.map(|level| (level, self.parsed.text[start..end].to_owned()));
        self.parsed.blocks.push(Block { range: start..end, heading });
        self.separate("\n\n");
    }

    /// Writes white space that stands for markup; its source is the place between two runs.
    fn separate(&mut self, space: &str) {
        if self.parsed.text.is_empty() || self.parsed.text.ends_with('\n') {
            return;
        }
        let at = self.parsed.runs.last().map_or(0, |(_, source)| source.end);
        self.parsed.runs.push((self.parsed.text.len(), at..at));
        self.parsed.text.push_str(space);
    }

    fn next_cell(&mut self) {
        self.separate(if self.parsed.text.ends_with(' ') { "| " } else { " | " });
    }

    fn write(&mut self, words: &str, source: Range<usize>) {
        if self.preformatted || words.len() != source.len() {
            // Characters were written as entities: the whole run is traced to its source.
            let collapsed = if self.preformatted { words.to_owned() } else { collapse(words) };
            self.push(&collapsed, source);
            return;
        }
        let mut at = source.start;
        for word in words.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let trimmed = word.trim_end_matches(|c: char| c.is_ascii_whitespace());
            if !trimmed.is_empty() {
                self.push(trimmed, at..at + trimmed.len());
            }
            if trimmed.len() < word.len() && !self.parsed.text.is_empty() && !self.parsed.text.ends_with([' ', '\n']) {
                self.push(" ", at + trimmed.len()..at + trimmed.len() + 1);
            }
            at += word.len();
        }
    }

    fn push(&mut self, text: &str, source: Range<usize>) {
        if text.is_empty() {
            return;
        }
        let start = self.parsed.text.len();
        if self.block.is_none() {
            if text.trim().is_empty() {
                return;
            }
            self.block = Some(start);
        }
        // A run that goes on where the last one ended is the same run.
        let follows = self.parsed.runs.last().is_some_and(|(from, last)| {
            last.end == source.start && last.len() == start - from && text.len() == source.len()
        });
        match self.parsed.runs.last_mut() {
            Some((_, last)) if follows => last.end = source.end,
            _ => self.parsed.runs.push((start, source)),
        }
        self.parsed.text.push_str(text);
    }
}

fn collapse(words: &str) -> String {
    let edge = |c: char| if c.is_ascii_whitespace() { " " } else { "" };
    let inner = words.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let (first, last) = (words.chars().next(), words.chars().next_back());
    if inner.is_empty() {
        first.map_or("", edge).to_owned()
    } else {
        format!("{}{inner}{}", first.map_or("", edge), last.map_or("", edge))
    }
}

/// A main part with less text than this was put there by a program that has not filled it.
const LEAST_MAIN: usize = 200;

pub(super) fn parse(source: &str) -> Parsed {
    let main = source.contains("<main").then(|| read(source, true));
    main.filter(|main| main.text.len() >= LEAST_MAIN).unwrap_or_else(|| read(source, false))
}

fn read(source: &str, only_main: bool) -> Parsed {
    let mut emitter = DefaultEmitter::<usize>::new_with_span();
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    let (mut skipping, mut title): (Vec<Vec<u8>>, Option<String>) = (Vec::new(), None);
    let (mut in_title, mut outside) = (false, only_main);
    for token in Tokenizer::new_with_emitter(source, emitter).flatten() {
        match token {
            Token::StartTag(tag) => {
                let name = tag.name.as_slice();
                in_title |= name == b"title" && title.is_none();
                if SKIPPED.contains(&name) && !tag.self_closing {
                    skipping.push(name.to_vec());
                } else if name == b"body" || name == b"main" {
                    // A page that forgot to close its head still has a body.
                    skipping.clear();
                }
                outside &= name != b"main";
                if skipping.is_empty() && !outside {
                    if BLOCKS.contains(&name) {
                        page.end_block();
                    } else if LINES.contains(&name) {
                        page.separate("\n");
                    } else if matches!(name, b"td" | b"th") {
                        page.next_cell();
                    }
                    if let [b'h', level @ b'1'..=b'6'] = name {
                        page.heading = Some(level - b'0');
                    }
                    page.preformatted |= name == b"pre";
                }
            }
            Token::EndTag(tag) => {
                let name = tag.name.as_slice();
                in_title &= name != b"title";
                if let Some(at) = skipping.iter().rposition(|open| open == name) {
                    skipping.truncate(at);
                } else if skipping.is_empty() && BLOCKS.contains(&name) {
                    page.end_block();
                    page.preformatted &= name != b"pre";
                    outside |= only_main && name == b"main";
                }
            }
            Token::String(words) => {
                let text = String::from_utf8_lossy(&words.value);
                if in_title {
                    title.get_or_insert_default().push_str(&text);
                } else if skipping.is_empty() && !outside {
                    page.write(&text, words.span.start..words.span.end);
                }
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.end_block();
    let mut parsed = page.parsed;
    let first = || parsed.blocks.iter().find_map(|block| block.heading.as_ref().map(|(_, text)| text.clone()));
    let stated = title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|t| !t.is_empty());
    parsed.title = stated.or_else(first);
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!doctype html><html><head><title>Leave &amp; pay</title><style>p{}</style></head><body>\
        <nav>Home</nav><h1>Leave</h1><p>You have <b>25 days</b>,\n plus   five.</p><table><tr><td>A</td><td>1</td></tr>\
        <tr><td>B</td><td>&euro;2</td></tr></table><script>alert('x')</script><footer>(c)</footer></body></html>";

    #[test]
    fn the_words_without_the_markup() {
        let parsed = parse(PAGE);
        assert_eq!(parsed.title.as_deref(), Some("Leave & pay"));
        assert_eq!(parsed.text.trim_end(), "Leave\n\nYou have 25 days, plus five.\n\nA | 1\nB | \u{20ac}2");
        assert_eq!(parsed.blocks[0].heading, Some((1, "Leave".into())));
        assert_eq!(parsed.blocks.len(), 3);
    }

    #[test]
    fn of_a_page_that_names_its_main_part_only_that() {
        let long = "Everybody has leave. ".repeat(12);
        let page = format!("<title>T</title><div>Shop</div><main><h1>Leave</h1><p>{long}</p></main><div>Imprint</div>");
        let parsed = parse(&page);
        assert!(parsed.text.starts_with("Leave") && !parsed.text.contains("Imprint"), "{}", parsed.text);
        assert_eq!(parsed.title.as_deref(), Some("T"));
        assert_eq!(&page[parsed.source_span(0..5)], "Leave");
        let parsed = parse("<div>All of it</div><main></main>");
        assert_eq!(parsed.text.trim(), "All of it");
        let spaced = parse("<table><tr> <td>A</td> <td>1</td> </tr></table>");
        assert_eq!(spaced.text.trim_end(), "A | 1");
    }

    #[test]
    fn words_are_traced_back_to_the_page() {
        let parsed = parse(PAGE);
        for word in ["Leave", "25 days", "five", "A", "B"] {
            let at = parsed.text.find(word).unwrap();
            let span = parsed.source_span(at..at + word.len());
            assert_eq!(&PAGE[span], word);
        }
        let at = parsed.text.find('\u{20ac}').unwrap();
        assert_eq!(&PAGE[parsed.source_span(at..at + 3)], "&euro;2");
    }

    #[test]
    fn broken_pages_give_their_words() {
        for page in [
            "<p>one<p>two",
            "<head><title>t</title><body>one two",
            "one <b two",
            "</div></p>one two",
            "<pre>one\n  two",
        ] {
            assert!(parse(page).text.contains("one"), "{page}: {:?}", parse(page));
        }
        assert_eq!(parse("").blocks.len(), 0);
    }
}
