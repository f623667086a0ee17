//! Here are numbers: how are they drawn? Plots are SVG inside the page; every one has its numbers in words too.

use super::{Html, shown};
use crate::histogram::Histogram;

const WIDTH: f64 = 480.0;

/// A bar with a name, a value and its interval.
pub(super) struct Bar<'a> {
    pub name: &'a str,
    pub value: f64,
    pub interval: Option<(f64, f64)>,
}

/// Bars from 0 to 1, one under the other.
pub(super) fn bars(html: &mut Html, title: &str, bars: &[Bar<'_>]) {
    const ROW: f64 = 28.0;
    const LEFT: f64 = 150.0;
    let (scale, height) = (WIDTH - LEFT - 56.0, ROW * bars.len() as f64 + 24.0);
    begin(html, title, height);
    for step in 0..=4 {
        let x = LEFT + scale * f64::from(step) / 4.0;
        line(html, "grid", (x, 0.0), (x, height - 20.0));
        html.raw("<text text-anchor=\"middle\" x=\"").at(x).raw("\" y=\"").at(height - 5.0).raw("\">");
        html.text(&(f64::from(step) / 4.0).to_string()).raw("</text>");
    }
    for (bar, row) in bars.iter().zip(0u32..) {
        let y = ROW * f64::from(row);
        let place = |value: f64| LEFT + scale * value.clamp(0.0, 1.0);
        html.raw("<text class=\"ink\" text-anchor=\"end\" x=\"").at(LEFT - 8.0).raw("\" y=\"").at(y + 18.0).raw("\">");
        html.text(&shortened(bar.name, 21)).raw("</text>");
        rect(html, "bar", (LEFT, y + 5.0), (place(bar.value) - LEFT, 17.0));
        let mut end = place(bar.value);
        if let Some((low, high)) = bar.interval {
            let middle = y + 13.5;
            line(html, "whisker", (place(low), middle), (place(high), middle));
            line(html, "whisker", (place(low), middle - 4.0), (place(low), middle + 4.0));
            line(html, "whisker", (place(high), middle - 4.0), (place(high), middle + 4.0));
            end = end.max(place(high));
        }
        html.raw("<text class=\"ink\" x=\"").at(end + 6.0).raw("\" y=\"").at(y + 18.0).raw("\">");
        html.value(bar.value).raw("</text>");
    }
    html.raw("</svg>");
}

/// Values in equal parts of a range.
pub(super) fn histogram(html: &mut Html, title: &str, unit: &str, histogram: &Histogram) {
    const HEIGHT: f64 = 150.0;
    let most = histogram.counts.iter().copied().max().unwrap_or_default();
    if most == 0 {
        html.element("<p class=\"soft\">", "nothing was measured", "</p>");
        return;
    }
    begin(html, title, HEIGHT + 40.0);
    let width = (WIDTH - 20.0) / histogram.counts.len() as f64;
    for (count, i) in histogram.counts.iter().zip(0u32..) {
        let height = HEIGHT * *count as f64 / most as f64;
        rect(html, "bar", (10.0 + width * f64::from(i) + 0.5, HEIGHT + 10.0 - height), (width - 1.0, height));
    }
    line(html, "grid", (10.0, HEIGHT + 10.0), (WIDTH - 10.0, HEIGHT + 10.0));
    for (part, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        let value = histogram.from + (histogram.to - histogram.from) * part;
        html.raw("<text text-anchor=\"").text(anchor).raw("\" x=\"").at(10.0 + (WIDTH - 20.0) * part);
        html.raw("\" y=\"").at(HEIGHT + 28.0).raw("\">").value(value).text(unit).raw("</text>");
    }
    html.raw("</svg>");
    if histogram.above > 0 {
        let plural = if histogram.above == 1 { "value lies" } else { "values lie" };
        html.raw("<p class=\"soft\">").count(histogram.above as u64).raw(" ").text(plural).raw(" above.</p>");
    }
}

/// Lines over eleven levels, each with a name.
pub(super) fn curves(html: &mut Html, title: &str, curves: &[(&str, &[f64])]) {
    const HEIGHT: f64 = 210.0;
    const LEFT: f64 = 40.0;
    // Colours are few; so are bands.
    const LINES: [&str; 5] = ["curve l0", "curve l1", "curve l2", "curve l3", "curve l4"];
    const DOTS: [&str; 5] = ["d0", "d1", "d2", "d3", "d4"];
    let scale = WIDTH - LEFT - 24.0;
    begin(html, title, HEIGHT + 60.0);
    for step in 0..=4 {
        let share = f64::from(step) / 4.0;
        let (x, y) = (LEFT + scale * share, 8.0 + HEIGHT * (1.0 - share));
        line(html, "grid", (LEFT, y), (LEFT + scale, y));
        html.raw("<text text-anchor=\"end\" x=\"").at(LEFT - 6.0).raw("\" y=\"").at(y + 4.0).raw("\">");
        html.text(&share.to_string())
            .raw("</text><text text-anchor=\"middle\" x=\"")
            .at(x)
            .raw("\" y=\"")
            .at(HEIGHT + 26.0);
        html.raw("\">").text(&share.to_string()).raw("</text>");
    }
    let mut x_of_name = LEFT;
    for ((name, levels), n) in curves.iter().zip(0usize..) {
        html.raw("<polyline class=\"").raw(LINES[n % LINES.len()]).raw("\" points=\"");
        for (level, i) in levels.iter().zip(0u32..) {
            html.at(LEFT + scale * f64::from(i) / 10.0).raw(",").at(8.0 + HEIGHT * (1.0 - level)).raw(" ");
        }
        html.raw("\"/>");
        rect(html, DOTS[n % DOTS.len()], (x_of_name, HEIGHT + 40.0), (10.0, 10.0));
        html.raw("<text class=\"ink\" x=\"").at(x_of_name + 15.0).raw("\" y=\"").at(HEIGHT + 50.0).raw("\">");
        html.text(name).raw("</text>");
        x_of_name += 30.0 + 8.0 * name.chars().count() as f64;
    }
    html.raw("</svg>");
}

/// A difference with its interval, around 0.
pub(super) fn difference(html: &mut Html, title: &str, (value, low, high): (f64, f64, f64), most: f64) {
    let place = |value: f64| 110.0 + 100.0 * (value / most.max(1e-9)).clamp(-1.0, 1.0);
    html.raw("<svg style=\"width:220px\" viewBox=\"0 0 220 22\" role=\"img\" aria-label=\"").text(title).raw("\">");
    line(html, "grid", (110.0, 0.0), (110.0, 22.0));
    let (class, from) = if value < 0.0 { ("down", place(value)) } else { ("up", 110.0) };
    rect(html, class, (from, 6.0), ((place(value) - 110.0).abs(), 10.0));
    line(html, "whisker", (place(low), 11.0), (place(high), 11.0));
    html.raw("</svg>");
}

fn begin(html: &mut Html, title: &str, height: f64) {
    html.raw("<svg viewBox=\"0 0 480 ").at(height).raw("\" role=\"img\" aria-label=\"").text(title).raw("\">");
}

fn line(html: &mut Html, class: &'static str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    html.raw("<line class=\"").raw(class).raw("\" x1=\"").at(x1).raw("\" y1=\"").at(y1);
    html.raw("\" x2=\"").at(x2).raw("\" y2=\"").at(y2).raw("\"/>");
}

fn rect(html: &mut Html, class: &'static str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    html.raw("<rect rx=\"1.5\" class=\"").raw(class).raw("\" x=\"").at(x).raw("\" y=\"").at(y);
    html.raw("\" width=\"").at(width.max(0.0)).raw("\" height=\"").at(height.max(0.0)).raw("\"/>");
}

/// At most `most` characters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A share in hundredths.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", shown(share * 100.0))
}
