//! `safepassage usage`: what did calls of models cost, and what may they?

use safepassage::system::Timestamp;
use safepassage::usage::{By, Measured, Summed, UsageEntry, UsageLine, UsageSettings, day, sum};
use safepassage::{Engine, Error, Result};

use crate::output;
use crate::usage_args::{Settings, Usage};

const DAY_MS: u64 = 86_400_000;

pub fn run(arguments: &Usage, json: bool) -> Result<()> {
    match (&arguments.settings, &arguments.operate) {
        (Some(Settings::Get(operate)), _) => output::json(&Engine::open(&operate.index)?.usage()?.settings()?),
        (Some(Settings::Set { operate, settings }), _) => {
            let bytes = std::fs::read(settings)
                .map_err(|e| Error::invalid("read budgets", format!("`{}` cannot be read: {e}", settings.display())))?;
            let read: UsageSettings = serde_json::from_slice(&bytes)
                .map_err(|e| Error::invalid("read budgets", format!("`{}`: {e}", settings.display())))?;
            let engine = Engine::open(&operate.index)?;
            engine.usage()?.set(&read)?;
            output::json(&engine.usage()?.settings()?)
        }
        (None, Some(operate)) => {
            let engine = Engine::open(&operate.index)?;
            show(arguments, &engine, json)
        }
        (None, None) => Err(Error::invalid("read arguments", "`--index` is missing")),
    }
}

fn show(arguments: &Usage, engine: &Engine, json: bool) -> Result<()> {
    let by: By = arguments.by.parse()?;
    let now = engine.clock().now().0;
    let from = Timestamp(now.saturating_sub(arguments.days.saturating_mul(DAY_MS)));
    let lines = engine.usage_lines(from, Timestamp(now.saturating_add(1)))?;
    if arguments.calls {
        let calls: Vec<_> = lines.iter().filter(|line| matches!(line.entry, UsageEntry::Settled(_))).collect();
        if json {
            return output::json(&serde_json::json!({"calls": calls}));
        }
        return calls.iter().try_for_each(output::json);
    }
    let sums = sum(&lines, by);
    let measured: Vec<&UsageLine> = lines.iter().filter(|line| matches!(line.entry, UsageEntry::Measured(_))).collect();
    if json {
        let all = serde_json::json!({"days": arguments.days, "by": arguments.by, "sums": sums, "measured": measured});
        return output::json(&all);
    }
    for sum in &sums {
        let Summed { name, calls, failed, tokens_in, tokens_out, cost, first_ms_p50, all_ms_p50, all_ms_p99, .. } = sum;
        let name = if name.is_empty() { "-" } else { name };
        let cost: Vec<String> = cost.iter().map(|(currency, cost)| format!("{cost:.4} {currency}")).collect();
        let cost = if cost.is_empty() { "no price".to_owned() } else { cost.join(", ") };
        let said = format!(
            "{name}  {calls} calls, {failed} not ok, {tokens_in} tokens in, {tokens_out} out, {cost}, first piece after {first_ms_p50:.0} ms, all after {all_ms_p50:.0} ms (p99 {all_ms_p99:.0} ms)"
        );
        output::line(&output::printable(&said))?;
    }
    for UsageLine { at_ms, entry } in measured {
        let UsageEntry::Measured(Measured { by, questions, generation, figures }) = entry else { continue };
        let figures: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let of = questions.as_deref().map_or_else(String::new, |questions| format!(" by {questions}"));
        let at = day(*at_ms);
        output::line(&output::printable(&format!("{at}  {by}{of}, generation {generation}: {}", figures.join(", "))))?;
    }
    output::line(&format!("{} in {} days", sums.iter().map(|sum| sum.calls).sum::<u64>(), arguments.days))
}
