//! Here is an identity: who is that among the entities?
//!
//! The asker has every group of the identity as a direct parent, whether or not the entities know it, and whatever those
//! are in. A group that were missing would make a `forbid` on it go away.

use std::collections::{BTreeMap, HashSet};

use cedar_policy::{Entities, EntityUid};
use safepassage_access::{Attribute, Identity, Principal, PrincipalKind, Tenant};
use safepassage_error::{Error, Kind, Result};

use super::class::TENANT;
use super::names::uid;
use super::rules::Rules;
use super::shape::{self, Misfit};
use crate::principals::id_of;

/// The attribute that says what the identity itself knows; nobody else sets it, as with the tenant.
const CLEARANCE: &str = "clearance";

/// An identity as policies see it.
#[derive(Debug)]
pub(super) struct Asker {
    pub uid: EntityUid,
    pub tenant: Tenant,
    /// The entities of the rules, and the asker.
    pub entities: Entities,
}

impl Asker {
    pub fn new(rules: &Rules, identity: &Identity) -> Result<Self> {
        if !identity.groups_complete() {
            return Err(denied("the groups of the identity may not be all there are"));
        }
        let principals = identity.principals();
        let is_user = |p: &&Principal| matches!(p, Principal::Named { kind: PrincipalKind::User, .. });
        // Somebody who has not signed in is `public` and nobody else.
        let who = principals.iter().find(is_user).unwrap_or(&Principal::Public);
        let uid_of_asker = uid(&rules.names.user, &id_of(who));

        let mut parents = HashSet::new();
        if rules.user.can_be_in(&rules.names.group) {
            let groups = principals.iter().filter(|principal| !is_user(principal));
            parents.extend(groups.map(|group| uid(&rules.names.group, &id_of(group))));
        }
        let mut values = attributes(rules, identity).map_err(|Misfit(why)| denied(why))?;
        let mut entities = rules.entities.clone();
        if let Some(known) = rules.entities.get(&uid_of_asker) {
            let (_, attributes, known_parents) = known.clone().into_inner();
            for (name, value) in attributes {
                if values.insert(name.clone(), value).is_some() {
                    return Err(denied(format!("both the identity and the entities say what `{name}` is")));
                }
            }
            parents.extend(known_parents);
        }
        let above: Vec<EntityUid> =
            parents.iter().filter_map(|uid| entities.ancestors(uid)).flatten().cloned().collect();
        parents.extend(above);
        let values = values.into_iter().collect();
        let asker =
            shape::entity(&rules.schema, uid_of_asker.clone(), values, parents).map_err(|Misfit(why)| denied(why))?;
        entities = entities.upsert_entities([asker], Some(&rules.schema)).map_err(|e| denied(e.to_string()))?;
        Ok(Self { uid: uid_of_asker, tenant: identity.tenant().clone(), entities })
    }
}

fn denied(why: impl Into<String>) -> Error {
    Error::new(Kind::Denied, "ask policies", why)
}

fn attributes(
    rules: &Rules,
    identity: &Identity,
) -> Result<BTreeMap<String, cedar_policy::RestrictedExpression>, Misfit> {
    let own = [TENANT, CLEARANCE];
    if let Some(name) = own.iter().find(|name| identity.attributes().contains_key(**name)) {
        return Err(Misfit(format!("the identity has an attribute `{name}`, which is not for it to say")));
    }
    let tenant = Attribute::Text(identity.tenant().0.to_string());
    let clearance = identity.clearance().map(|label| Attribute::Text(label.to_owned()));
    let given = identity.attributes().iter().map(|(name, value)| (name.as_str(), value));
    let ours = [(TENANT, Some(&tenant)), (CLEARANCE, clearance.as_ref())];
    let ours = ours.into_iter().filter(|(name, _)| rules.user.declares(name)).filter_map(|(name, v)| Some((name, v?)));
    let values = rules.user.values(&rules.names, given.chain(ours))?;
    Ok(values.into_iter().map(|(name, value)| (name, value.expression())).collect())
}
