//! The tables of the page.

use super::plot::{difference, percent};
use super::{Html, shown};
use crate::report::Report;
use crate::summary::Summary;

/// The most rows of a table that can be long.
const MOST_ROWS: usize = 200;

pub(super) fn gate(html: &mut Html, report: &Report) {
    let Some(verdict) = &report.gate else { return };
    let (class, says) = match verdict.passed {
        true => ("banner", "The gate lets it pass."),
        false => ("banner fails", "The gate does not let it pass."),
    };
    html.raw("<div class=\"").raw(class).raw("\"><b>").text(says).raw("</b></div><div class=\"wide\"><table>");
    html.raw("<tr><th>of</th><th class=\"text\">measure</th><th>value</th><th>asked</th><th></th></tr>");
    // What failed is read first.
    for line in verdict.lines.iter().filter(|line| !line.passed).chain(verdict.lines.iter().filter(|line| line.passed))
    {
        html.element("<tr><td>", &line.of, "</td>").element("<td class=\"text\">", &line.measure, "</td>");
        html.element("<td>", &line.value.map_or_else(|| "–".to_owned(), shown), "</td>");
        html.element("<td>", &line.bound, "</td>");
        let (class, says) = if line.passed { ("good", "holds") } else { ("bad", "failed") };
        html.raw("<td class=\"").raw(class).raw("\">").raw(says).raw("</td></tr>");
    }
    html.raw("</table></div>");
}

pub(super) fn leaks(html: &mut Html, report: &Report) {
    if report.leaks.is_empty() {
        return;
    }
    html.raw("<h2 class=\"bad\">Leaks</h2><p>Given to somebody who must not be given it.</p>");
    html.raw("<div class=\"wide\"><table><tr><th>document</th><th class=\"text\">to</th><th>by question</th></tr>");
    for leak in report.leaks.iter().take(MOST_ROWS) {
        html.element("<tr><td>", &leak.document, "</td>").element("<td class=\"text\">", &leak.persona, "</td>");
        html.element("<td>", leak.question.as_deref().unwrap_or("listed as visible"), "</td></tr>");
    }
    html.raw("</table></div>");
    more(html, report.leaks.len());
}

pub(super) fn canaries(html: &mut Html, report: &Report) {
    let Some(canaries) = &report.canaries else { return };
    html.raw("<h2>Canaries</h2><p>").count(canaries.canaries as u64).raw(" documents that few may read; ");
    html.raw(match canaries.proved {
        true => "each was found by somebody who may.</p>",
        false => {
            "<b class=\"bad\">not each was found by somebody who may: that others did not get it shows little.</b></p>"
        }
    });
    html.raw("<div class=\"wide\"><table><tr><th>persona</th><th>may read</th><th>found</th><th>leaks</th></tr>");
    for persona in &canaries.personas {
        html.element("<tr><td>", &persona.persona, "</td>");
        html.raw("<td>").count(persona.may_read as u64).raw("</td><td>").count(persona.found as u64).raw("</td><td");
        html.raw(if persona.leaks.is_empty() { ">" } else { " class=\"bad\">" });
        html.count(persona.leaks.len() as u64).raw("</td></tr>");
    }
    html.raw("</table></div>");
}

pub(super) fn summaries(html: &mut Html, report: &Report) {
    let Some(first) = report.run.k.first() else { return };
    let mut measures: Vec<String> = ["ndcg", "recall", "mrr"].iter().map(|name| format!("{name}@{first}")).collect();
    measures.extend(report.run.k.iter().skip(1).map(|k| format!("recall@{k}")));
    html.raw("<div class=\"wide\"><table><tr><th></th><th>sees</th><th>asked</th>");
    for name in
        measures.iter().map(String::as_str).chain(["leaks", "k filled", "of exact", "no answer", "p50 ms", "p99 ms"])
    {
        html.element("<th>", name, "</th>");
    }
    html.raw("</tr>");
    summary(html, "everybody", "", &report.all, &measures);
    for persona in &report.personas {
        summary(html, &persona.persona, &percent(persona.selectivity), &persona.summary, &measures);
    }
    for band in &report.bands {
        summary(html, &format!("sees {}", band.band), "", &band.summary, &measures);
    }
    html.raw("</table></div>");
}

fn summary(html: &mut Html, name: &str, sees: &str, summary: &Summary, measures: &[String]) {
    html.element("<tr><td>", name, "</td>").element("<td>", sees, "</td>");
    html.raw("<td>").count(summary.asked as u64).raw("</td>");
    for name in measures {
        let value = summary.measures.get(name).map_or_else(|| "–".to_owned(), |estimate| shown(estimate.mean));
        html.element("<td>", &value, "</td>");
    }
    html.raw(if summary.leaks > 0 { "<td class=\"bad\">" } else { "<td>" }).count(summary.leaks as u64).raw("</td>");
    html.raw(if summary.k_fill < 1.0 { "<td class=\"bad\">" } else { "<td>" }).text(&percent(summary.k_fill));
    html.raw("</td>");
    let latency = &summary.latency;
    html.element("<td>", &summary.recall_of_search.map_or_else(|| "–".to_owned(), shown), "</td>");
    html.element("<td>", &percent(summary.unanswerable), "</td>");
    for ms in [latency.p50_ms, latency.p99_ms] {
        html.element("<td>", &shown(ms), "</td>");
    }
    html.raw("</tr>");
}

pub(super) fn comparison(html: &mut Html, report: &Report) {
    let Some(comparison) = &report.against else { return };
    html.raw("<h2>Against ").text(&comparison.against).raw("</h2><p class=\"soft\">");
    html.count(comparison.pairs as u64).raw(" pairs of persona and question; ").count(comparison.unpaired as u64);
    html.raw(
        " that only one side can answer are left out. p is of 10,000 swaps of the two sides, question by question.</p>",
    );
    html.raw("<div class=\"wide\"><table><tr><th>measure</th><th>here</th><th>there</th><th>difference</th><th></th>");
    html.raw("<th>p</th><th>better</th><th>same</th><th>worse</th></tr>");
    let ends = comparison.measures.values().flat_map(|c| [c.difference.low, c.difference.high, c.difference.mean]);
    let most = ends.map(f64::abs).fold(0.0, f64::max);
    for (name, compared) in &comparison.measures {
        let d = &compared.difference;
        html.element("<tr><td>", name, "</td>").element("<td>", &shown(compared.here), "</td>");
        html.element("<td>", &shown(compared.there), "</td><td>").value(d.mean).raw("</td><td>");
        difference(html, name, (d.mean, d.low, d.high), most);
        html.element("</td><td>", &shown(compared.p), "</td><td>").count(compared.wins as u64).raw("</td><td>");
        html.count(compared.ties as u64).raw("</td><td>").count(compared.losses as u64).raw("</td></tr>");
    }
    html.raw("</table></div>");
    let first = report.run.k.first().map(|k| format!("ndcg@{k}")).unwrap_or_default();
    let Some(worst) = comparison.measures.get(&first).map(|compared| &compared.worst).filter(|w| !w.is_empty()) else {
        return;
    };
    html.raw("<h2>What lost most</h2><div class=\"wide\"><table><tr><th>question</th><th class=\"text\">persona</th>");
    html.element("<th>", &first, " here</th><th>there</th></tr>");
    for lost in worst {
        html.element("<tr><td>", &lost.question, "</td>").element("<td class=\"text\">", &lost.persona, "</td><td>");
        html.value(lost.here).raw("</td><td>").value(lost.there).raw("</td></tr>");
    }
    html.raw("</table></div>");
}

pub(super) fn questions(html: &mut Html, report: &Report) {
    let Some(questions) = &report.questions else { return };
    let first = report.run.k.first().map(|k| format!("ndcg@{k}")).unwrap_or_default();
    html.raw("<h2>Question by question, worst first</h2><div class=\"wide\"><table><tr><th>question</th>");
    html.raw("<th class=\"text\">persona</th>").element("<th>", &first, "</th>");
    html.raw("<th class=\"text\">relevant</th><th class=\"text\">found</th></tr>");
    let mut sorted: Vec<_> = questions.iter().collect();
    let value = |question: &crate::OfQuestion| question.measures.get(&first).copied().unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| value(a).total_cmp(&value(b)));
    for question in sorted.into_iter().take(MOST_ROWS) {
        html.raw("<tr><td>").text(&question.text).raw(" <span class=\"soft\">").text(&question.question);
        html.element("</span></td><td class=\"text\">", &question.persona, "</td><td>");
        html.text(&question.measures.get(&first).map_or_else(|| "–".to_owned(), |value| shown(*value)));
        let few = |ids: &[String]| {
            let more = if ids.len() > 3 { ", …" } else { "" };
            ids.iter().take(3).cloned().collect::<Vec<_>>().join(", ") + more
        };
        html.element("</td><td class=\"text\">", &few(&question.relevant), "</td>");
        html.element("<td class=\"text\">", &few(&question.found), "</td></tr>");
    }
    html.raw("</table></div>");
    more(html, questions.len());
}

fn more(html: &mut Html, rows: usize) {
    if rows > MOST_ROWS {
        html.raw("<p class=\"soft\">… and ").count((rows - MOST_ROWS) as u64).raw(" more.</p>");
    }
}
