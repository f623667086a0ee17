//! Which policies are in force, and can they be asked?

use std::sync::Arc;

use safepassage_error::{Error, Kind, Result};

use super::rules::NONE;
use super::table::{AclTable, Judged};
use crate::identity::Identity;
use crate::policy::{Policy, PolicyCompiler, PolicySource, Resource};

/// Policies as they were written, and ready to decide if somebody here knows their language.
#[derive(Debug, Default)]
pub(super) struct Policies {
    source: Option<PolicySource>,
    compiler: Option<Arc<dyn PolicyCompiler>>,
    /// Of `source`; what went wrong is kept for whoever asks.
    compiled: Option<Result<Arc<dyn Policy>, String>>,
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
            let message = format!("policies in `{}` need a program built with that language", source.language);
            Error::invalid("compile policies", message)
        };
        self.compiler.as_ref().ok_or_else(unknown)?.compile(source)
    }

    pub fn set(&mut self, source: Option<PolicySource>) {
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

    /// What the policies say to `identity` about classes of documents; `None` if there are no policies.
    ///
    /// # Errors
    /// `Denied` if there are policies that cannot be asked, or that cannot judge this identity.
    pub fn judge(
        &self,
        table: &AclTable,
        identity: &Identity,
        asked: std::collections::BTreeSet<super::rules::Class>,
    ) -> Result<Option<Judged>> {
        let policy = match &self.compiled {
            None => return Ok(None),
            Some(Ok(policy)) => policy,
            Some(Err(why)) => return Err(Error::new(Kind::Denied, "ask policies", why.clone())),
        };
        let mut classes = Vec::new();
        let mut resources = Vec::new();
        for class in asked {
            let objects = if class.object == NONE { Vec::new() } else { table.objects.upwards(class.object) };
            let objects: Vec<_> = objects.into_iter().filter_map(|id| table.objects.get(id)).collect();
            let Some(attributes) = table.rules.attributes.get(class.attributes) else { continue };
            if objects.iter().all(|object| object.tenant == *identity.tenant()) {
                let objects = objects.into_iter().map(|object| &*object.name).collect();
                classes.push(class);
                resources.push(Resource { tenant: identity.tenant(), objects, attributes });
            }
        }
        let answers = policy.permits(identity, &resources)?;
        if answers.len() != classes.len() {
            return Err(Error::new(Kind::Denied, "ask policies", "they gave another number of answers than questions"));
        }
        Ok(Some(classes.into_iter().zip(answers).collect()))
    }
}
