//! Here are classes of documents: what does Cedar say of each?
//!
//! The plain way: one request a class. Stricter than Cedar in one thing: a `forbid` that fails is not skipped, it forbids.

use std::collections::HashSet;

use cedar_policy::{AuthorizationError, Authorizer, Context, Decision, Entity, EntityUid, PolicySet, Request};
use safepassage_access::Resource;
use safepassage_error::{Error, Kind, Result};

use super::asker::{Asker, TENANT};
use super::names::uid;
use super::rules::Rules;
use super::shape::{self, Misfit, Value};

/// So many classes are put beside the asker at once.
const CLASSES_AT_ONCE: usize = 1024;

/// Whether `policies`, all or some of the rules', let `asker` read each of `resources`.
pub(super) fn permits(
    rules: &Rules,
    policies: &PolicySet,
    asker: &Asker,
    resources: &[Resource<'_>],
) -> Result<Vec<bool>> {
    let mut answers = Vec::with_capacity(resources.len());
    let authorizer = Authorizer::new();
    for some in resources.chunks(CLASSES_AT_ONCE) {
        // Within one store every class needs an id of its own; policies cannot see it.
        let name = |i: usize| uid(&rules.names.document, &i.to_string());
        let documents: Vec<Option<Entity>> =
            some.iter().enumerate().map(|(i, resource)| document(rules, name(i), resource).ok()).collect();
        let entities = asker.entities.clone().add_entities(documents.iter().flatten().cloned(), None);
        let entities = entities.map_err(internal)?;
        for (document, resource) in documents.iter().zip(some) {
            let Some(document) = document.as_ref().filter(|_| *resource.tenant == asker.tenant) else {
                answers.push(false);
                continue;
            };
            let (who, read) = (asker.uid.clone(), rules.names.read.clone());
            let request = Request::new(who, read, document.uid(), Context::empty(), None).map_err(internal)?;
            let answer = authorizer.is_authorized(&request, policies, &entities);
            let failed = answer
                .diagnostics()
                .errors()
                .any(|AuthorizationError::PolicyEvaluationError(e)| rules.forbids(e.policy_id()));
            answers.push(answer.decision() == Decision::Allow && !failed);
        }
    }
    Ok(answers)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "ask policies", "the classes are no entities").because(error)
}

/// A class as an entity; a class that does not fit the schema is none and nobody reads it.
fn document(rules: &Rules, uid: EntityUid, resource: &Resource<'_>) -> Result<Entity, Misfit> {
    let values = values(rules, resource)?.into_iter().map(|(name, value)| (name, value.expression()));
    shape::entity(&rules.schema, uid, values.collect(), objects(rules, resource))
}

/// The attributes of a class as the schema types them.
pub(super) fn values(rules: &Rules, resource: &Resource<'_>) -> Result<Vec<(String, Value)>, Misfit> {
    if resource.attributes.contains_key(TENANT) {
        return Err(Misfit(format!("a document has an attribute `{TENANT}`, which is not for it to say")));
    }
    let given = resource.attributes.iter().map(|(name, value)| (name.as_str(), value));
    let tenant = rules.document.declares(TENANT).then(|| resource.tenant.0.to_string());
    let tenant = tenant.map(safepassage_access::Attribute::Text);
    let values = rules.document.values(&rules.names, given.chain(tenant.as_ref().map(|value| (TENANT, value))))?;
    Ok(values.into_iter().collect())
}

/// What a class is in, by the plane and by the entities.
pub(super) fn objects(rules: &Rules, resource: &Resource<'_>) -> HashSet<EntityUid> {
    if !rules.document.can_be_in(&rules.names.object) {
        return HashSet::new();
    }
    let mut objects: HashSet<EntityUid> = resource.objects.iter().map(|name| uid(&rules.names.object, name)).collect();
    let above: Vec<EntityUid> =
        objects.iter().filter_map(|object| rules.entities.ancestors(object)).flatten().cloned().collect();
    objects.extend(above);
    objects
}
