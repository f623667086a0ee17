//! PDF: the text page by page, in the order in which it is written.
//!
//! hayro reads the file as a program does that shows it; what it would draw are glyphs with letters and places. Lines and
//! paragraphs come of the places, headings of the sizes (`layout`). Streams are measured before anything is inflated
//! (`bounds`), and a file that draws without an end is stopped. A file whose pages have no letters is refused: they are
//! pictures, and nothing of it could be found.

mod bounds;
mod layout;

use std::panic::resume_unwind;

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::hayro_syntax::{LoadPdfError, Pdf};
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, TransformExt, interpret_page,
};
use safepassage_error::{Error, Result};

use super::Parsed;
use super::draft::one_line;
use layout::{Layout, Placed};

/// Things drawn, in one file.
const MOST_DRAWN: u64 = 30_000_000;
const MOST_PAGES: usize = 20_000;
/// What programs write where a title was never given.
const NOT_NAMED: [&str; 3] = ["untitled", "microsoft word - ", "powerpoint presentation"];

pub(super) fn parse(content: &[u8]) -> Result<Parsed> {
    let refused = |what: &str| Error::invalid("parse", what);
    bounds::check(content)?;
    let pdf = Pdf::new(content.to_vec()).map_err(|e| match e {
        LoadPdfError::Decryption(_) => refused("it has a password, or is locked in a way that is not known"),
        LoadPdfError::Invalid => refused("it is not a PDF, or too damaged to be read"),
    })?;
    let pages = pdf.pages();
    if pages.len() > MOST_PAGES {
        return Err(refused(&format!("it has {} pages; the most is {MOST_PAGES}", pages.len())));
    }
    let cache = InterpreterCache::new();
    let mut layout = Layout::default();
    let mut drawn = 0;
    for page in pages.iter() {
        let upright = page.initial_transform(true).to_kurbo();
        let bounds = Rect::new(0.0, 0.0, 1.0, 1.0);
        let mut context = Context::new(upright, bounds, &cache, pdf.xref(), InterpreterSettings::default());
        layout.begin_page();
        let mut letters = Letters { layout: &mut layout, drawn: &mut drawn, last_run: None };
        interpret_page(page, &mut context, &mut letters);
    }
    let stated = pdf.metadata().title.as_deref().map(text_string).map(|title| one_line(&title));
    let named = |title: &String| {
        let lower = title.to_lowercase();
        !title.is_empty() && !NOT_NAMED.iter().any(|program| lower.starts_with(program))
    };
    let parsed = layout.finish(stated.filter(named))?;
    if parsed.blocks.is_empty() {
        return Err(refused(&format!("it has {} pages and no text: they are empty, or pictures", pages.len())));
    }
    Ok(parsed)
}

/// A text of the file that is no page: UTF-16 or UTF-8 by its mark, else near enough Latin-1.
fn text_string(bytes: &[u8]) -> String {
    match encoding_rs::Encoding::for_bom(bytes) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned(),
        None => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Takes the letters out of what is drawn.
struct Letters<'l> {
    layout: &'l mut Layout,
    drawn: &'l mut u64,
    /// Where the run before began and how many glyphs it has: outlines and fillings draw the same twice.
    last_run: Option<(Point, usize)>,
}

impl Letters<'_> {
    /// There is no other way out of a file that calls itself again and again: whoever runs the parser catches it.
    fn count(&mut self, things: usize) {
        *self.drawn += things as u64;
        if *self.drawn > MOST_DRAWN {
            resume_unwind(Box::new("it draws without an end"));
        }
    }
}

impl Device<'_> for Letters<'_> {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, '_>, props: DrawProps<'_>, _: &DrawMode) {
        self.count(run.glyphs().len());
        let Some(first) = run.glyphs().first() else { return };
        let began = (props.transform * first.transform() * Point::ZERO, run.glyphs().len());
        if self.last_run.replace(began).is_some_and(|(at, n)| n == began.1 && at.distance(began.0) < 0.01) {
            return;
        }
        for glyph in run.glyphs() {
            let place: Affine = props.transform * glyph.transform();
            let width = match &**glyph {
                Glyph::Outline(glyph) => glyph.advance_width(),
                Glyph::Type3(glyph) => glyph.advance_width(),
            };
            let letters = match glyph.as_unicode() {
                Some(BfString::Char(letter)) => letter.to_string(),
                Some(BfString::String(letters)) => letters,
                None => continue,
            };
            let from = place * Point::ZERO;
            let to = place * Point::new(f64::from(width.unwrap_or(500.0)), 0.0);
            let size = (place * Point::new(0.0, 1_000.0)).distance(from);
            self.layout.place(&Placed { letters, from, to, size });
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'_>, _: &DrawMode) {
        self.count(1);
    }

    fn draw_rect(&mut self, _: &Rect, _: DrawProps<'_>, _: &DrawMode) {
        self.count(1);
    }

    fn push_clip_path(&mut self, _: &ClipPath) {
        self.count(1);
    }

    fn push_clip_rect(&mut self, _: &Rect) {
        self.count(1);
    }

    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'_>>, _: BlendMode) {
        self.count(1);
    }

    fn draw_image(&mut self, _: Image<'_, '_>, _: ImageDrawProps<'_>) {
        self.count(1);
    }

    fn pop_clip(&mut self) {}

    fn pop_transparency_group(&mut self) {}
}
