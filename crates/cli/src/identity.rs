//! Here are arguments: who asks?

use safepassage::system::Clock;
use safepassage::{Error, Identity, Result, identity_from_json};

use crate::args;

pub fn read(who: &args::Identity, clock: &Clock) -> Result<Identity> {
    if let Some(file) = &who.identity {
        let json = std::fs::read(file)
            .map_err(|e| Error::invalid("read identity", format!("`{}` cannot be read: {e}", file.display())))?;
        return identity_from_json(&json, clock).map_err(|e| e.with("file", file.display()));
    }
    let user = who.user.as_deref().unwrap_or_default();
    if who.group.is_empty() && !who.no_groups {
        let message = "say which groups the user is in: --group G for each, or --no-groups";
        return Err(Error::invalid("read identity", message));
    }
    for group in who.group.iter().filter(|group| group.starts_with("group:") || group.starts_with("user:")) {
        eprintln!("hint: groups are ids, taken as they are: `{group}` is the principal `group:{group}`");
    }
    let mut identity = Identity::asserted(user)
        .groups(who.group.iter().map(String::as_str))
        .tenant(who.tenant.as_deref().unwrap_or_default());
    if let Some(clearance) = &who.clearance {
        identity = identity.clearance(clearance);
    }
    identity.issue(clock)
}
