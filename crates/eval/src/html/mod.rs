//! Here is a report: how is it one page that a person can read?
//!
//! One file: styles and plots inside, no script, nothing from elsewhere. Ids, names and questions come from documents and
//! people; [`Html`] escapes every text, and only words of this program go in as they are.

mod page;
mod parts;
mod plot;
mod style;

use std::fmt::Write as _;

pub use page::page;

/// A page being written.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

impl Html {
    /// Markup of this program: only literals fit.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, in an element or in a quoted attribute.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // What would turn the reading direction, or be no character of a page.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.push('\u{fffd}'),
                c if c.is_control() && !matches!(c, '\n' | '\t') => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A number for a place in a plot.
    pub fn at(&mut self, place: f64) -> &mut Self {
        let place = if place.is_finite() { place } else { 0.0 };
        let _ = write!(self.0, "{place:.1}");
        self
    }

    /// A whole number.
    pub fn count(&mut self, count: impl TryInto<u64>) -> &mut Self {
        let _ = write!(self.0, "{}", count.try_into().unwrap_or(u64::MAX));
        self
    }

    /// A value with as many digits as say something.
    pub fn value(&mut self, value: f64) -> &mut Self {
        let shown = shown(value);
        self.text(&shown)
    }

    /// An element with a text in it.
    pub fn element(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    pub fn finish(self) -> String {
        self.0
    }
}

/// A value with as many digits as say something.
pub(crate) fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.001 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_escaped() {
        let mut html = Html::default();
        html.text("<script>alert('x\"&')</script>\u{202e}\u{0}\u{7}");
        let wanted = "&lt;script&gt;alert(&#39;x&quot;&amp;&#39;)&lt;/script&gt;\u{fffd}\u{fffd}\u{fffd}";
        assert_eq!(html.finish(), wanted);
    }

    #[test]
    fn numbers_are_numbers() {
        let mut html = Html::default();
        html.at(f64::NAN).raw(" ").at(1.25).raw(" ").count(7u32).raw(" ").value(0.123_456).raw(" ").value(12_345.6);
        assert_eq!(html.finish(), "0.0 1.2 7 0.123 12346");
    }
}
