//! Here is the small part of YAML that `OWNERS` files are written in: what does it say?
//!
//! Maps, lists of words, lists in brackets, quotes and comments. Everything else of YAML (anchors, tags, texts of several
//! lines, several documents) is refused with its line: a half-understood file would be a wrong answer to who may read.

use std::collections::BTreeSet;

use safepassage_error::Result;

use super::{lines, refused};

/// Deeper maps are refused.
const MOST_DEPTH: usize = 8;

/// A value and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Yaml {
    pub line: usize,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Nothing,
    Word(String),
    List(Vec<String>),
    Map(Vec<(String, Yaml)>),
}

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// The map, list or nothing that a whole file is.
pub(super) fn parse(bytes: &[u8]) -> Result<Yaml> {
    let mut all = Vec::new();
    for (number, line) in lines(bytes)? {
        let text = line.trim_start_matches(' ');
        if text.trim().is_empty() || text.starts_with('#') || (all.is_empty() && text.trim_end() == "---") {
            continue;
        }
        if text.starts_with('\t') || text.trim_end() == "---" || text.trim_end() == "..." {
            return Err(refused(number, "a line starts with a tab, or a second document"));
        }
        all.push(Line { number, indent: line.len() - text.len(), text: text.trim_end() });
    }
    let mut rest = &all[..];
    let yaml = block(&mut rest, 0)?;
    match rest.first() {
        Some(line) => Err(refused(line.number, "the line is not indented as those before it")),
        None => Ok(yaml),
    }
}

/// What the lines from the first on say that are indented as it is.
fn block(lines: &mut &[Line<'_>], depth: usize) -> Result<Yaml> {
    let Some(first) = lines.first() else { return Ok(Yaml { line: 1, value: Value::Nothing }) };
    if depth == MOST_DEPTH {
        return Err(refused(first.number, format!("more than {MOST_DEPTH} maps are in each other")));
    }
    let (line, indent) = (first.number, first.indent);
    if is_of_list(first.text) {
        let mut list = Vec::new();
        while let Some((line, behind)) =
            lines.split_first().filter(|(line, _)| line.indent == indent && is_of_list(line.text))
        {
            *lines = behind;
            list.push(word(line.text[1..].trim_start(), line.number)?);
        }
        return Ok(Yaml { line, value: Value::List(list) });
    }
    let (mut map, mut keys) = (Vec::new(), BTreeSet::new());
    while let Some((line, behind)) = lines.split_first().filter(|(line, _)| line.indent == indent) {
        if is_of_list(line.text) {
            break;
        }
        *lines = behind;
        let (key, rest) = key(line.text, line.number)?;
        let deeper = |next: &&Line<'_>| next.indent > indent || (next.indent == indent && is_of_list(next.text));
        let yaml = match rest {
            "" if lines.first().is_some_and(|next| deeper(&next)) => block(lines, depth + 1)?,
            rest => Yaml { line: line.number, value: inline(rest, line.number)? },
        };
        if !keys.insert(key.clone()) {
            return Err(refused(line.number, format!("`{key}` stands twice; say it once")));
        }
        map.push((key, yaml));
    }
    Ok(Yaml { line, value: Value::Map(map) })
}

fn is_of_list(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// The key at the start of a line and what stands behind its colon.
fn key(text: &str, number: usize) -> Result<(String, &str)> {
    let wrong = || refused(number, "a line is neither `KEY:`, `KEY: VALUE` nor `- VALUE`");
    let (key, rest) = if text.starts_with(['"', '\'']) {
        let (key, rest) = quoted(text, number)?;
        (key, rest.trim_start().strip_prefix(':').ok_or_else(wrong)?)
    } else {
        let at = text.find(": ").or_else(|| text.find(":\t"));
        let at = at.or_else(|| text.strip_suffix(':').map(str::len)).ok_or_else(wrong)?;
        (plain(&text[..at], number)?, &text[at + 1..])
    };
    let rest = rest.trim();
    Ok((key, if rest.starts_with('#') { "" } else { rest }))
}

/// What stands behind a colon on the same line.
fn inline(text: &str, number: usize) -> Result<Value> {
    let Some(mut rest) = text.strip_prefix('[') else {
        return match text {
            "" | "{}" | "null" | "~" => Ok(Value::Nothing),
            text => word(text, number).map(Value::Word),
        };
    };
    let mut list = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix(']') {
            uncommented(behind, number)?;
            return Ok(Value::List(list));
        }
        let behind = if rest.starts_with(['"', '\'']) {
            let (one, behind) = quoted(rest, number)?;
            list.push(one);
            behind
        } else {
            let end =
                rest.find([',', ']']).ok_or_else(|| refused(number, "a list in brackets does not end on its line"))?;
            list.push(plain(&rest[..end], number)?);
            &rest[end..]
        };
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(behind) => behind,
            None if behind.starts_with(']') => behind,
            None => return Err(refused(number, "a list in brackets does not end on its line")),
        };
    }
}

/// One word, quoted or not, and perhaps a comment.
fn word(text: &str, number: usize) -> Result<String> {
    if text.starts_with(['"', '\'']) {
        let (word, behind) = quoted(text, number)?;
        uncommented(behind, number)?;
        return Ok(word);
    }
    plain(text.split(" #").next().unwrap_or_default(), number)
}

fn uncommented(behind: &str, number: usize) -> Result<()> {
    let behind = behind.trim();
    if behind.is_empty() || behind.starts_with('#') {
        return Ok(());
    }
    Err(refused(number, "something stands behind a value"))
}

fn plain(text: &str, number: usize) -> Result<String> {
    let text = text.trim();
    let special = text.starts_with(['&', '*', '!', '|', '>', '%', '@', '`', '{', '}', '[', ']', '"', '\'', '#', ',']);
    if text.is_empty() || special || text.starts_with("- ") || text.contains(": ") || text.chars().any(char::is_control)
    {
        return Err(refused(number, "a value is not a plain word; put it in quotes if it is one"));
    }
    Ok(text.to_owned())
}

/// What is between the quotes at the start of `text`, and what stands behind them.
fn quoted(text: &str, number: usize) -> Result<(String, &str)> {
    let wrong = || refused(number, "a quote does not end on its line, or has an escape other than `\\\\` and `\\\"`");
    let mut characters = text.char_indices().peekable();
    let (_, quote) = characters.next().ok_or_else(wrong)?;
    let mut word = String::new();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            if quote == '\'' && characters.next_if(|(_, next)| *next == '\'').is_some() {
                word.push('\'');
                continue;
            }
            return Ok((word, &text[at + 1..]));
        }
        if character == '\\' && quote == '"' {
            let (_, escaped) = characters.next().filter(|(_, c)| matches!(c, '\\' | '"' | '/')).ok_or_else(wrong)?;
            word.push(escaped);
        } else if character.is_control() {
            return Err(wrong());
        } else {
            word.push(character);
        }
    }
    Err(wrong())
}
