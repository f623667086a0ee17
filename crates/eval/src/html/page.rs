//! Here is a report: what stands on its page, from top to bottom?

use super::parts::{canaries, comparison, gate, leaks, questions, summaries};
use super::plot::{Bar, bars, curves, histogram, percent};
use super::style::STYLE;
use super::{Html, shown};
use crate::report::Report;

/// The report as one page of HTML.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    // Nothing is loaded and nothing runs, whatever a text says.
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
    html.raw("<title>Retrieval: ").text(&report.collection.name).raw("</title><style>").raw(STYLE);
    html.raw("</style></head><body><main>");
    heading(&mut html, report);
    tiles(&mut html, report);
    gate(&mut html, report);
    leaks(&mut html, report);
    canaries(&mut html, report);
    html.raw("<h2>Who asked</h2>");
    summaries(&mut html, report);
    plots(&mut html, report);
    comparison(&mut html, report);
    questions(&mut html, report);
    footer(&mut html, report);
    html.raw("</main></body></html>\n");
    html.finish()
}

fn heading(html: &mut Html, report: &Report) {
    let (collection, index) = (&report.collection, &report.index);
    html.raw("<h1>Retrieval on ").text(&collection.name);
    if let Some(split) = &collection.split {
        html.raw(" (").text(split).raw(")");
    }
    html.raw("</h1><p class=\"soft\">").count(collection.questions as u64).raw(" questions, asked as ");
    html.count(collection.personas as u64).raw(" personas, over ").count(index.documents).raw(" documents (");
    html.count(index.chunks).raw(" passages) of generation ").count(index.generation).raw(", acl_epoch ");
    html.count(index.acl_epoch);
    if let Some(model) = &index.model {
        html.raw(", ").text(model);
    }
    html.raw(". Recall asked for: ").value(f64::from(report.run.recall)).raw(".</p>");
}

fn tiles(html: &mut Html, report: &Report) {
    let (all, k) = (&report.all, report.run.k.first().copied().unwrap_or_default());
    html.raw("<div class=\"tiles\">");
    for (name, shown_as) in [("ndcg", "nDCG"), ("recall", "recall"), ("mrr", "MRR")] {
        if let Some(estimate) = all.measures.get(&format!("{name}@{k}")) {
            tile(html, "", &shown(estimate.mean), &format!("{shown_as}@{k}"));
            html.raw("<br><small>").value(estimate.low).raw(" to ").value(estimate.high).raw("</small></div>");
        }
    }
    let class = if report.leaks.is_empty() { "good" } else { "bad" };
    tile(html, class, &report.leaks.len().to_string(), "leaks");
    html.raw("</div>");
    let class = if all.k_fill < 1.0 { "bad" } else { "" };
    tile(html, class, &percent(all.k_fill), "of searches filled k");
    html.raw("</div>");
    if let Some(recall) = all.recall_of_search {
        tile(html, "", &shown(recall), "recall of the search");
        html.raw("<br><small>against exact</small></div>");
    }
    tile(html, "", &format!("{} ms", shown(all.latency.p50_ms)), "median search");
    html.raw("<br><small>p99 ").value(all.latency.p99_ms).raw(" ms</small></div>");
    tile(html, "", &percent(all.unanswerable), "without an answer that may be seen");
    html.raw("</div></div>");
}

/// A tile, which the caller closes.
fn tile(html: &mut Html, class: &str, value: &str, name: &str) {
    html.raw("<div class=\"tile\"><b class=\"").text(class).raw("\">").text(value);
    html.raw("</b><span>").text(name).raw("</span>");
}

fn plots(html: &mut Html, report: &Report) {
    let Some(k) = report.run.k.first() else { return };
    html.raw("<div class=\"cards\" style=\"margin-top:14px\">");
    for (name, shown_as) in [("ndcg", "nDCG"), ("recall", "Recall")] {
        let measure = format!("{name}@{k}");
        let of = |persona: &'_ crate::OfPersona| {
            let estimate = *persona.summary.measures.get(&measure)?;
            Some((persona.persona.clone(), estimate))
        };
        let found: Vec<_> = report.personas.iter().filter_map(of).take(40).collect();
        let drawn: Vec<Bar<'_>> = found
            .iter()
            .map(|(name, estimate)| Bar { name, value: estimate.mean, interval: Some((estimate.low, estimate.high)) })
            .collect();
        if !drawn.is_empty() {
            let title = format!("{shown_as}@{k} by persona");
            html.raw("<div class=\"card\">").element("<h3>", &title, "</h3>");
            bars(html, &title, &drawn);
            html.raw("<p class=\"soft\">Whiskers hold the mean in 95 of 100 resamplings of the questions.</p></div>");
        }
    }
    let by_band: Vec<(&str, &[f64])> = report
        .bands
        .iter()
        .filter(|band| band.precision_at_recall.len() == 11)
        .map(|band| (band.band, band.precision_at_recall.as_slice()))
        .collect();
    if !by_band.is_empty() {
        html.raw(
            "<div class=\"card\"><h3>Precision (up) at recall (right), by share of documents that may be seen</h3>",
        );
        curves(html, "precision at recall by band", &by_band);
        html.raw("</div>");
    }
    html.raw("<div class=\"card\"><h3>Milliseconds of a search, without embedding</h3>");
    histogram(html, "latency", " ms", &report.distributions.latency_ms);
    html.raw("</div><div class=\"card\"><h3>Score of the best passage</h3>");
    histogram(html, "best scores", "", &report.distributions.best_score);
    html.raw("</div></div>");
}

fn footer(html: &mut Html, report: &Report) {
    html.raw(
        "<footer><p>nDCG has trec_eval's formula. Relevant is what was judged relevant and may be seen by who asks; ",
    );
    html.count(report.all.out_of_reach as u64).raw(" judgements were out of reach, ");
    html.count(report.all.missing as u64).raw(" name documents that are not in the index and count as not found. ");
    html.raw("Leaks are judged by the plain rules over what the access log states, not by the search. ");
    html.raw("This page names documents that not everybody may know of: keep it with operators.</p></footer>");
}
