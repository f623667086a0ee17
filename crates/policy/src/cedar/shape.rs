//! Which attributes may a user or a document have, and does this value fit?
//!
//! Attributes come as truth, numbers, texts and lists of texts; the schema says what they are. What does not fit makes
//! no entity: nothing is left out and nothing is guessed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression, Schema};
use cedar_policy_core::entities::{EntityTypeDescription, Schema as _, SchemaType};
use cedar_policy_core::validator::CoreSchema;
use safepassage_access::Attribute;

use super::names::Names;

/// What the schema says of one type of entity.
#[derive(Debug)]
pub(super) struct Shape {
    pub name: EntityTypeName,
    attributes: BTreeMap<String, SchemaType>,
    parents: HashSet<EntityTypeName>,
    pub has_tags: bool,
}

/// A value as its type in the schema says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Bool(bool),
    Long(i64),
    Text(String),
    Entity(EntityUid),
    /// One of Cedar's extensions, by the name of its type, as it is written.
    Extension(&'static str, String),
    Set(BTreeSet<Self>),
}

/// Why something is no entity of a type.
pub(super) struct Misfit(pub String);

impl Shape {
    /// `None` if the schema does not know the type.
    pub fn of(schema: &Schema, name: &EntityTypeName) -> Option<Self> {
        let schema = schema.as_ref();
        let description = CoreSchema::new(schema).entity_type(name.as_ref())?;
        let names = schema.get_entity_type(name.as_ref())?.attributes().iter().map(|(name, _)| name.to_string());
        Some(Self {
            name: name.clone(),
            attributes: names.filter_map(|name| description.attr_type(&name).map(|of| (name, of))).collect(),
            parents: description.allowed_parent_types().iter().map(|name| name.clone().into()).collect(),
            has_tags: description.tag_type().is_some(),
        })
    }

    pub fn declares(&self, attribute: &str) -> bool {
        self.attributes.contains_key(attribute)
    }

    pub fn attributes(&self) -> impl Iterator<Item = (&str, &SchemaType)> {
        self.attributes.iter().map(|(name, of)| (name.as_str(), of))
    }

    /// Whether entities of this type can be in one of the type `parent`.
    pub fn can_be_in(&self, parent: &EntityTypeName) -> bool {
        self.parents.contains(parent)
    }

    /// `given` as the schema types it.
    pub fn values<'a>(
        &self,
        names: &Names,
        given: impl IntoIterator<Item = (&'a str, &'a Attribute)>,
    ) -> Result<BTreeMap<String, Value>, Misfit> {
        let typed = |(name, attribute): (&str, &Attribute)| {
            let Some(wanted) = self.attributes.get(name) else {
                return Err(Misfit(format!("the schema knows no attribute `{name}` of `{}`", self.name)));
            };
            let value = Value::typed(names, attribute, wanted);
            let value =
                value.ok_or_else(|| Misfit(format!("the attribute `{name}` is not of its type in the schema")))?;
            Ok((name.to_owned(), value))
        };
        given.into_iter().map(typed).collect()
    }
}

/// An entity of `values`, checked against the schema once more by Cedar itself.
pub(super) fn entity(
    schema: &Schema,
    uid: EntityUid,
    values: HashMap<String, RestrictedExpression>,
    parents: HashSet<EntityUid>,
) -> Result<Entity, Misfit> {
    let entity = Entity::new(uid, values, parents).map_err(|e| Misfit(e.to_string()))?;
    Entities::empty().add_entities([entity.clone()], Some(schema)).map_err(|e| Misfit(deepest(&e)))?;
    Ok(entity)
}

/// The message of the innermost cause: the outer ones only say that there is one.
fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}

impl Value {
    /// `None` if `attribute` is nothing of the type `wanted`.
    fn typed(names: &Names, attribute: &Attribute, wanted: &SchemaType) -> Option<Self> {
        Some(match (attribute, wanted) {
            (Attribute::Bool(value), SchemaType::Bool) => Self::Bool(*value),
            (Attribute::Integer(value), SchemaType::Long) => Self::Long(*value),
            (Attribute::Text(text), wanted) => Self::text(names, text, wanted)?,
            (Attribute::List(texts), SchemaType::Set { element_ty }) => {
                Self::Set(texts.iter().map(|text| Self::text(names, text, element_ty)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn text(names: &Names, text: &str, wanted: &SchemaType) -> Option<Self> {
        Some(match wanted {
            SchemaType::String => Self::Text(text.to_owned()),
            SchemaType::Entity { ty } => Self::Entity(names.written(&ty.clone().into(), text)?),
            SchemaType::Extension { name } => {
                let name = name.to_string();
                let known = ["decimal", "ipaddr", "datetime", "duration"].into_iter().find(|known| *known == name)?;
                Self::Extension(known, text.to_owned())
            }
            _ => return None,
        })
    }

    pub fn expression(&self) -> RestrictedExpression {
        match self {
            Self::Bool(value) => RestrictedExpression::new_bool(*value),
            Self::Long(value) => RestrictedExpression::new_long(*value),
            Self::Text(text) => RestrictedExpression::new_string(text.clone()),
            Self::Entity(uid) => RestrictedExpression::new_entity_uid(uid.clone()),
            Self::Extension("decimal", text) => RestrictedExpression::new_decimal(text),
            Self::Extension("ipaddr", text) => RestrictedExpression::new_ip(text),
            Self::Extension("datetime", text) => RestrictedExpression::new_datetime(text),
            Self::Extension(_, text) => RestrictedExpression::new_duration(text),
            Self::Set(values) => RestrictedExpression::new_set(values.iter().map(Self::expression)),
        }
    }
}
