//! What are askers and documents called where others keep names?
//!
//! An id of the local issuer stands as it is; any other principal, and a local id that could be taken for one, stands as
//! it is written in an ACL: `ISSUER|user:ID`. What is written in an ACL is read back as what it is, so no two principals
//! have one id. Engines outside know nothing of tenants: there a document of a tenant is `TENANT|ID`.

use safepassage_access::Principal;
#[cfg(feature = "http")]
use safepassage_access::{Identity, PrincipalKind, Tenant};

/// The id of a principal among those of its kind.
pub(crate) fn id_of(principal: &Principal) -> String {
    match principal {
        Principal::Named { issuer: None, id, .. } if id.parse::<Principal>().is_err() => id.to_string(),
        other => other.to_string(),
    }
}

/// The id of whoever asks; somebody who has not signed in is `public` and nobody else.
#[cfg(feature = "http")]
pub(crate) fn asker(identity: &Identity) -> String {
    let principals = identity.principals();
    let is_user = |p: &&Principal| matches!(p, Principal::Named { kind: PrincipalKind::User, .. });
    id_of(principals.iter().find(is_user).unwrap_or(&Principal::Public))
}

/// A document's name in an engine where `reserved` characters mean something. No two documents have one name.
#[cfg(feature = "http")]
pub(crate) fn document(tenant: &Tenant, id: &str, reserved: fn(char) -> bool) -> String {
    let id = escaped(id, reserved);
    if tenant.0.is_empty() { id } else { format!("{}|{id}", escaped(&tenant.0, reserved)) }
}

/// The document of `tenant` that has `name`; `None` for what is not named as we name documents.
#[cfg(feature = "http")]
pub(crate) fn document_named(tenant: &Tenant, name: &str, reserved: fn(char) -> bool) -> Option<String> {
    let id = unescaped(name.rsplit('|').next()?)?;
    (document(tenant, &id, reserved) == name).then_some(id)
}

/// `text` with `%`, `|` and whatever is `reserved` written as `%` and two digits a byte.
#[cfg(feature = "http")]
pub(crate) fn escaped(text: &str, reserved: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '%' || c == '|' || reserved(c) {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(feature = "http")]
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use safepassage_access::PrincipalKind as Kind;

    fn principal() -> impl Strategy<Value = Principal> {
        let issuer = proptest::option::of("[a-z|]{1,4}");
        let id =
            prop_oneof!["[a|]{1,3}", "(a\\||b)?(user|group):[a|]{1,2}", "(user:|group:)?(public|everyone)", ".{1,5}"];
        let named = (issuer, any::<bool>(), id).prop_map(|(issuer, user, id)| Principal::Named {
            issuer: issuer.map(Into::into),
            kind: if user { Kind::User } else { Kind::Group },
            id: id.into(),
        });
        prop_oneof![1 => Just(Principal::Public), 1 => Just(Principal::Everyone), 9 => named]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn no_two_principals_have_one_id(a in principal(), b in principal()) {
            let kind = |principal: &Principal| match principal {
                Principal::Named { kind, .. } => Some(*kind),
                Principal::Public | Principal::Everyone => None,
            };
            // Those without a kind stand among users and among groups.
            if kind(&a) == kind(&b) || kind(&a).is_none() || kind(&b).is_none() {
                prop_assert_eq!(id_of(&a) == id_of(&b), a == b);
            }
        }

        #[cfg(feature = "http")]
        #[test]
        fn no_two_documents_have_one_name(
            a in ("(|[a%|]{1,2})", "[a%|7C: ]{1,3}|.{1,3}"),
            b in ("(|[a%|]{1,2})", "[a%|7C: ]{1,3}"),
        ) {
            let reserved = |c: char| c == ':' || c.is_whitespace();
            let [a, b] = [a, b].map(|(tenant, id)| (Tenant(tenant), id));
            let [of_a, of_b] = [&a, &b].map(|(tenant, id)| document(tenant, id, reserved));
            prop_assert_eq!(of_a == of_b, a == b);
            prop_assert!(!of_a.contains(reserved));
            prop_assert_eq!(document_named(&a.0, &of_a, reserved), Some(a.1.clone()));
            prop_assert_eq!(document_named(&b.0, &of_a, reserved), (a.0 == b.0).then_some(a.1));
        }
    }
}
