//! Here is an identity as JSON: who is it?

use safepassage_access::{Identity, IdentityRecord};
use safepassage_error::system::{Clock, Timestamp};
use safepassage_error::{Error, Result};

/// Reads an identity that somebody who has authenticated the asker wrote down:
/// `{"tenant"?, "issuer"?, "user"?, "groups": […], "groups_complete"?, "clearance"?, "attributes"?, "expires_at"?}`.
///
/// Groups are ids (`hr`, not `group:hr`). Without `expires_at` (RFC 3339) it holds for fifteen minutes from now.
///
/// # Errors
/// `Invalid` if it is no such JSON; `Denied` if it has expired.
pub fn identity_from_json(json: &[u8], clock: &Clock) -> Result<Identity> {
    // A list would be taken too, its values by their place.
    if json.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
        return Err(Error::invalid("read identity", "an identity is a JSON object"));
    }
    let record: IdentityRecord =
        serde_json::from_slice(json).map_err(|e| Error::invalid("read identity", e.to_string()))?;
    let mut asserted = record.assert();
    if let Some(at) = &record.expires_at {
        let at: jiff::Timestamp = at.parse().map_err(|_| {
            let message = format!("`expires_at` is an RFC 3339 time such as 2027-01-31T12:00:00Z, not `{at}`");
            Error::invalid("read identity", message)
        })?;
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
        asserted = asserted.expires_at(Timestamp(ms));
    }
    asserted.issue(clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use safepassage_error::Kind;

    #[test]
    fn the_shape_of_the_contract() {
        let clock = Clock::fixed(Timestamp(1_700_000_000_000));
        let read = |json: &str| identity_from_json(json.as_bytes(), &clock);
        let alice = read(
            r#"{"user": "alice", "groups": ["hr"], "groups_complete": true, "clearance": "internal",
                "attributes": {"level": 3}, "tenant": "acme", "issuer": "idp", "expires_at": "2024-01-01T00:00:00+01:00"}"#,
        )
        .unwrap();
        assert_eq!(alice.expires_at(), Timestamp(1_704_063_600_000));
        assert!(alice.groups_complete());
        assert!(!read(r#"{"user": "bob", "groups": []}"#).unwrap().groups_complete());
        assert_eq!(read(r#"{"groups": []}"#).unwrap().user(), None);
        for (bad, kind) in [
            ("{", Kind::Invalid),
            ("", Kind::Invalid),
            (r#"[null, null, "root", ["hr"], true, null, {}, null]"#, Kind::Invalid),
            (r#"{"user": "a"}"#, Kind::Invalid),
            (r#"{"user": "", "groups": []}"#, Kind::Invalid),
            (r#"{"user": "a", "groups": [], "group_complete": true}"#, Kind::Invalid),
            (r#"{"user": "a", "groups": [], "expires_at": "tomorrow"}"#, Kind::Invalid),
            (r#"{"user": "a", "groups": [], "expires_at": "2001-01-01T00:00:00Z"}"#, Kind::Denied),
            (r#"{"user": "a", "groups": [], "expires_at": "1901-01-01T00:00:00Z"}"#, Kind::Denied),
        ] {
            assert_eq!(read(bad).unwrap_err().kind(), kind, "{bad}");
        }
    }
}
