//! Here is `NAME?key=value&key=value`, as it stands on a command line: which account, and what else?

use safepassage_error::{Error, Result};

use crate::account::{Account, Role};

/// The part before the `?`, the account of `region`, `endpoint`, `role`, `external_id` and `sts_endpoint`, and the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options<'a> {
    pub name: &'a str,
    pub account: Account,
    rest: Vec<(&'a str, &'a str)>,
    whole: &'a str,
}

impl<'a> Options<'a> {
    pub fn read(whole: &'a str) -> Result<Self> {
        let (name, options) = whole.split_once('?').unwrap_or((whole, ""));
        let mut read = Self { name, account: Account::default(), rest: Vec::new(), whole };
        let mut given: Vec<(&str, &str)> = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) if !value.is_empty() && given.iter().all(|(known, _)| *known != key) => {
                    given.push((key, value));
                }
                _ => return Err(read.refused(option)),
            }
        }
        let mut take = |wanted: &str| {
            let at = given.iter().position(|(key, _)| *key == wanted)?;
            Some(given.remove(at).1.to_owned())
        };
        read.account.region = take("region");
        read.account.endpoint_url = take("endpoint");
        let role = take("role");
        let (external_id, sts_endpoint_url) = (take("external_id"), take("sts_endpoint"));
        if role.is_none() && (external_id.is_some() || sts_endpoint_url.is_some()) {
            return Err(read.refused("external_id` and `sts_endpoint` without `role"));
        }
        read.account.role = role.map(|arn| Role { external_id, sts_endpoint_url, ..Role::new(arn) });
        read.rest = given;
        Ok(read)
    }

    /// The option `key` that is none of the account's.
    pub fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.rest.iter().position(|(known, _)| *known == key)?;
        Some(self.rest.remove(at).1)
    }

    /// Nothing must be left that nobody took.
    pub fn end(self) -> Result<()> {
        self.rest.first().map_or(Ok(()), |(key, _)| Err(self.refused(key)))
    }

    fn refused(&self, what: &str) -> Error {
        Error::invalid("read options", format!("`{}`: `{what}` is no option of it, or stands there twice", self.whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_other_options_are_told_apart() {
        let mut read = Options::read("m:0?dim=256&region=eu-west-1&role=arn:aws:iam::1:role/ai&external_id=x").unwrap();
        assert_eq!((read.name, read.account.region.as_deref()), ("m:0", Some("eu-west-1")));
        let role = read.account.role.clone().unwrap();
        assert_eq!((role.arn.as_str(), role.external_id.as_deref()), ("arn:aws:iam::1:role/ai", Some("x")));
        assert_eq!((read.take("dim"), read.take("dim")), (Some("256"), None));
        read.end().unwrap();
        assert_eq!(Options::read("m").unwrap().account, Account::default());
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert!(Options::read("m?regoin=x").unwrap().end().is_err());
        for bad in ["m?region", "m?region=", "m?region=a&region=b", "m?external_id=x", "m?=&x"] {
            assert!(Options::read(bad).and_then(Options::end).is_err(), "{bad}");
        }
    }
}
