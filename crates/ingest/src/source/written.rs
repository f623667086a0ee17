//! A document as somebody wrote it down, in a line of JSON or a row of a table: what does it say, and does it make sense?

use safepassage_access::Acl;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::acl_file::{AclFile, Resolved, Stated};
use super::object::{Object, object_or_null};
use super::{Fault, Format, Section, SourceDocument, check_sections};

/// The fields of a document.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub id: String,
    pub text: String,
    pub title: Option<String>,
    pub uri: Option<String>,
    #[serde(default, deserialize_with = "object_or_null")]
    pub acl: Option<Stated>,
    pub acl_object: Option<String>,
    pub label: Option<String>,
    pub tenant: Option<String>,
    #[serde(default)]
    pub sections: Vec<Object<Section>>,
    #[serde(default)]
    pub derived_from: Vec<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// Of what cannot be used: what it says about permissions.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Permission {
    #[serde(default, deserialize_with = "object_or_null")]
    pub acl: Option<Stated>,
    pub acl_object: Option<String>,
    pub label: Option<String>,
}

impl Permission {
    /// What that makes of the document `id`, if it makes sense.
    pub fn of(self, acls: &AclFile, id: &str) -> Option<Box<Resolved>> {
        let said = acls.resolve(id, own(self.acl, self.acl_object).ok()?.as_ref(), self.label.as_deref());
        said.0.as_ref().map_or(Ok(()), Acl::check).ok()?;
        Some(Box::new(said))
    }
}

/// What a document says itself, below the ACL object it names.
fn own(acl: Option<Stated>, acl_object: Option<String>) -> Result<Option<Stated>, String> {
    match (acl, acl_object) {
        (None, None) => Ok(None),
        (None, Some(object)) => Ok(Some(Stated::under(&object))),
        (Some(acl), object) => acl.below(object).map(Some),
    }
}

impl Written {
    /// What it says itself about who may read it.
    ///
    /// # Errors
    /// A sentence for a person.
    pub fn own(&mut self) -> Result<Option<Stated>, String> {
        own(self.acl.take(), self.acl_object.take())
    }

    /// The document, which was listed as `(tenant, id)` and says `stated` about who may read it.
    pub fn into_source(
        self,
        acls: &AclFile,
        (tenant, id): (&str, &str),
        stated: Option<&Stated>,
    ) -> Result<SourceDocument, Fault> {
        let (acl, label) = acls.resolve(id, stated, self.label.as_deref());
        acl.as_ref().map_or(Ok(()), Acl::check).map_err(|e| Fault::hidden(e.message()))?;
        let sections: Vec<Section> = self.sections.into_iter().map(|section| section.0).collect();
        check_sections(&sections, &self.text).map_err(|e| Fault::hidden(e.message()))?;
        if (self.id.as_str(), self.tenant.as_deref().unwrap_or_default()) != (id, tenant) {
            return Err(Fault::hidden("the file changed while it was read; run again"));
        }
        Ok(SourceDocument {
            title: self.title.filter(|title| !title.is_empty()),
            uri: self.uri,
            content: self.text.into_bytes(),
            format: Format::Markdown,
            acl,
            label,
            sections,
            derived_from: self.derived_from,
            metadata: self.metadata.filter(|metadata| !metadata.is_empty()),
        })
    }
}

/// Why this can be no id.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    match id {
        "" => Err("the id is empty".into()),
        text if text.chars().any(char::is_control) => Err("the id has control characters".into()),
        _ => Ok(()),
    }
}
