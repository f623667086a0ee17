//! Here are classes that stay, and somebody asks: what do the policies say of all of them at once?
//!
//! Cedar is asked once what is left of each policy when the asker is known, and that is answered by sets of classes. A
//! policy of which something is left that has no such form is evaluated class by class, where it can still matter.

use cedar_policy::{Context, Effect, PartialEntities, PartialEntityUid, PartialRequest, PolicySet, Schema};
use roaring::RoaringBitmap;
use safepassage_access::Resource;
use safepassage_error::{Error, Kind, Result};

use super::asker::Asker;
use super::columns::Columns;
use super::one_by_one;
use super::residual::{Compiler, Truth};
use super::rules::Rules;

/// The classes that `asker` may read; `resource` gives each of `columns` as it was stated.
pub(super) fn permitted<'a>(
    rules: &Rules,
    asker: &Asker,
    columns: &Columns,
    resource: impl Fn(u32) -> Resource<'a>,
) -> Result<RoaringBitmap> {
    let all = columns.of_tenant(&asker.tenant);
    let compiler = Compiler { columns, all: &all, entities: &asker.entities };
    let (mut allowed, mut forbidden, mut rest) = (RoaringBitmap::new(), RoaringBitmap::new(), PolicySet::new());
    let mut rest_permits = false;
    let truths = truths(rules, asker, &compiler);
    for (policy, truth) in rules.policies.policies().zip(truths) {
        match (truth, policy.effect()) {
            (Some(truth), Effect::Permit) => allowed |= truth.yes,
            // One that fails forbids too.
            (Some(truth), Effect::Forbid) => forbidden |= &all - truth.no,
            (None, effect) => {
                rest_permits |= effect == Effect::Permit;
                rest.add(policy.clone()).map_err(internal)?;
            }
        }
    }
    let mut open = &all - forbidden;
    if !rest_permits {
        open &= &allowed;
    }
    if rest.is_empty() {
        return Ok(open);
    }
    let resources: Vec<Resource<'a>> = open.iter().map(resource).collect();
    let verdicts = one_by_one::verdicts(rules, &rest, asker, &resources)?;
    let holds = open
        .iter()
        .zip(verdicts)
        .filter(|(i, verdict)| !verdict.forbidden && (verdict.permitted || allowed.contains(*i)));
    Ok(holds.map(|(i, _)| i).collect())
}

/// For each policy where it holds, as far as that can be said by sets.
pub(super) fn truths(rules: &Rules, asker: &Asker, compiler: &Compiler<'_>) -> Vec<Option<Truth>> {
    let none = || rules.policies.policies().map(|_| None).collect();
    let Some((request, entities)) = question(rules, asker, &rules.schema) else { return none() };
    let Ok(left) = rules.policies.tpe(&request, &entities, &rules.schema) else { return none() };
    let truth = |policy: &cedar_policy::Policy| {
        let left = left.get_policy(policy.id())?;
        compiler.truth(&left.as_ref().condition())
    };
    rules.policies.policies().map(truth).collect()
}

fn question(rules: &Rules, asker: &Asker, schema: &Schema) -> Option<(PartialRequest, PartialEntities)> {
    let who = PartialEntityUid::from_concrete(asker.uid.clone());
    let any = PartialEntityUid::new(rules.names.document.clone(), None);
    let request = PartialRequest::new(who, rules.names.read.clone(), any, Some(Context::empty()), schema).ok()?;
    Some((request, PartialEntities::from_concrete(asker.entities.clone(), schema).ok()?))
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "ask policies", "a policy cannot stand alone").because(error)
}
