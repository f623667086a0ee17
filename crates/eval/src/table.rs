//! Here is a report: how does it look in a terminal?

use std::fmt::Write as _;

use crate::compare::Lost;
use crate::drift::{Drift, Side};
use crate::report::Report;
use crate::summary::Summary;

/// The report as lines of text.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    let c = &report.collection;
    let split = c.split.as_ref().map(|split| format!(" ({split})")).unwrap_or_default();
    line(&mut out, &format!("{}{split}: {} questions, {} personas", c.name, c.questions, c.personas));
    let i = &report.index;
    let model = i.model.as_deref().unwrap_or("no model");
    line(&mut out, &format!("{} documents, {} passages, generation {}, {model}", i.documents, i.chunks, i.generation));
    let names: Vec<String> = report.all.measures.keys().cloned().collect();
    let shown = shown(report);
    let mut rows = vec![heading(&shown)];
    rows.push(row("everybody", None, &report.all, &shown));
    if report.personas.len() > 1 {
        rows.extend(report.personas.iter().map(|p| row(&p.persona, Some(p.selectivity), &p.summary, &shown)));
    }
    if report.bands.len() > 1 {
        rows.extend(report.bands.iter().map(|b| row(&format!("sees {}", b.band), None, &b.summary, &shown)));
    }
    line(&mut out, "");
    aligned(&mut out, &rows);
    if names.is_empty() {
        line(&mut out, "no question has an answer that anybody who asks may see");
    }
    let all = &report.all;
    if all.out_of_reach > 0 {
        line(
            &mut out,
            &format!("{} relevant documents may not be seen by who asked, and count for nothing", all.out_of_reach),
        );
    }
    if all.missing > 0 {
        line(&mut out, &format!("{} relevant documents are not in the index, and count as not found", all.missing));
    }
    if let Some(against) = &report.against {
        line(&mut out, &format!("\nagainst {}: {} pairs", against.against, against.pairs));
        let mut rows = vec![
            ["", "here", "there", "difference", "95% interval", "p", "better", "same", "worse"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for name in &shown {
            let Some(c) = against.measures.get(name) else { continue };
            let d = &c.difference;
            let interval = format!("{:+.4} to {:+.4}", d.low, d.high);
            let values = [
                format!("{:.4}", c.here),
                format!("{:.4}", c.there),
                format!("{:+.4}", d.mean),
                interval,
                format!("{:.4}", c.p),
            ];
            let counts = [c.wins, c.ties, c.losses].map(|count| count.to_string());
            rows.push([name.clone()].into_iter().chain(values).chain(counts).collect());
        }
        aligned(&mut out, &rows);
        let worst = against.measures.get(&shown[0]).map(|c| c.worst.as_slice()).unwrap_or_default();
        if !worst.is_empty() {
            let named =
                |lost: &Lost| format!("{} ({}, {:.2} for {:.2})", lost.question, lost.persona, lost.here, lost.there);
            line(&mut out, &format!("lost most: {}", worst.iter().take(5).map(named).collect::<Vec<_>>().join(", ")));
        }
    }
    if let Some(canaries) = &report.canaries {
        let proof = if canaries.proved {
            "each found by somebody who may read it"
        } else {
            "NOT each found by somebody who may read it"
        };
        line(&mut out, &format!("{} canaries, {proof}", canaries.canaries));
    }
    for verdict in report.gate.iter().flat_map(|gate| &gate.lines) {
        line(&mut out, &format!("gate {}", verdict.text()));
    }
    for leak in report.leaks.iter().take(20) {
        let by = leak.question.as_ref().map_or_else(|| "is listed".to_owned(), |id| format!("question {id}"));
        line(&mut out, &format!("LEAK: {} to {} ({by})", leak.document, leak.persona));
    }
    if report.leaks.len() > 20 {
        line(&mut out, &format!("… and {} leaks more", report.leaks.len() - 20));
    }
    out
}

/// What became of embeddings, as lines of text.
#[must_use]
pub fn drift_table(drift: &Drift) -> String {
    let mut out = String::new();
    let changed = drift.documents;
    line(
        &mut out,
        &format!(
            "documents: {} added, {} deleted, {} changed, {} as they were",
            changed.added, changed.deleted, changed.changed, changed.unchanged
        ),
    );
    let mut rows = vec![["", "from", "to"].map(str::to_owned).to_vec()];
    let mut row = |name: &str, value: &dyn Fn(&Side) -> String| {
        rows.push(vec![name.to_owned(), value(&drift.from), value(&drift.to)]);
    };
    row("generation", &|side| side.generation.to_string());
    row("passages", &|side| side.chunks.to_string());
    row("vectors drawn", &|side| side.drawn.to_string());
    row("mean length", &|side| format!("{:.4}", side.norms.mean));
    row("lengths far from it", &|side| side.norms.outliers.to_string());
    row("copies of others", &|side| format!("{:.4}", side.duplicates));
    row("skewness of N_10", &|side| format!("{:.3}", side.hubs.skewness));
    row("largest N_10", &|side| side.hubs.most.to_string());
    row("near to nobody", &|side| format!("{:.3}", side.hubs.of_nobody));
    if let Some(scores) = &drift.scores {
        rows.push(vec![
            "best score, median".into(),
            format!("{:.4}", scores.from.p50),
            format!("{:.4}", scores.to.p50),
        ]);
        if let (Some(from), Some(to)) = (scores.from.below_least_score, scores.to.below_least_score) {
            rows.push(vec!["below the least score".into(), format!("{from:.4}"), format!("{to:.4}")]);
        }
    }
    aligned(&mut out, &rows);
    if let Some(shift) = &drift.shift {
        line(
            &mut out,
            &format!(
                "means: {:.4} apart, {:.4} standard deviations a dimension",
                shift.mean_distance, shift.standardised
            ),
        );
        line(&mut out, &format!("energy distance {:.5}, p {:.4}", shift.energy, shift.energy_p));
    }
    if let Some(scores) = &drift.scores {
        line(&mut out, &format!("best scores: largest difference {:.4}, p {:.4}", scores.largest_difference, scores.p));
    }
    out
}

/// The measures that are shown: of the first k nDCG and MRR, and recall at each k.
fn shown(report: &Report) -> Vec<String> {
    let [first, rest @ ..] = &*report.run.k else { return Vec::new() };
    let mut shown = vec![format!("ndcg@{first}"), format!("mrr@{first}"), format!("recall@{first}")];
    shown.extend(rest.iter().map(|k| format!("recall@{k}")));
    shown
}

fn heading(shown: &[String]) -> Vec<String> {
    let fixed = ["leaks", "k-fill", "of exact", "unanswerable", "p50 ms", "p99 ms"];
    let names = shown.iter().map(String::as_str).chain(fixed);
    ["", "sees", "asked"].into_iter().chain(names).map(str::to_owned).collect()
}

fn row(name: &str, selectivity: Option<f64>, summary: &Summary, shown: &[String]) -> Vec<String> {
    let percent =
        |share: f64| format!("{:.4}", share * 100.0).trim_end_matches('0').trim_end_matches('.').to_owned() + "%";
    let mut row = vec![name.to_owned(), selectivity.map(percent).unwrap_or_default(), summary.asked.to_string()];
    let value = |name: &String| summary.measures.get(name).map_or_else(|| "–".to_owned(), |m| format!("{:.4}", m.mean));
    row.extend(shown.iter().map(value));
    row.push(summary.leaks.to_string());
    row.push(format!("{:.3}", summary.k_fill));
    row.push(summary.recall_of_search.map_or_else(|| "–".to_owned(), |recall| format!("{recall:.4}")));
    row.push(format!("{:.3}", summary.unanswerable));
    row.push(format!("{:.2}", summary.latency.p50_ms));
    row.push(format!("{:.2}", summary.latency.p99_ms));
    row
}

/// Rows with their columns under each other, the first to the left and the others to the right.
pub(crate) fn aligned(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for row in rows {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        line(out, text.trim_end());
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
