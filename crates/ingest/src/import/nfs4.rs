//! Who may read what `nfs4_getfacl` lists?
//!
//! A line `TYPE:FLAGS:WHO:RIGHTS`; for each right the first line that names somebody and that right decides. The tool
//! prints neither owner nor group, so they are given as `# owner: NAME` and `# group: NAME` below `# file: PATH`. Without
//! them what is allowed to `OWNER@` and `GROUP@` is lost, and what is denied to them is denied to all who are left.

use safepassage_access::Principal;
use safepassage_error::Result;

use super::ordered::{Effect, Flat, flatten};
use super::tree::{self, Listed};
use super::{Imported, lines, refused};

/// More lines for one file are refused.
const MOST_ENTRIES: usize = 4096;

#[derive(Debug, PartialEq)]
enum Who {
    Owner,
    OwningGroup,
    Principal(Principal),
}

#[derive(Debug)]
struct Entry {
    effect: Effect,
    who: Who,
    reads: bool,
    passes: bool,
}

#[derive(Debug, Default)]
struct Record {
    line: usize,
    path: String,
    owner: Option<Principal>,
    group: Option<Principal>,
    entries: Vec<Entry>,
}

pub(super) fn import(bytes: &[u8]) -> Result<Imported> {
    let (mut listed, mut open, mut unknown) = (Vec::new(), None::<Record>, 0);
    let mut close = |open: Option<Record>| {
        if let Some(record) = open {
            unknown += usize::from(record.names_unknown());
            listed.push(record.listed());
        }
    };
    for (number, line) in lines(bytes)? {
        let path = line.strip_prefix("# file: ");
        let line = line.trim();
        if let Some(path) = path {
            close(open.take());
            if path.chars().any(char::is_control) {
                return Err(refused(number, "a path has control characters"));
            }
            open = Some(Record { line: number, path: path.to_owned(), ..Record::default() });
        } else if !line.is_empty() {
            let record = open.as_mut().ok_or_else(|| refused(number, "a path must come first, as `# file: PATH`"))?;
            record.take(line, number)?;
        }
    }
    close(open);
    let mut imported = tree::import("nfs4", listed)?;
    if unknown > 0 {
        imported.warnings.push(format!(
            "{unknown} paths name OWNER@ or GROUP@ and do not say who that is (`# owner: NAME`, `# group: NAME`): what \
             that allows is lost, and what it denies is denied to all"
        ));
    }
    Ok(imported)
}

impl Record {
    fn take(&mut self, line: &str, number: usize) -> Result<()> {
        if let Some(comment) = line.strip_prefix('#') {
            let (place, principal) = match comment.trim().split_once(": ") {
                Some(("owner", name)) => (&mut self.owner, Principal::user(name.trim())),
                Some(("group", name)) => (&mut self.group, Principal::group(name.trim())),
                _ => return Ok(()),
            };
            if place.replace(principal).is_some() {
                return Err(refused(number, "it was said before of the same path; say it once"));
            }
            return Ok(());
        }
        if self.entries.len() == MOST_ENTRIES {
            return Err(refused(number, format!("a path has more than {MOST_ENTRIES} entries")));
        }
        self.entries.extend(entry(line).map_err(|what| refused(number, what))?);
        Ok(())
    }

    fn names_unknown(&self) -> bool {
        let named = |who: &Who| self.entries.iter().any(|entry| entry.who == *who);
        (self.owner.is_none() && named(&Who::Owner)) || (self.group.is_none() && named(&Who::OwningGroup))
    }

    fn listed(self) -> Listed {
        let read = self.flat(|entry| entry.reads);
        let pass = self.flat(|entry| entry.passes);
        Listed { line: self.line, path: self.path, read, pass }
    }

    fn flat(&self, speaks: impl Fn(&Entry) -> bool) -> Flat {
        let entries = self.entries.iter().filter(|entry| speaks(entry)).filter_map(|entry| {
            let known = match &entry.who {
                Who::Owner => self.owner.as_ref(),
                Who::OwningGroup => self.group.as_ref(),
                Who::Principal(principal) => Some(principal),
            };
            match (known, entry.effect) {
                (Some(principal), effect) => Some((effect, principal.clone())),
                (None, Effect::Allow) => None,
                (None, Effect::Deny) => Some((Effect::Deny, Principal::Everyone)),
            }
        });
        flatten(entries)
    }
}

/// The entry on a line; `None` for one that decides nothing about this path.
fn entry(line: &str) -> Result<Option<Entry>, String> {
    let mut parts = line.splitn(3, ':');
    let (kind, flags, rest) = (parts.next(), parts.next(), parts.next());
    let ((Some(kind), Some(flags)), Some((who, rights))) = ((kind, flags), rest.and_then(|rest| rest.rsplit_once(':')))
    else {
        return Err("an entry is TYPE:FLAGS:WHO:RIGHTS".into());
    };
    let effect = match kind {
        "A" => Some(Effect::Allow),
        "D" => Some(Effect::Deny),
        "U" | "L" => None,
        _ => return Err(format!("the type `{kind}` is not A, D, U or L")),
    };
    if let Some(flag) = flags.chars().find(|flag| !"fdnpigSFI".contains(*flag)) {
        return Err(format!("there is no flag `{flag}`"));
    }
    if let Some(right) = rights.chars().find(|right| !"rwaxdDtTnNcCoyRWX".contains(*right)) {
        return Err(format!("there is no right `{right}`"));
    }
    let who = match who {
        "OWNER@" => Who::Owner,
        "GROUP@" => Who::OwningGroup,
        "EVERYONE@" => Who::Principal(Principal::Everyone),
        "" => return Err("an entry names nobody".into()),
        name if flags.contains('g') => Who::Principal(Principal::group(name)),
        name => Who::Principal(Principal::user(name)),
    };
    let Some(effect) = effect.filter(|_| !flags.contains('i')) else { return Ok(None) };
    Ok(Some(Entry { effect, who, reads: rights.contains(['r', 'R']), passes: rights.contains(['x', 'X']) }))
}
