//! Here are policies in Cedar: which documents do they let somebody read?

mod asker;
mod names;
mod one_by_one;
mod rules;
mod shape;

use std::sync::Arc;

use safepassage_access::{Identity, Policy, PolicyCompiler, PolicySource, Resource};
use safepassage_error::Result;

use self::asker::Asker;
use self::rules::Rules;

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
        one_by_one::permits(&self.rules, &self.rules.policies, &asker, resources)
    }
}
