//! Here are classes that stay: which have which value?
//!
//! For each attribute and each value the set of classes that have it, and for each ACL object those that are in it. A
//! class that does not fit the schema is in none of these sets.

use std::collections::{BTreeMap, HashMap};

use cedar_policy::EntityUid;
use cedar_policy_core::entities::SchemaType;
use roaring::RoaringBitmap;
use safepassage_access::{Resource, Tenant};

use super::class::Class;
use super::rules::Rules;
use super::shape::Value;

/// Sets of classes, numbered as they were given.
#[derive(Debug)]
pub(super) struct Columns {
    /// Those that fit the schema, by tenant.
    tenants: HashMap<Tenant, RoaringBitmap>,
    objects: HashMap<EntityUid, RoaringBitmap>,
    attributes: HashMap<String, Column>,
}

/// Which classes have which value of one attribute.
#[derive(Debug)]
pub(super) struct Column {
    pub kind: Kind,
    /// Those that have the attribute.
    pub present: RoaringBitmap,
    /// Those that have a value or, if the values are sets, that have it in theirs.
    pub values: BTreeMap<Value, RoaringBitmap>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    One,
    Set,
    /// Extensions are written in more than one way, so values as they are written say nothing.
    Unreadable,
}

impl Columns {
    pub fn of(rules: &Rules, resources: &[Resource<'_>]) -> Self {
        let attributes = rules.document.attributes().map(|(name, of)| (name.to_owned(), Column::new(of)));
        let mut columns = Self { tenants: HashMap::new(), objects: HashMap::new(), attributes: attributes.collect() };
        for (i, resource) in (0..).zip(resources) {
            let Ok(class) = Class::new(rules, i as usize, resource) else { continue };
            insert(&mut columns.tenants, resource.tenant, i);
            for object in class.objects {
                columns.objects.entry(object).or_default().insert(i);
            }
            for (name, value) in class.values {
                if let Some(column) = columns.attributes.get_mut(&name) {
                    column.insert(value, i);
                }
            }
        }
        columns
    }

    /// The classes of `tenant` that fit the schema.
    pub fn of_tenant(&self, tenant: &Tenant) -> RoaringBitmap {
        self.tenants.get(tenant).cloned().unwrap_or_default()
    }

    /// The classes in `object`.
    pub fn under(&self, object: &EntityUid) -> RoaringBitmap {
        self.objects.get(object).cloned().unwrap_or_default()
    }

    pub fn attribute(&self, name: &str) -> Option<&Column> {
        self.attributes.get(name)
    }
}

fn insert(sets: &mut HashMap<Tenant, RoaringBitmap>, tenant: &Tenant, i: u32) {
    if let Some(set) = sets.get_mut(tenant) {
        set.insert(i);
    } else {
        sets.insert(tenant.clone(), RoaringBitmap::from([i]));
    }
}

impl Column {
    fn new(of: &SchemaType) -> Self {
        let is_readable = |of: &SchemaType| {
            matches!(of, SchemaType::Bool | SchemaType::Long | SchemaType::String | SchemaType::Entity { .. })
        };
        let kind = match of {
            SchemaType::Set { element_ty } if is_readable(element_ty) => Kind::Set,
            of if is_readable(of) => Kind::One,
            _ => Kind::Unreadable,
        };
        Self { kind, present: RoaringBitmap::new(), values: BTreeMap::new() }
    }

    fn insert(&mut self, value: Value, i: u32) {
        self.present.insert(i);
        match (self.kind, value) {
            (Kind::Unreadable, _) => {}
            (_, Value::Set(elements)) => elements.into_iter().for_each(|value| self.insert_value(value, i)),
            (_, value) => self.insert_value(value, i),
        }
    }

    fn insert_value(&mut self, value: Value, i: u32) {
        self.values.entry(value).or_default().insert(i);
    }

    /// The classes with `value`.
    pub fn with(&self, value: &Value) -> RoaringBitmap {
        self.values.get(value).cloned().unwrap_or_default()
    }

    /// The classes with a value that `wanted` says yes to.
    pub fn with_any(&self, mut wanted: impl FnMut(&Value) -> bool) -> RoaringBitmap {
        self.values.iter().filter(|(value, _)| wanted(value)).fold(RoaringBitmap::new(), |all, (_, set)| all | set)
    }
}
