//! Which identifiers of people, accounts and systems are in a text?
//!
//! Mail addresses, telephone numbers, numbers of cards and bank accounts, keys of AWS, and tokens. What is found is what has
//! the form: names and addresses of houses have none. Digits of any script are digits, and what nobody sees parts nothing.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::folded::Folded;
use super::numbers::{accounts, cards, is_telephone};
use super::{Found, Redactor};

/// Finds common identifiers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Identifiers;

/// A form: what it is called, how it looks, and what it must hold besides.
struct Form {
    kind: &'static str,
    form: Regex,
    holds: fn(&str) -> bool,
}

const ANYTHING: fn(&str) -> bool = |_| true;

/// Letters that mail addresses have are those below the scripts in which a text is cut between any two signs.
const EMAIL: &str = r"[0-9A-Za-z\u{A1}-\u{1FFF}.%+'_-]{1,64}@(?:[0-9A-Za-z\u{A1}-\u{1FFF}_-]{1,63}\.){1,8}[0-9A-Za-z\u{A1}-\u{1FFF}_-]{2,63}";
/// With a plus before it, with a zero before it, or in three groups as in North America.
const TELEPHONE: [&str; 3] = [
    r"\+\d{1,3}(?:[ \u{A0}./()\-]{0,2}\d{1,5}){2,7}",
    r"\(?\b0\d{1,5}\)?(?:[ \u{A0}./\-]{0,3}\d{1,5}){2,6}",
    r"\(?\b\d{3}\)?[ .\-]{1,2}\d{3}[ .\-]\d{4}\b",
];
const AWS_KEY: [&str; 2] = [
    r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"(?i)secret_?(?:access)?_?key[\x22']?\s{0,3}[:=]\s{0,3}[\x22']?[A-Za-z0-9/+=]{40}",
];
/// What is shown to a service to be let in.
const TOKEN: [&str; 4] = [
    r"(?i)\bbearer\s{1,3}[A-Za-z0-9._~+/\-]{16,}=*",
    r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?",
    r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|xox[abeprs]-[A-Za-z0-9\-]{10,})",
    r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_\-]{20,}",
];

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    // A sign of Chinese beside an identifier is no part of it.
    let plain = |form: &str| form.replace(r"\b", r"(?-u:\b)");
    let form = |kind, form: &str, holds| Regex::new(&plain(form)).ok().map(|form| Form { kind, form, holds });
    let all = [form("email", EMAIL, ANYTHING)].into_iter();
    let all = all.chain(TELEPHONE.iter().map(|telephone| form("telephone", telephone, is_telephone)));
    let all = all.chain(AWS_KEY.iter().map(|key| form("aws-key", key, ANYTHING)));
    all.chain(TOKEN.iter().map(|token| form("token", token, ANYTHING))).flatten().collect()
});

impl Redactor for Identifiers {
    fn find(&self, text: &str) -> Vec<Found> {
        let folded = Folded::of(text);
        let read = &*folded.text;
        let of = |kind: &'static str| move |range: Range<usize>| Found { range, kind };
        let mut found: Vec<Found> = cards(read).into_iter().map(of("card")).collect();
        found.extend(accounts(read).into_iter().map(of("iban")));
        for Form { kind, form, holds } in FORMS.iter() {
            found.extend(form.find_iter(read).filter(|m| holds(m.as_str())).map(|m| m.range()).map(of(kind)));
        }
        found.into_iter().map(|Found { range, kind }| Found { range: folded.place(range, text), kind }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_one() {
        assert_eq!(FORMS.len(), 1 + TELEPHONE.len() + AWS_KEY.len() + TOKEN.len());
    }
}
