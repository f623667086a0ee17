//! Which policies are in force, and what do they say?
//!
//! Policies tell documents apart by *classes*: the ACL object they are under and their attributes. They are asked about
//! the classes of rules that somebody passes. Asked twice of the same classes, all classes of the tenant are laid out
//! for them, so that they need not look at each again for everybody.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use safepassage_error::{Error, Kind, Result};

use super::rules::{Class, NO_ATTRIBUTES, NONE, PART};
use super::table::{AclTable, Judged};
use crate::document::Tenant;
use crate::identity::Identity;
use crate::policy::{Policy, PolicyCompiler, PolicyOver, PolicySource, Resource};

/// Policies as they were written, and ready to decide if somebody here knows their language.
#[derive(Debug, Default)]
pub(super) struct Policies {
    source: Option<PolicySource>,
    compiler: Option<Arc<dyn PolicyCompiler>>,
    /// Of `source`; what went wrong is kept for whoever asks.
    compiled: Option<Result<Arc<dyn Policy>, String>>,
    laid_out: Mutex<HashMap<Tenant, LaidOut>>,
}

/// Classes, and policies that answer for all of them in this order.
type Over = (Arc<[Class]>, Arc<dyn PolicyOver>);

/// All classes of a tenant, as they were when there were so many rules and changes of objects.
#[derive(Debug, Clone)]
struct LaidOut {
    state: (usize, u64),
    /// `None` if they were asked about once, or if laying them out gains nothing.
    over: Option<Over>,
    tried: bool,
}

impl Policies {
    pub fn source(&self) -> Option<&PolicySource> {
        self.source.as_ref()
    }

    /// Ready to decide, or why not.
    ///
    /// # Errors
    /// `Invalid` if nobody knows the language or the policies are not right.
    pub fn compile(&self, source: &PolicySource) -> Result<Arc<dyn Policy>> {
        let unknown = || {
            let language = &source.language;
            let message = format!("policies in `{language}` need a program that knows it: build with its feature");
            Error::invalid("compile policies", message)
        };
        self.compiler.as_ref().ok_or_else(unknown)?.compile(source)
    }

    pub fn set(&mut self, source: Option<PolicySource>) {
        self.laid_out.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        self.compiled = source.as_ref().map(|source| self.compile(source).map_err(|e| e.message().to_owned()));
        self.source = source;
    }

    pub fn compiler(&self) -> Option<Arc<dyn PolicyCompiler>> {
        self.compiler.clone()
    }

    pub fn set_compiler(&mut self, compiler: Arc<dyn PolicyCompiler>) {
        self.compiler = Some(compiler);
        let source = self.source.take();
        self.set(source);
    }

    /// What the policies say to `identity` about the classes of documents that `asked` gives; `None` if there are no
    /// policies.
    ///
    /// # Errors
    /// `Denied` if there are policies that cannot be asked, or that cannot judge this identity.
    pub fn judge(
        &self,
        table: &AclTable,
        identity: &Identity,
        asked: &dyn Fn() -> BTreeSet<Class>,
    ) -> Result<Option<Judged>> {
        let policy = match &self.compiled {
            None => return Ok(None),
            Some(Ok(policy)) => policy,
            Some(Err(why)) => return Err(Error::new(Kind::Denied, "ask policies", why.clone())),
        };
        let (classes, answers) = match self.laid_out(&**policy, table, identity.tenant())? {
            Some((classes, over)) => (classes, over.permits(identity)?),
            None => {
                let (classes, resources) = resources(table, identity.tenant(), asked());
                (classes.into(), policy.permits(identity, &resources)?)
            }
        };
        if answers.len() != classes.len() {
            return Err(Error::new(Kind::Denied, "ask policies", "they gave another number of answers than questions"));
        }
        Ok(Some(classes.iter().copied().zip(answers).collect()))
    }

    /// All classes of `tenant` laid out for the policies, from the second question on.
    fn laid_out(&self, policy: &dyn Policy, table: &AclTable, tenant: &Tenant) -> Result<Option<Over>> {
        let state = (table.rules.composed().len(), table.objects.changes());
        let mut all = self.laid_out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get_mut(tenant).filter(|known| known.state == state) else {
            all.insert(tenant.clone(), LaidOut { state, over: None, tried: false });
            return Ok(None);
        };
        if !known.tried {
            known.tried = true;
            let class = |rule: &super::rules::Rule| Class { object: rule.parent, attributes: rule.attributes };
            let of_rules = table.rules.composed().iter().map(class).filter(|class| class.attributes != PART);
            let plain = Class { object: NONE, attributes: NO_ATTRIBUTES };
            let (classes, resources) = resources(table, tenant, of_rules.chain([plain]).collect());
            known.over = policy.over(&resources)?.map(|over| (classes.into(), over));
        }
        Ok(known.over.clone())
    }
}

/// Those of `classes` that are of `tenant`, and what policies see of them.
fn resources<'a>(table: &'a AclTable, tenant: &'a Tenant, classes: BTreeSet<Class>) -> (Vec<Class>, Vec<Resource<'a>>) {
    let one = |class: Class| {
        let objects = if class.object == NONE { Vec::new() } else { table.objects.upwards(class.object) };
        let objects: Option<Vec<&str>> = objects
            .into_iter()
            .map(|id| table.objects.get(id).filter(|object| object.tenant == *tenant).map(|object| &*object.name))
            .collect();
        let attributes = table.rules.attributes.get(class.attributes)?;
        Some((class, Resource { tenant, objects: objects?, attributes }))
    };
    classes.into_iter().filter_map(one).unzip()
}
