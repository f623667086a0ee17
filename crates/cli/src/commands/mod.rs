//! Here is a command: do it.

mod acl;
mod answer;
mod ask;
mod audit;
mod break_glass;
mod canary;
mod counts;
mod eval;
mod fields;
mod import;
mod operate;
mod policy;
mod queue;
mod re_embed;
mod sync;
mod usage;
mod watch;

use std::process::ExitCode;

use safepassage::Result;

use crate::args::{Arguments, Command};

/// Does it, and says what the process ends with.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let json = arguments.json;
    let done = match &arguments.command {
        Command::Eval(eval) => return eval::run(eval, json),
        Command::Canary(command) => return canary::run(command, json),
        Command::Sync(sync) => sync::run(sync, json),
        Command::Search(search) => ask::search(search, json),
        Command::Ask(ask) => answer::run(ask, json),
        Command::Visible(who) => ask::visible(who, json),
        Command::Facets(facets) => counts::facets(facets, json),
        Command::Count(count) => counts::count(count, json),
        Command::Explain(explain) => ask::explain(explain, json),
        Command::Acl(acl) => acl::run(acl, json),
        Command::Audit(audit) => audit::run(audit, json),
        Command::BreakGlass(command) => break_glass::run(command, json),
        Command::Policy(policy) => policy::run(policy, json),
        Command::Fields(command) => fields::run(command, json),
        Command::ReEmbed(arguments) => re_embed::re_embed(arguments, json),
        Command::Switch(arguments) => re_embed::switch(arguments, json),
        Command::Generations(index) => operate::generations(index, json),
        Command::Rollback(rollback) => operate::rollback(rollback, json),
        Command::Merge(index) => operate::merge(index, json),
        Command::Verify(index) => operate::verify(index, json),
        Command::Inspect(document) => operate::inspect(document, json),
        Command::Stats(index) => operate::stats(index, json),
        Command::Parse(arguments) => sync::parse(arguments),
        Command::Usage(usage) => usage::run(usage, json),
    };
    done.map(|()| ExitCode::SUCCESS)
}
