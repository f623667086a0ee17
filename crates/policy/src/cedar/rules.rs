//! Here are the texts: are they policies that can be held to?
//!
//! Policies, schema and entities are parsed and validated strictly, warnings included, and whatever could only be half
//! kept is refused: a document named in a policy, tags and contexts that nobody fills, templates that nobody links.

use std::collections::BTreeSet;

use cedar_policy::{Effect, Entities, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use cedar_policy_core::ast::{Expr, ExprKind};
use cedar_policy_core::entities::{EntityTypeDescription, Schema as _, SchemaType};
use cedar_policy_core::validator::CoreSchema;
use cedar_policy_core::validator::types::Type;
use miette::Diagnostic;
use safepassage_access::PolicySource;
use safepassage_error::{Error, Result};

use super::names::Names;
use super::shape::Shape;

/// How deep conditions may be nested. Cedar gives up where its stack ends, so the answer would depend on the thread.
const DEEPEST: usize = 200;

/// Policies, schema and entities that fit each other.
#[derive(Debug)]
pub(super) struct Rules {
    pub names: Names,
    pub policies: PolicySet,
    pub schema: Schema,
    /// What the policies know besides the asker and the document, closed transitively.
    pub entities: Entities,
    pub user: Shape,
    pub document: Shape,
    forbids: BTreeSet<PolicyId>,
}

impl Rules {
    pub fn read(source: &PolicySource) -> Result<Self> {
        if source.language != "cedar" {
            return Err(invalid(format!("policies in the language `{}` cannot be read here", source.language)));
        }
        let names = Names::new()?;
        let schema = read_schema(&source.schema)?;
        let policies: PolicySet =
            source.policies.parse().map_err(|e| at("the policies do not parse", &e, &source.policies))?;
        let shape = |name| {
            Shape::of(&schema, name).ok_or_else(|| invalid(format!("the schema does not declare the type `{name}`")))
        };
        let (user, document) = (shape(&names.user)?, shape(&names.document)?);
        check_schema(&schema, &names, &user, &document)?;
        check_policies(&policies, &schema, &names, &source.policies)?;
        let entities = read_entities(&source.entities, &schema, &names)?;
        let forbids = policies.policies().filter(|policy| policy.effect() == Effect::Forbid);
        let forbids = forbids.map(|policy| policy.id().clone()).collect();
        Ok(Self { names, policies, schema, entities, user, document, forbids })
    }

    pub fn forbids(&self, id: &PolicyId) -> bool {
        self.forbids.contains(id)
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("read policies", message)
}

/// What `error` says, and on which line.
fn at(what: &str, error: &dyn Diagnostic, text: &str) -> Error {
    // An outer error may only say that there is an inner one, and only one of them knows the place.
    let mut said = Vec::new();
    let mut line = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if said.last() != Some(&error.to_string()) {
            said.push(error.to_string());
        }
        let place = error.labels().and_then(|mut labels| labels.next());
        line = line.or_else(|| Some(line_of(text, place?.offset())));
        next = error.diagnostic_source();
    }
    let error = invalid(format!("{what}: {}", said.join(": ")));
    match line {
        Some(line) => error.with("line", line),
        None => error,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn read_schema(text: &str) -> Result<Schema> {
    let fault = |error: &dyn Diagnostic| at("the schema cannot be used", error, text);
    if text.trim_start().starts_with('{') {
        return Schema::from_json_str(text).map_err(|e| fault(&e));
    }
    let (schema, mut warnings) = Schema::from_cedarschema_str(text).map_err(|e| fault(&e))?;
    match warnings.next() {
        Some(warning) => Err(fault(&warning)),
        None => Ok(schema),
    }
}

/// A class of documents is asked about, not a document: nothing may depend on which one it is, nor on what the asker
/// and a class cannot have.
fn check_schema(schema: &Schema, names: &Names, user: &Shape, document: &Shape) -> Result<()> {
    let rules = schema.as_ref();
    for shape in [user, document] {
        if shape.has_tags {
            return Err(invalid(format!("`{}` has tags in the schema; only attributes are filled", shape.name)));
        }
    }
    for kind in rules.entity_types() {
        let Some(description) = CoreSchema::new(rules).entity_type(kind.name()) else { continue };
        let types = kind.attributes().iter().filter_map(|(name, _)| description.attr_type(name));
        if types.chain(description.tag_type()).any(|of| mentions(&of, names)) {
            return Err(invalid(format!(
                "`{}` refers to a `Document` in the schema; policies see classes",
                kind.name()
            )));
        }
        if description.allowed_parent_types().contains(names.document.as_ref()) {
            return Err(invalid(format!(
                "`{}` can be in a `Document` in the schema; policies see classes",
                kind.name()
            )));
        }
    }
    let read = rules.get_action_id(names.read.as_ref()).filter(|action| {
        action.is_applicable_principal_type(names.user.as_ref())
            && action.is_applicable_resource_type(names.document.as_ref())
    });
    let Some(read) = read else {
        return Err(invalid("the schema declares no action `read` that applies to a `User` and a `Document`"));
    };
    match read.context_type() {
        Some(Type::Record { attrs, .. }) if attrs.iter().next().is_none() => Ok(()),
        _ => Err(invalid("the action `read` has a context in the schema; there is none to give")),
    }
}

fn mentions(of: &SchemaType, names: &Names) -> bool {
    match of {
        SchemaType::Entity { ty } => ty == names.document.as_ref(),
        SchemaType::Set { element_ty } => mentions(element_ty, names),
        SchemaType::Record { attrs, .. } => attrs.values().any(|attribute| mentions(attribute.schema_type(), names)),
        _ => false,
    }
}

fn check_policies(policies: &PolicySet, schema: &Schema, names: &Names, text: &str) -> Result<()> {
    if let Some(template) = policies.templates().next() {
        return Err(invalid(format!("the policy `{}` is a template; nobody fills it", template.id())));
    }
    let checked = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    if let Some(error) = checked.validation_errors().next() {
        return Err(at("a policy does not fit the schema", error, text).with("policy", error.policy_id()));
    }
    if let Some(warning) = checked.validation_warnings().next() {
        return Err(at("a policy can hardly be meant so", warning, text).with("policy", warning.policy_id()));
    }
    for policy in policies.policies() {
        if policy.entity_literals().iter().any(|uid| *uid.type_name() == names.document) {
            return Err(invalid(format!("the policy `{}` names a document; policies see classes", policy.id())));
        }
        if !is_shallow(&policy.as_ref().condition(), DEEPEST) {
            let message = format!("the policy `{}` is nested deeper than {DEEPEST}; use sets", policy.id());
            return Err(invalid(message));
        }
    }
    Ok(())
}

fn is_shallow(expression: &Expr, deepest: usize) -> bool {
    let Some(deepest) = deepest.checked_sub(1) else { return false };
    let is_shallow = |part: &Expr| is_shallow(part, deepest);
    match expression.expr_kind() {
        ExprKind::And { left, right } | ExprKind::Or { left, right } => is_shallow(left) && is_shallow(right),
        ExprKind::If { test_expr, then_expr, else_expr } => {
            [test_expr, then_expr, else_expr].into_iter().all(|part| is_shallow(part))
        }
        ExprKind::BinaryApp { arg1, arg2, .. } => is_shallow(arg1) && is_shallow(arg2),
        ExprKind::UnaryApp { arg, .. } => is_shallow(arg),
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => is_shallow(expr),
        ExprKind::ExtensionFunctionApp { args: parts, .. } | ExprKind::Set(parts) => parts.iter().all(is_shallow),
        ExprKind::Record(parts) => parts.values().all(is_shallow),
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => true,
    }
}

fn read_entities(text: &str, schema: &Schema, names: &Names) -> Result<Entities> {
    let fault = |error: &dyn Diagnostic| at("the entities cannot be used", error, text);
    let entities = if text.trim().is_empty() {
        Entities::from_entities([], Some(schema)).map_err(|e| fault(&e))?
    } else {
        Entities::from_json_str(text, Some(schema)).map_err(|e| fault(&e))?
    };
    if let Some(entity) = entities.iter().find(|entity| *entity.uid().type_name() == names.document) {
        return Err(invalid(format!("`{}` is a document; documents come from the index", entity.uid())));
    }
    Ok(entities)
}
