//! `safepassage search`, `visible` and `explain`

use safepassage::{Around, Engine, Hit, Reason, Result, Results, Visible};

use crate::args::{Explain, Refine, Search, Who};
use crate::{identity, output};

pub fn search(arguments: &Search, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.who.operate.index)?;
    let session = identity::session(&engine, &arguments.who)?;
    let mut search = session.search(&arguments.query).mode(arguments.mode.into()).fusion(arguments.fusion);
    search = search.k(arguments.k).recall(arguments.recall);
    if let Some(filter) = arguments.narrowed.filter()? {
        search = search.filter(filter);
    }
    let Refine { rerank, candidates, diverse, distinct, around, section, page, merged } = &arguments.refine;
    let reranker = rerank.open()?;
    if let Some(reranker) = &reranker {
        search = search.rerank(&**reranker);
    }
    if let Some(candidates) = candidates {
        search = search.candidates(*candidates);
    }
    if let Some(relevance) = diverse {
        search = search.diverse(*relevance);
    }
    if let Some(around) = around.map(Around::Neighbours).or(section.map(Around::Section)).or(page.map(Around::Page)) {
        search = search.around(around);
    }
    let search = if *distinct { search.distinct() } else { search };
    let search = if *merged { search.merged() } else { search };
    let results = search.run()?;
    show_results(&results, json)
}

pub fn show_results(results: &Results, json: bool) -> Result<()> {
    if json {
        return output::json(results);
    }
    for hit in &results.hits {
        let place = if hit.heading.is_empty() { hit.title.clone().unwrap_or_default() } else { hit.heading.clone() };
        let page = hit.page.map_or_else(String::new, |page| format!("  p. {page}"));
        let Hit { rank, score, document, .. } = hit;
        output::line(&output::printable(&format!("{rank:>2}  {score:.3}  {document}{page}  {place}")))?;
        output::line(&format!("           {}", output::shortened(&hit.text, 240)))?;
    }
    let found = results.hits.len();
    let how = if results.exact { "exact" } else { "approximate" };
    let all = if results.complete { "" } else { ", not complete" };
    output::line(&format!("{found} passages, {how}{all}"))
}

pub fn visible(arguments: &Who, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.operate.index)?;
    let visible = identity::session(&engine, arguments)?.visible()?;
    show_visible(&visible, json)
}

pub fn show_visible(visible: &Visible, json: bool) -> Result<()> {
    if json {
        return output::json(visible);
    }
    visible.documents.iter().try_for_each(|id| output::line(&output::printable(id)))?;
    output::line(&format!("{} documents", visible.count))
}

pub fn explain(arguments: &Explain, json: bool) -> Result<()> {
    let engine = Engine::open(&arguments.who.operate.index)?;
    let who = identity::read(&arguments.who.who, engine.clock())?;
    let mut explanation = engine.explain(&who, &arguments.document)?;
    if explanation.visible
        && let Some(file) = &arguments.who.authorizer
    {
        explanation.visible = identity::session(&engine, &arguments.who)?.explain(&arguments.document)?.visible;
        if !explanation.visible {
            let object = file.display().to_string();
            let path = vec![object.clone()];
            explanation.reasons.push(Reason { effect: "authorizer", principal: None, object, path });
        }
    }
    if json {
        return output::json(&explanation);
    }
    output::line(if explanation.visible { "visible" } else { "not visible" })?;
    for reason in &explanation.reasons {
        let what = reason.effect.replace('_', " ");
        output::line(&output::printable(&format!("  {what}: {}", reason.path.join(" → "))))?;
    }
    Ok(())
}
