//! What must happen so that an index permits what was imported?

use safepassage_access::{AccessEvent, AccessPlane, Binding, Origin, Tenant};

use super::Imported;
use crate::sync::object_event;

impl Imported {
    /// The events that make `plane` say what was imported, of ACL objects and of the documents of `tenant` that it knows.
    /// What a person set holds until the source says something else than it did then; revocations stay.
    #[must_use]
    pub fn events(&self, plane: &AccessPlane, tenant: &Tenant) -> Vec<AccessEvent> {
        let objects = self.objects.iter().filter_map(|object| object_event(plane, object));
        let documents = self.documents.iter().filter_map(|(id, acl)| {
            let known = plane.number(tenant, id).and_then(|number| plane.document(number))?;
            let current = known.current();
            if current.source_acl == *acl {
                return None;
            }
            let (acl, source_acl, origin) = (acl.clone(), acl.clone(), Origin::Source);
            Some(AccessEvent::Bound {
                number: known.number,
                binding: Binding { acl, source_acl, origin, ..current.clone() },
            })
        });
        objects.chain(documents).collect()
    }

    /// How many of the documents `plane` does not know.
    #[must_use]
    pub fn unknown(&self, plane: &AccessPlane, tenant: &Tenant) -> usize {
        self.documents.keys().filter(|id| plane.number(tenant, id).is_none()).count()
    }
}
