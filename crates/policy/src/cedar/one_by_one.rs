//! Here are classes of documents: what does Cedar say of each?
//!
//! The plain way: one request a class. Stricter than Cedar in one thing: a `forbid` that fails is not skipped, it forbids.

use cedar_policy::{AuthorizationError, Authorizer, Context, Decision, PolicySet, Request};
use safepassage_access::Resource;
use safepassage_error::{Error, Kind, Result};

use super::asker::Asker;
use super::class::Class;
use super::rules::Rules;

/// So many classes are put beside the asker at once.
const CLASSES_AT_ONCE: usize = 1024;

/// What some policies say of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// A `permit` holds and no `forbid` does.
    pub permitted: bool,
    /// A `forbid` holds or fails.
    pub forbidden: bool,
}

impl Verdict {
    const MISFIT: Self = Self { permitted: false, forbidden: true };

    pub fn permits(self) -> bool {
        self.permitted && !self.forbidden
    }
}

/// What `policies`, all or some of the rules', say of `asker` reading each of `resources`.
pub(super) fn verdicts(
    rules: &Rules,
    policies: &PolicySet,
    asker: &Asker,
    resources: &[Resource<'_>],
) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::with_capacity(resources.len());
    let authorizer = Authorizer::new();
    for some in resources.chunks(CLASSES_AT_ONCE) {
        let fits = |(i, resource): (usize, &Resource<'_>)| {
            let class = (*resource.tenant == asker.tenant).then(|| Class::new(rules, i, resource));
            class.and_then(|class| class.ok()).map(|class| class.entity)
        };
        let documents: Vec<_> = some.iter().enumerate().map(fits).collect();
        let entities = asker.entities.clone().add_entities(documents.iter().flatten().cloned(), None);
        let entities = entities.map_err(internal)?;
        for document in documents {
            let Some(document) = document else {
                verdicts.push(Verdict::MISFIT);
                continue;
            };
            let (who, read) = (asker.uid.clone(), rules.names.read.clone());
            let request = Request::new(who, read, document.uid(), Context::empty(), None).map_err(internal)?;
            let answer = authorizer.is_authorized(&request, policies, &entities);
            let failed = answer
                .diagnostics()
                .errors()
                .any(|AuthorizationError::PolicyEvaluationError(e)| rules.forbids(e.policy_id()));
            let permitted = answer.decision() == Decision::Allow;
            let holds = !permitted && answer.diagnostics().reason().next().is_some();
            verdicts.push(Verdict { permitted, forbidden: failed || holds });
        }
    }
    Ok(verdicts)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "ask policies", "the classes are no entities").because(error)
}
