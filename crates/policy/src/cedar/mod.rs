//! Here are policies in Cedar: which documents do they let somebody read?
//!
//! Two exact ways: a few classes one by one, many together by sets. Which is taken depends on their number alone.

mod asker;
mod class;
mod columns;
mod names;
mod one_by_one;
mod residual;
mod rules;
mod shape;
#[cfg(test)]
mod tests;
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;
use safepassage_access::{Attribute, Identity, Policy, PolicyCompiler, PolicyOver, PolicySource, Resource, Tenant};
use safepassage_error::Result;

use self::asker::Asker;
use self::columns::Columns;
use self::rules::Rules;

/// From so many classes on, sets are worth finding out what is left of the policies.
const MANY: usize = 4;

/// Reads policies of the language `cedar`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CedarCompiler;

/// Policies in Cedar, ready to decide.
#[derive(Debug)]
pub struct CedarPolicy {
    rules: Arc<Rules>,
}

impl CedarCompiler {
    /// As [`PolicyCompiler::compile`], with the type it makes.
    ///
    /// # Errors
    /// `Invalid` for another language, a text that does not parse, a policy or an entity that does not fit the schema,
    /// a warning of the strict validation, and whatever could not be kept: the README lists it.
    pub fn read(self, source: &PolicySource) -> Result<CedarPolicy> {
        Ok(CedarPolicy { rules: Arc::new(Rules::read(source)?) })
    }
}

impl PolicyCompiler for CedarCompiler {
    fn compile(&self, source: &PolicySource) -> Result<Arc<dyn Policy>> {
        Ok(Arc::new(self.read(source)?))
    }
}

impl Policy for CedarPolicy {
    fn permits(&self, identity: &Identity, resources: &[Resource<'_>]) -> Result<Vec<bool>> {
        let asker = Asker::new(&self.rules, identity)?;
        let verdicts = one_by_one::verdicts(&self.rules, &self.rules.policies, &asker, resources)?;
        Ok(verdicts.into_iter().map(one_by_one::Verdict::permits).collect())
    }

    fn over(&self, resources: &[Resource<'_>]) -> Result<Option<Arc<dyn PolicyOver>>> {
        if resources.len() < MANY {
            return Ok(None);
        }
        Ok(Some(Arc::new(CedarOver::new(&self.rules, resources))))
    }
}

/// Policies in Cedar over classes that stay.
#[derive(Debug)]
struct CedarOver {
    rules: Arc<Rules>,
    columns: Columns,
    /// As they were stated, for policies that have to be evaluated one by one.
    classes: Vec<Stated>,
}

#[derive(Debug)]
struct Stated {
    tenant: Tenant,
    objects: Vec<String>,
    attributes: BTreeMap<String, Attribute>,
}

impl CedarOver {
    fn new(rules: &Arc<Rules>, resources: &[Resource<'_>]) -> Self {
        let stated = |resource: &Resource<'_>| Stated {
            tenant: resource.tenant.clone(),
            objects: resource.objects.iter().map(ToString::to_string).collect(),
            attributes: resource.attributes.clone(),
        };
        let columns = Columns::of(rules, resources);
        Self { rules: Arc::clone(rules), columns, classes: resources.iter().map(stated).collect() }
    }

    fn permitted(&self, identity: &Identity) -> Result<RoaringBitmap> {
        let asker = Asker::new(&self.rules, identity)?;
        let resource = |i: u32| {
            let Stated { tenant, objects, attributes } = &self.classes[i as usize];
            Resource { tenant, objects: objects.iter().map(String::as_str).collect(), attributes }
        };
        together::permitted(&self.rules, &asker, &self.columns, resource)
    }
}

impl PolicyOver for CedarOver {
    fn permits(&self, identity: &Identity) -> Result<Vec<bool>> {
        let mut permits = vec![false; self.classes.len()];
        self.permitted(identity)?.into_iter().for_each(|i| permits[i as usize] = true);
        Ok(permits)
    }
}
