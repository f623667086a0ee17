//! Who may read the documents, by a `CODEOWNERS` file?
//!
//! A line is a pattern and its owners; of the patterns that fit a document the last one says who may read it, and one
//! without owners says nobody. What GitHub passes over (`!`, `[`) is refused: the line before would then decide.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use safepassage_access::{Acl, Principal};
use safepassage_error::Result;

use super::{Imported, lines, refused};

/// More lines with patterns are refused.
const MOST_PATTERNS: usize = 10_000;

/// A longer pattern is refused.
const MOST_PATTERN_BYTES: usize = 1024;

struct Pattern {
    fits: Regex,
    acl: Acl,
}

pub(super) fn import(bytes: &[u8], paths: &BTreeSet<String>) -> Result<Imported> {
    let mut patterns = Vec::new();
    for (number, line) in lines(bytes)? {
        let mut words = words(line).into_iter();
        let Some(pattern) = words.next() else { continue };
        if patterns.len() == MOST_PATTERNS {
            return Err(refused(number, format!("there are more than {MOST_PATTERNS} patterns")));
        }
        let fits = compiled(&pattern).map_err(|what| refused(number, what))?;
        let owners = words.map(|owner| owner_of(&owner).map_err(|what| refused(number, what)));
        patterns.push(Pattern { fits, acl: Acl { allow: owners.collect::<Result<_>>()?, ..Acl::default() } });
    }
    let (mut imported, mut without) = (Imported::default(), 0);
    for path in paths {
        let last = patterns.iter().rev().find(|pattern| pattern.fits.is_match(path));
        without += usize::from(last.is_none());
        imported.documents.insert(path.clone(), last.map(|pattern| pattern.acl.clone()).unwrap_or_default());
    }
    if without > 0 {
        imported.warnings.push(format!("no pattern fits {without} documents: they are visible to nobody"));
    }
    Ok(imported)
}

/// The words of a line up to a comment; a blank behind a `\` is part of a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.push(characters.next_if_eq(&' ').unwrap_or('\\')),
            ' ' | '\t' if !word.is_empty() => words.push(std::mem::take(&mut word)),
            ' ' | '\t' => {}
            '#' if word.is_empty() => break,
            other => word.push(other),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

fn owner_of(text: &str) -> Result<Principal, String> {
    let principal = match text.strip_prefix('@') {
        Some(team) if team.contains('/') => Principal::group(team),
        Some(user) => Principal::user(user),
        None if text.contains('@') => Principal::user(text),
        None => return Err(format!("`{text}` is not `@USER`, `@ORG/TEAM` or an address")),
    };
    principal.check().map_err(|e| e.message().to_owned())?;
    Ok(principal)
}

/// The pattern as an expression over whole paths.
fn compiled(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > MOST_PATTERN_BYTES || pattern.contains(['!', '[', ']', '\\']) || pattern.contains("***") {
        return Err(format!("`{pattern}` is too long or has one of `!`, `[`, `]`, `\\` and `***`"));
    }
    let (pattern_inside, folder) = pattern.strip_suffix('/').map_or((pattern, false), |inside| (inside, true));
    let anchored = pattern_inside.contains('/');
    let inside = pattern_inside.strip_prefix('/').unwrap_or(pattern_inside);
    let parts: Vec<&str> = inside.split('/').collect();
    let mut expression = String::from(r"\A");
    if !anchored {
        expression.push_str("(?:.*/)?");
    }
    for (n, part) in parts.iter().enumerate() {
        let last = n + 1 == parts.len();
        match *part {
            "**" if last => expression.push_str(".+"),
            "**" => expression.push_str("(?:.*/)?"),
            "" if pattern == "/" => expression.push_str(".+"),
            "" => return Err(format!("`{pattern}` has an empty part")),
            part if part.contains("**") => return Err(format!("`{pattern}` has `**` beside something else")),
            part => {
                for character in part.chars() {
                    match character {
                        '*' => expression.push_str("[^/]*"),
                        '?' => expression.push_str("[^/]"),
                        other => expression.push_str(&regex::escape(&other.to_string())),
                    }
                }
                if !last {
                    expression.push('/');
                }
            }
        }
    }
    // `docs/*` is what lies in `docs` itself; every other pattern that fits a folder fits all that is in it.
    let within = if pattern == "/" {
        ""
    } else if folder {
        "/.*"
    } else if inside.ends_with("**") || (anchored && inside.ends_with("/*")) {
        ""
    } else {
        "(?:/.*)?"
    };
    expression.push_str(within);
    expression.push_str(r"\z");
    let built = RegexBuilder::new(&expression).dot_matches_new_line(true).size_limit(1 << 20).build();
    built.map_err(|_| format!("`{pattern}` is no pattern that can be used"))
}
