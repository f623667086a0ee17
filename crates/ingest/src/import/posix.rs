//! Who may read what `getfacl -R` lists?
//!
//! The owner's entry decides for the owner alone, a named user's for that user; of the entries of somebody's groups any
//! that permits is enough, and only who is in none of them is an other. So the entries are a list of which the first that
//! fits decides: owner, users, groups that permit, groups that do not, others. Others are `everyone`, not `public`.

use safepassage_access::Principal;
use safepassage_error::Result;

use super::ordered::{Effect, flatten};
use super::tree::{self, Listed};
use super::{Imported, lines, refused};

/// More entries for one file are refused.
const MOST_ENTRIES: usize = 4096;

/// What may be done, in the order of the three letters.
#[derive(Debug, Clone, Copy)]
enum Right {
    Read = 0,
    Pass = 2,
}

type Rights = [bool; 3];

/// The entries of one path as they stand.
#[derive(Debug, Default)]
struct Record {
    line: usize,
    path: String,
    owner: Option<String>,
    group: Option<String>,
    own: Option<Rights>,
    of_group: Option<Rights>,
    other: Option<Rights>,
    mask: Option<Rights>,
    users: Vec<(String, Rights)>,
    groups: Vec<(String, Rights)>,
}

pub(super) fn import(bytes: &[u8]) -> Result<Imported> {
    let (mut listed, mut open) = (Vec::new(), None::<Record>);
    for (number, line) in lines(bytes)? {
        let path = line.strip_prefix("# file: ");
        let line = line.trim();
        if let Some(path) = path {
            listed.extend(open.take().map(Record::listed).transpose()?);
            open = Some(Record { line: number, path: unquoted(path, number)?, ..Record::default() });
        } else if !line.is_empty() {
            let record = open.as_mut().ok_or_else(|| refused(number, "a path must come first, as `# file: PATH`"))?;
            record.take(line, number)?;
        }
    }
    listed.extend(open.map(Record::listed).transpose()?);
    tree::import("posix", listed)
}

impl Record {
    fn take(&mut self, line: &str, number: usize) -> Result<()> {
        if let Some(comment) = line.strip_prefix('#') {
            return match comment.trim().split_once(": ") {
                Some(("owner", name)) => once(&mut self.owner, unquoted(name.trim(), number)?, number),
                Some(("group", name)) => once(&mut self.group, unquoted(name.trim(), number)?, number),
                _ => Ok(()),
            };
        }
        let entry = line.split('#').next().unwrap_or_default().trim_end();
        let parts: Vec<&str> = entry.split(':').collect();
        // What new files in a folder get says nothing about those that are there.
        if let ["default" | "d", _, _, _] = parts[..] {
            return Ok(());
        }
        let [kind, name, rights] = parts[..] else { return Err(refused(number, "an entry is TYPE:NAME:RIGHTS")) };
        let rights = rights_of(rights, number)?;
        match (kind, name) {
            ("user" | "u", "") => once(&mut self.own, rights, number),
            ("group" | "g", "") => once(&mut self.of_group, rights, number),
            ("other" | "o", "") => once(&mut self.other, rights, number),
            ("mask" | "m", "") => once(&mut self.mask, rights, number),
            ("user" | "u", name) => named(&mut self.users, name, rights, number),
            ("group" | "g", name) => named(&mut self.groups, name, rights, number),
            _ => Err(refused(number, "an entry is of a `user`, a `group`, the `mask` or `other`")),
        }
    }

    fn listed(self) -> Result<Listed> {
        let Self { line, owner, group, own, of_group, other, mask, users, groups, path } = self;
        let lacks = |what: &str| refused(line, format!("`{path}` has no {what}"));
        let owner = Principal::user(&owner.ok_or_else(|| lacks("owner"))?);
        let group = group.ok_or_else(|| lacks("group"))?;
        let own = own.ok_or_else(|| lacks("entry for its owner"))?;
        let of_group = of_group.ok_or_else(|| lacks("entry for its group"))?;
        let other = other.ok_or_else(|| lacks("entry for others"))?;
        if mask.is_none() && !(users.is_empty() && groups.is_empty()) {
            return Err(lacks("mask, which named users and groups need"));
        }
        let mask = mask.unwrap_or([true; 3]);
        let flat = |right: Right| {
            let at = right as usize;
            let effect = |permits: bool| if permits { Effect::Allow } else { Effect::Deny };
            let masked = |rights: &Rights| rights[at] && mask[at];
            let users = users.iter().map(|(name, rights)| (effect(masked(rights)), Principal::user(name)));
            let groups = groups.iter().map(|(name, rights)| (name, rights)).chain([(&group, &of_group)]);
            let groups = groups.map(|(name, rights)| (effect(masked(rights)), Principal::group(name)));
            let (allow, deny): (Vec<_>, Vec<_>) = groups.partition(|(effect, _)| *effect == Effect::Allow);
            let others = [(effect(other[at]), Principal::Everyone)];
            flatten([(effect(own[at]), owner.clone())].into_iter().chain(users).chain(allow).chain(deny).chain(others))
        };
        let (read, pass) = (flat(Right::Read), flat(Right::Pass));
        Ok(Listed { line, read, pass, path })
    }
}

fn rights_of(text: &str, number: usize) -> Result<Rights> {
    let wrong = || refused(number, format!("`{text}` is not three of `rwx` and `-`"));
    let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| wrong())?;
    let mut rights = [false; 3];
    for ((right, letter), want) in rights.iter_mut().zip(letters).zip(*b"rwx") {
        if letter != want && letter != b'-' {
            return Err(wrong());
        }
        *right = letter == want;
    }
    Ok(rights)
}

fn once<T>(place: &mut Option<T>, value: T, number: usize) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(refused(number, "it was said before of the same path; say it once"));
    }
    Ok(())
}

fn named(places: &mut Vec<(String, Rights)>, name: &str, rights: Rights, number: usize) -> Result<()> {
    let name = unquoted(name, number)?;
    if places.len() == MOST_ENTRIES || places.iter().any(|(earlier, _)| *earlier == name) {
        let message = format!("`{name}` stands twice at one path, or a path has more than {MOST_ENTRIES} of a kind");
        return Err(refused(number, message));
    }
    places.push((name, rights));
    Ok(())
}

/// A name as it is: the tool writes bytes that would be misread as `\` and three octal digits.
fn unquoted(text: &str, number: usize) -> Result<String> {
    let wrong = || refused(number, "a `\\` is not followed by three octal digits that make UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (digits, behind) = rest.split_at_checked(3).ok_or_else(wrong)?;
        let value =
            digits.iter().try_fold(0u32, |value, &d| matches!(d, b'0'..=b'7').then(|| value * 8 + u32::from(d - b'0')));
        bytes.push(value.and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?);
        rest = behind;
    }
    let name = String::from_utf8(bytes).map_err(|_| wrong())?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(refused(number, "a name is empty or has control characters"));
    }
    Ok(name)
}
