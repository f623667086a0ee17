//! Here is `NAME?key=value&key=value`, as it stands on a command line: which account, and what else?

use safepassage_error::{Error, Result};

use crate::account::{Account, Role};

/// The part before the `?`, and the account of `region`, `endpoint`, `role`, `external_id` and `sts_endpoint`.
pub(crate) fn read(whole: &str) -> Result<(&str, Account)> {
    let refused = |what: &str| {
        Error::invalid("read options", format!("`{whole}`: `{what}` is no option of it, or stands there twice"))
    };
    let (name, options) = whole.split_once('?').unwrap_or((whole, ""));
    let mut given: Vec<(&str, &str)> = Vec::new();
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some((key, value)) if !value.is_empty() && given.iter().all(|(known, _)| *known != key) => {
                given.push((key, value));
            }
            _ => return Err(refused(option)),
        }
    }
    let mut take = |wanted: &str| {
        let at = given.iter().position(|(key, _)| *key == wanted)?;
        Some(given.remove(at).1.to_owned())
    };
    let (region, endpoint_url, role) = (take("region"), take("endpoint"), take("role"));
    let (external_id, sts_endpoint_url) = (take("external_id"), take("sts_endpoint"));
    if let Some((key, _)) = given.first() {
        return Err(refused(key));
    }
    if role.is_none() && (external_id.is_some() || sts_endpoint_url.is_some()) {
        return Err(refused("external_id` or `sts_endpoint` without `role"));
    }
    let role = role.map(|arn| Role { external_id, sts_endpoint_url, ..Role::new(arn) });
    Ok((name, Account { region, endpoint_url, role, ..Account::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_and_the_account_are_told_apart() {
        let (name, account) = read("s3://b/f?region=eu-west-1&role=arn:aws:iam::1:role/ai&external_id=x").unwrap();
        assert_eq!((name, account.region.as_deref()), ("s3://b/f", Some("eu-west-1")));
        let role = account.role.unwrap();
        assert_eq!((role.arn.as_str(), role.external_id.as_deref()), ("arn:aws:iam::1:role/ai", Some("x")));
        assert_eq!(read("m").unwrap(), ("m", Account::default()));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        for bad in ["m?regoin=x", "m?region", "m?region=", "m?region=a&region=b", "m?external_id=x", "m?=&x"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
