//! Here are letters with their places: which lines, paragraphs and headings do they make?
//!
//! Letters come in the order in which the page draws them, which is the order of reading in nearly every file, columns
//! included. A letter that does not go on where the one before ended begins a word, a line or a paragraph. What is set
//! larger than most of the text, and is short, is a heading; the three largest sizes are its levels.

use std::collections::BTreeMap;

use hayro_interpret::kurbo::Point;
use safepassage_error::Result;

use crate::parse::Parsed;
use crate::parse::draft::{Draft, MOST_BYTES, too_long};

/// Gaps within a line, as a share of the size: a blank, and the next cell of a table.
const BLANK: f64 = 0.15;
const CELL: f64 = 2.5;
/// The way down to the next line of the same paragraph, at most.
const LINE: f64 = 1.75;
/// How much larger than most of the text a heading is set.
const LARGER: f64 = 1.12;
const MOST_HEADING: usize = 160;
const LEVELS: usize = 3;

/// One glyph, where x goes right and y down.
pub(super) struct Placed {
    pub letters: String,
    pub from: Point,
    pub to: Point,
    pub size: f64,
}

#[derive(Default)]
pub(super) struct Layout {
    paragraphs: Vec<Paragraph>,
    last: Option<Last>,
    pages: usize,
    bytes: usize,
}

struct Paragraph {
    /// From 1.
    page: usize,
    text: String,
    size: f64,
}

/// The letter before.
struct Last {
    from: Point,
    to: Point,
    size: f64,
    letters: String,
    /// Where its line begins.
    line: Point,
}

enum Step {
    Same,
    Next,
    Blank,
    Cell,
    Line,
    Paragraph,
}

impl Layout {
    pub fn begin_page(&mut self) {
        self.pages += 1;
        self.last = None;
    }

    pub fn place(&mut self, placed: &Placed) {
        let whole =
            [placed.from.x, placed.from.y, placed.to.x, placed.to.y, placed.size].into_iter().all(f64::is_finite);
        if !whole || placed.size < 0.01 || self.bytes > MOST_BYTES {
            return;
        }
        let step = self.last.as_ref().map_or(Step::Paragraph, |last| step(last, placed));
        if matches!(step, Step::Same) {
            return;
        }
        let letters = plain(&placed.letters);
        if matches!(step, Step::Paragraph) || self.paragraphs.is_empty() {
            self.paragraphs.push(Paragraph { page: self.pages, text: String::new(), size: placed.size });
        }
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        let text = &mut paragraph.text;
        let before = text.len();
        match step {
            Step::Line if text.ends_with('-') && letters.starts_with(char::is_lowercase) => drop(text.pop()),
            Step::Line => text.push('\n'),
            Step::Cell => text.push('\t'),
            Step::Blank if !text.ends_with(char::is_whitespace) && !letters.starts_with(char::is_whitespace) => {
                text.push(' ');
            }
            _ => {}
        }
        text.push_str(&letters);
        self.bytes += text.len().saturating_sub(before);
        let begins_line = matches!(step, Step::Line | Step::Paragraph);
        let line = self.last.as_ref().filter(|_| !begins_line).map_or(placed.from, |last| last.line);
        let Placed { from, to, size, .. } = *placed;
        self.last = Some(Last { from, to, size, letters: placed.letters.clone(), line });
    }

    pub fn finish(self, title: Option<String>) -> Result<Parsed> {
        if self.bytes > MOST_BYTES {
            return Err(too_long());
        }
        let levels = self.levels();
        let mut draft = Draft::default();
        draft.title(&title.unwrap_or_default());
        let mut page = 0;
        for Paragraph { page: on, text, size } in &self.paragraphs {
            while page < *on {
                draft.page();
                page += 1;
            }
            match levels.iter().position(|level| *level == tenths(*size)) {
                Some(level) if text.len() <= MOST_HEADING && text.chars().any(char::is_alphabetic) => {
                    if level == 0 {
                        draft.title(text);
                    }
                    draft.heading(level as u8 + 1, text)?;
                }
                _ => draft.paragraph(text)?,
            }
        }
        Ok(draft.finish())
    }

    /// The sizes of headings, the largest first.
    fn levels(&self) -> Vec<u64> {
        let (mut all, mut short) = (BTreeMap::<u64, usize>::new(), BTreeMap::<u64, usize>::new());
        for Paragraph { text, size, .. } in &self.paragraphs {
            *all.entry(tenths(*size)).or_default() += text.len();
            if text.len() <= MOST_HEADING {
                *short.entry(tenths(*size)).or_default() += text.len();
            }
        }
        let most = all.iter().max_by_key(|(_, bytes)| **bytes).map_or(0, |(size, _)| *size);
        let larger = |size: &&u64| **size as f64 >= most as f64 * LARGER;
        // A size in which long texts are set too is no size of headings.
        let heading = |size: &&u64| short.get(*size).is_some_and(|bytes| bytes * 2 > all[*size]);
        all.keys().rev().filter(larger).filter(heading).take(LEVELS).copied().collect()
    }
}

fn tenths(size: f64) -> u64 {
    (size * 10.0).round() as u64
}

fn step(last: &Last, placed: &Placed) -> Step {
    let size = last.size.max(placed.size);
    if last.from.distance(placed.from) < size * 0.05 && last.letters == placed.letters {
        // Drawn twice to look bold.
        return Step::Same;
    }
    // Along the line that the last letter stands on, and across it.
    let (along, length) = (last.to - last.from, last.from.distance(last.to));
    let way = placed.from - last.to;
    let along = if length > size * 0.01 { along / length } else { (1.0, 0.0).into() };
    let (gap, across) = (way.dot(along), along.cross(way));
    if across.abs() < size * 0.5 && gap > -size {
        return match gap {
            gap if gap > size * CELL => Step::Cell,
            gap if gap > size * BLANK => Step::Blank,
            _ => Step::Next,
        };
    }
    let other_size = tenths(last.size) != tenths(placed.size) && (last.size / placed.size - 1.0).abs() > 0.05;
    let down = placed.from - last.line;
    let (indent, down) = (down.dot(along).abs(), along.cross(down));
    let goes_on = down > 0.0 && across < size * LINE && indent < size * 12.0;
    if goes_on && !other_size { Step::Line } else { Step::Paragraph }
}

/// Letters that fonts have in one are written as two.
fn plain(letters: &str) -> String {
    let mut plain = String::with_capacity(letters.len());
    for letter in letters.chars() {
        match letter {
            '\u{fb00}' => plain.push_str("ff"),
            '\u{fb01}' => plain.push_str("fi"),
            '\u{fb02}' => plain.push_str("fl"),
            '\u{fb03}' => plain.push_str("ffi"),
            '\u{fb04}' => plain.push_str("ffl"),
            '\u{ad}' => plain.push('-'),
            '\u{a0}' => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(layout: &mut Layout, text: &str, (x, y): (f64, f64), size: f64) {
        for (n, letter) in text.chars().enumerate() {
            let from = Point::new(x + n as f64 * size * 0.5, y);
            let to = Point::new(from.x + size * 0.5, y);
            layout.place(&Placed { letters: letter.to_string(), from, to, size });
        }
    }

    #[test]
    fn words_lines_paragraphs_pages_and_headings() {
        let mut layout = Layout::default();
        layout.begin_page();
        set(&mut layout, "Leave", (50.0, 50.0), 20.0);
        set(&mut layout, "Everybody", (50.0, 90.0), 10.0);
        set(&mut layout, "has", (100.0, 90.0), 10.0);
        set(&mut layout, "25 work-", (50.0, 102.0), 10.0);
        set(&mut layout, "ing days of it in every year.", (50.0, 114.0), 10.0);
        set(&mut layout, "Who", (50.0, 150.0), 10.0);
        set(&mut layout, "Days", (200.0, 150.0), 10.0);
        layout.begin_page();
        layout.begin_page();
        set(&mut layout, "The o\u{fb03}ce.", (50.0, 50.0), 10.0);
        let parsed = layout.finish(None).unwrap();
        assert_eq!(
            parsed.text,
            "Leave\n\nEverybody has\n25 working days of it in every year.\n\nWho\tDays\n\nThe office."
        );
        assert_eq!(parsed.title.as_deref(), Some("Leave"));
        assert_eq!(parsed.blocks[0].heading, Some((1, "Leave".into())));
        let page = |word| parsed.page(parsed.text.find(word).unwrap());
        assert_eq!([page("Leave"), page("Days"), page("office")], [Some(1), Some(1), Some(3)]);
    }

    #[test]
    fn what_is_drawn_twice_or_nowhere_is_written_once_or_not() {
        let mut layout = Layout::default();
        layout.begin_page();
        let at =
            |x: f64| Placed { letters: "a".into(), from: Point::new(x, 9.0), to: Point::new(x + 5.0, 9.0), size: 10.0 };
        layout.place(&at(1.0));
        layout.place(&at(1.2));
        layout.place(&at(6.1));
        layout.place(&at(f64::NAN));
        layout.place(&Placed { size: 0.0, ..at(11.0) });
        assert_eq!(layout.finish(Some("T".into())).unwrap().text, "aa");
    }
}
