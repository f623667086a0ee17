//! The `safepassage` binary: arguments in, text or one JSON object out.
//!
//! Progress and messages go to stderr, results to stdout. Exit codes come from the one table in `safepassage-error`.

#![forbid(unsafe_code)]

mod args;
mod ask_args;
mod audit_args;
mod commands;
mod eval_args;
mod filter_args;
mod identity;
mod import_args;
mod output;
mod progress;
mod re_embed_args;
mod rerank;
mod sync_args;
mod telemetry;
mod usage_args;

use std::process::ExitCode;

use clap::Parser;
use safepassage::{Error, Kind};

fn main() -> ExitCode {
    let wants_json = std::env::args_os().any(|arg| arg == "--json");
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            if wants_json {
                let text = error.to_string();
                let what: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
                let what = what.join(" ").trim_start_matches("error: ").to_owned();
                output::error_json(&Error::invalid("read arguments", what));
            }
            // Nowhere is left to report that stderr is closed.
            let _ = error.print();
            return ExitCode::from(Kind::Invalid.exit_code());
        }
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let telemetry = telemetry::Telemetry::begin();
    let done = commands::run(&arguments);
    telemetry.finish();
    match done {
        Ok(code) => code,
        Err(error) => {
            output::failed(&error, arguments.json);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
