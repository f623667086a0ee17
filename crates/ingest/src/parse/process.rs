//! A file that takes all the memory takes the whole program with it: how does it take no more than its own process?
//!
//! The files that other people's programs wrote, and that are more than text, are given to a process of their own, which
//! may have so much memory and no more. It reads the file from its input and writes what it made of it, or why it made
//! nothing, to its output. One that dies is a file that cannot be read. What it may take of time it sees to itself.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use safepassage_error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use super::{PARSE, Parsed, parse};
use crate::source::Format;

/// What such a program needs to begin with.
const LEAST_MB: u64 = 192;

/// A program that parses one file: it ends in [`ParserProcess::serve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParserProcess {
    /// The program.
    pub program: PathBuf,
    /// What it is called with, before the format and the bytes.
    pub arguments: Vec<OsString>,
    /// The memory that it may take for a file, beside what it is itself. Where the system has no such limit (all but Unix)
    /// there is none.
    pub most_bytes: u64,
}

/// What a process says of a file.
#[derive(Serialize, Deserialize)]
enum Said {
    Parsed(Parsed),
    Refused(String),
}

impl ParserProcess {
    /// `program` with `arguments` as a parser that may take `most_mb` MB.
    ///
    /// # Errors
    /// `Invalid` for less than it takes to begin.
    pub fn new(program: PathBuf, arguments: Vec<OsString>, most_mb: u64) -> Result<Self> {
        if most_mb < LEAST_MB {
            return Err(Error::invalid(PARSE, format!("a parser takes at least {LEAST_MB} MB, not {most_mb}")));
        }
        Ok(Self { program, arguments, most_bytes: most_mb.saturating_mul(1 << 20) })
    }

    /// What becomes of `content`: in a process of its own, if it is of a format that is worth one.
    pub(crate) fn parse(&self, content: &[u8], format: Format) -> Result<Parsed> {
        match format {
            Format::Pdf | Format::Docx | Format::Pptx | Format::Xlsx | Format::Mail => self.ask(content, format),
            _ => parse(content, format),
        }
    }

    fn ask(&self, content: &[u8], format: Format) -> Result<Parsed> {
        let unavailable =
            |e: std::io::Error| Error::new(Kind::Unavailable, PARSE, "no process could be started").because(e);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(name(format)).arg(self.most_bytes.to_string());
        // What a parser says when it falls over quotes the file.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(unavailable)?;
        // It reads all before it writes anything. One that died early does not take the rest.
        drop(child.stdin.take().map(|mut input| input.write_all(content)));
        let mut said = Vec::new();
        let read = child.stdout.take().map(|mut output| output.read_to_end(&mut said));
        child.wait().map_err(unavailable)?;
        read.transpose().map_err(unavailable)?;
        match serde_json::from_slice(&said) {
            Ok(Said::Parsed(parsed)) => Ok(parsed),
            Ok(Said::Refused(reason)) => Err(Error::invalid(PARSE, reason)),
            Err(_) => {
                let most = self.most_bytes >> 20;
                let message = format!("it takes more than {most} MB of memory to be read, or the parser fell over it");
                Err(Error::invalid(PARSE, message))
            }
        }
    }

    /// What such a process does: reads a file from `input` and writes what it is to `output`, with no more than `most_bytes`
    /// of memory. The caller ends the process then.
    ///
    /// # Errors
    /// `Invalid` for a format that there is not; `Unavailable` if it cannot read or write, or limit itself.
    pub fn serve(format: &str, most_bytes: u64, input: &mut dyn Read, output: &mut dyn Write) -> Result<()> {
        let known = Format::ALL.into_iter().find(|known| name(*known) == format);
        let format = known.ok_or_else(|| Error::invalid(PARSE, format!("there is no format `{format}`")))?;
        let unavailable = |e: std::io::Error| Error::new(Kind::Unavailable, PARSE, e.to_string());
        limit(most_bytes)?;
        let mut content = Vec::new();
        input.read_to_end(&mut content).map_err(unavailable)?;
        let said = match parse(&content, format) {
            Ok(parsed) => Said::Parsed(parsed),
            Err(error) if error.kind() == Kind::Invalid => Said::Refused(error.message().to_owned()),
            // It had no room to begin.
            Err(error) => return Err(error),
        };
        let said = serde_json::to_vec(&said)
            .map_err(|e| Error::new(Kind::Internal, PARSE, "what was parsed is no JSON").because(e))?;
        output.write_all(&said).and_then(|()| output.flush()).map_err(unavailable)
    }
}

fn name(format: Format) -> String {
    format!("{format:?}").to_lowercase()
}

/// Lets this process have `most_bytes` more of address space than it has, for good.
#[cfg(unix)]
fn limit(most_bytes: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Pages, on Linux; elsewhere what the program is itself counts with the rest.
    let has = std::fs::read_to_string("/proc/self/statm").ok();
    let has = has.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
    let most = most_bytes.saturating_add(has.saturating_mul(rustix::param::page_size() as u64));
    let maximum = getrlimit(Resource::As).maximum;
    let most = maximum.map_or(most, |maximum| maximum.min(most));
    setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })
        .map_err(|e| Error::new(Kind::Unavailable, PARSE, "memory cannot be limited").because(e))
}

#[cfg(not(unix))]
fn limit(_: u64) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_says_nothing_is_a_file_that_cannot_be_read() {
        let says = |program: &str, arguments: &[&str]| {
            let arguments = arguments.iter().map(OsString::from).collect();
            ParserProcess { program: program.into(), arguments, most_bytes: 1 << 20 }
        };
        let content = vec![b' '; 1 << 20];
        for (program, arguments) in [("true", &[][..]), ("false", &[]), ("sh", &["-c", "kill -9 $$"]), ("echo", &["{"])]
        {
            let refused = says(program, arguments).parse(&content, Format::Pdf).unwrap_err();
            assert_eq!(refused.kind(), Kind::Invalid, "{program}");
            assert!(refused.message().contains("more than 1 MB"), "{refused}");
        }
        let gone = says("/no/such/program", &[]).parse(&content, Format::Pdf).unwrap_err();
        assert_eq!(gone.kind(), Kind::Unavailable);
        // Text is no reason to start one.
        assert_eq!(says("/no/such/program", &[]).parse(b"text", Format::Markdown).unwrap().text, "text");
        let said = says("echo", &[r#"{"Refused": "it is torn"}"#, "#"]).parse(&content, Format::Pdf).unwrap_err();
        assert!(said.message().contains("more than"), "what follows is no part of an answer: {said}");
    }
}
