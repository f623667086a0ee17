//! Here is what is left of a policy when the asker is known: for which classes does it hold, and for which does it not?
//!
//! An expression becomes two sets, where it is true and where it is false; a class in neither is one where it fails.
//! `None` is an expression that has no such form: whoever asked then evaluates the policy class by class.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{Entities, EntityUid};
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp, Var};
use roaring::RoaringBitmap;

use super::columns::{Column, Columns, Kind};
use super::shape::Value;

/// Where an expression is true and where it is false.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub yes: RoaringBitmap,
    pub no: RoaringBitmap,
}

/// Sets of classes for expressions about them.
pub(super) struct Compiler<'a> {
    pub columns: &'a Columns,
    /// Every class that is asked about.
    pub all: &'a RoaringBitmap,
    /// Who is in what.
    pub entities: &'a Entities,
}

/// A side of an operator.
enum Side<'a> {
    Known(Value),
    Attribute(&'a Column),
    Resource,
}

impl Compiler<'_> {
    pub fn truth(&self, expression: &Expr) -> Option<Truth> {
        let truth = |part| self.truth(part);
        Some(match expression.expr_kind() {
            ExprKind::Lit(Literal::Bool(value)) => self.constant(*value),
            // What would fail wherever it is reached.
            ExprKind::ExtensionFunctionApp { fn_name, args } if args.is_empty() && fn_name.to_string() == "error" => {
                Truth::default()
            }
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
                let Truth { yes, no } = truth(arg)?;
                Truth { yes: no, no: yes }
            }
            ExprKind::And { left, right } => {
                let (left, right) = (truth(left)?, truth(right)?);
                Truth { no: left.no | (&left.yes & right.no), yes: left.yes & right.yes }
            }
            ExprKind::Or { left, right } => {
                let (left, right) = (truth(left)?, truth(right)?);
                Truth { yes: left.yes | (&left.no & right.yes), no: left.no & right.no }
            }
            ExprKind::If { test_expr, then_expr, else_expr } => {
                let (test, then, other) = (truth(test_expr)?, truth(then_expr)?, truth(else_expr)?);
                let choose = |then: RoaringBitmap, other: RoaringBitmap| (&test.yes & then) | (&test.no & other);
                Truth { yes: choose(then.yes, other.yes), no: choose(then.no, other.no) }
            }
            ExprKind::HasAttr { expr, attr } if is_resource(expr) => {
                let present = &self.columns.attribute(attr)?.present & self.all;
                Truth { no: self.all - &present, yes: present }
            }
            ExprKind::GetAttr { .. } => self.one(self.side(expression)?, |value| *value == Value::Bool(true))?,
            ExprKind::Like { expr, pattern } => {
                self.one(self.side(expr)?, |value| matches!(value, Value::Text(text) if pattern.wildcard_match(text)))?
            }
            ExprKind::UnaryApp { op: UnaryOp::IsEmpty, arg } => {
                let column = set(self.side(arg)?)?;
                self.where_present(column, &column.present - column.with_any(|_| true))
            }
            ExprKind::BinaryApp { op, arg1, arg2 } => self.binary(*op, self.side(arg1)?, self.side(arg2)?)?,
            _ => return None,
        })
    }

    fn binary(&self, op: BinaryOp, left: Side<'_>, right: Side<'_>) -> Option<Truth> {
        match (op, left, right) {
            (BinaryOp::Eq, Side::Attribute(column), Side::Known(value))
            | (BinaryOp::Eq, Side::Known(value), Side::Attribute(column)) => self.equal(column, &value),
            (BinaryOp::Less, Side::Attribute(column), Side::Known(Value::Long(most))) => {
                self.one(Side::Attribute(column), |value| long(value).is_some_and(|value| value < most))
            }
            (BinaryOp::LessEq, Side::Attribute(column), Side::Known(Value::Long(most))) => {
                self.one(Side::Attribute(column), |value| long(value).is_some_and(|value| value <= most))
            }
            (BinaryOp::Less, Side::Known(Value::Long(least)), Side::Attribute(column)) => {
                self.one(Side::Attribute(column), |value| long(value).is_some_and(|value| least < value))
            }
            (BinaryOp::LessEq, Side::Known(Value::Long(least)), Side::Attribute(column)) => {
                self.one(Side::Attribute(column), |value| long(value).is_some_and(|value| least <= value))
            }
            (BinaryOp::In, left, right) => self.within(left, right),
            (BinaryOp::Contains, Side::Attribute(column), Side::Known(value)) => {
                let column = set(Side::Attribute(column))?;
                Some(self.where_present(column, column.with(&value)))
            }
            (BinaryOp::Contains, Side::Known(Value::Set(values)), right) => {
                self.one(right, |value| values.contains(value))
            }
            (BinaryOp::ContainsAny, Side::Attribute(column), Side::Known(Value::Set(values)))
            | (BinaryOp::ContainsAny, Side::Known(Value::Set(values)), Side::Attribute(column)) => {
                let column = set(Side::Attribute(column))?;
                Some(self.where_present(column, union(column, &values)))
            }
            (BinaryOp::ContainsAll, Side::Attribute(column), Side::Known(Value::Set(values))) => {
                let column = set(Side::Attribute(column))?;
                Some(self.where_present(column, with_all(column, &values)))
            }
            (BinaryOp::ContainsAll, Side::Known(Value::Set(values)), Side::Attribute(column)) => {
                let column = set(Side::Attribute(column))?;
                Some(self.where_present(column, with_no_other(column, &values)))
            }
            _ => None,
        }
    }

    fn equal(&self, column: &Column, value: &Value) -> Option<Truth> {
        let equal = match (column.kind, value) {
            (Kind::Unreadable, _) => return None,
            (Kind::Set, Value::Set(values)) => with_all(column, values) & with_no_other(column, values),
            (Kind::Set, _) | (Kind::One, Value::Set(_)) => return None,
            (Kind::One, value) => column.with(value),
        };
        Some(self.where_present(column, equal))
    }

    /// `left in right`.
    fn within(&self, left: Side<'_>, right: Side<'_>) -> Option<Truth> {
        match (left, right) {
            (Side::Resource, Side::Known(value)) => {
                let objects = entities(&value)?;
                let yes = objects.iter().fold(RoaringBitmap::new(), |all, object| all | self.columns.under(object));
                let yes = yes & self.all;
                Some(Truth { no: self.all - &yes, yes })
            }
            (Side::Known(Value::Entity(uid)), Side::Known(value)) => {
                Some(self.constant(!self.above(&uid).is_disjoint(&entities(&value)?)))
            }
            (Side::Known(Value::Entity(uid)), Side::Attribute(column)) if column.kind != Kind::Unreadable => {
                let above = self.above(&uid).into_iter().map(Value::Entity).collect();
                Some(self.where_present(column, union(column, &above)))
            }
            (Side::Attribute(column), Side::Known(value)) => {
                let wanted = entities(&value)?;
                self.one(
                    Side::Attribute(column),
                    |value| matches!(value, Value::Entity(uid) if !self.above(uid).is_disjoint(&wanted)),
                )
            }
            _ => None,
        }
    }

    /// An entity and everything it is in.
    fn above(&self, uid: &EntityUid) -> HashSet<EntityUid> {
        self.entities.ancestors(uid).into_iter().flatten().chain([uid]).cloned().collect()
    }

    fn constant(&self, value: bool) -> Truth {
        let (all, none) = (self.all.clone(), RoaringBitmap::new());
        if value { Truth { yes: all, no: none } } else { Truth { yes: none, no: all } }
    }

    /// True where the one value of `side` is `wanted`.
    fn one(&self, side: Side<'_>, wanted: impl FnMut(&Value) -> bool) -> Option<Truth> {
        match side {
            Side::Attribute(column) if column.kind == Kind::One => {
                Some(self.where_present(column, column.with_any(wanted)))
            }
            _ => None,
        }
    }

    /// True in `yes`, false where the attribute is something else, and failing where it is not.
    fn where_present(&self, column: &Column, yes: RoaringBitmap) -> Truth {
        let (present, yes) = (&column.present & self.all, yes & self.all);
        Truth { no: present - &yes, yes }
    }

    fn side(&self, expression: &Expr) -> Option<Side<'_>> {
        match expression.expr_kind() {
            ExprKind::Var(Var::Resource) => Some(Side::Resource),
            ExprKind::GetAttr { expr, attr } if is_resource(expr) => self.columns.attribute(attr).map(Side::Attribute),
            _ => known(expression).map(Side::Known),
        }
    }
}

fn is_resource(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Var(Var::Resource))
}

fn known(expression: &Expr) -> Option<Value> {
    Some(match expression.expr_kind() {
        ExprKind::Lit(Literal::Bool(value)) => Value::Bool(*value),
        ExprKind::Lit(Literal::Long(value)) => Value::Long(*value),
        ExprKind::Lit(Literal::String(text)) => Value::Text(text.to_string()),
        ExprKind::Lit(Literal::EntityUID(uid)) => Value::Entity((**uid).clone().into()),
        ExprKind::Set(elements) => Value::Set(elements.iter().map(known).collect::<Option<_>>()?),
        _ => return None,
    })
}

fn long(value: &Value) -> Option<i64> {
    match value {
        Value::Long(value) => Some(*value),
        _ => None,
    }
}

/// An entity, or a set of nothing but entities.
fn entities(value: &Value) -> Option<HashSet<EntityUid>> {
    let one = |value: &Value| match value {
        Value::Entity(uid) => Some(uid.clone()),
        _ => None,
    };
    match value {
        Value::Set(values) => values.iter().map(one).collect(),
        value => one(value).map(|uid| HashSet::from([uid])),
    }
}

fn set(side: Side<'_>) -> Option<&Column> {
    match side {
        Side::Attribute(column) if column.kind == Kind::Set => Some(column),
        _ => None,
    }
}

fn union(column: &Column, values: &BTreeSet<Value>) -> RoaringBitmap {
    values.iter().fold(RoaringBitmap::new(), |all, value| all | column.with(value))
}

fn with_all(column: &Column, values: &BTreeSet<Value>) -> RoaringBitmap {
    values.iter().fold(column.present.clone(), |all, value| all & column.with(value))
}

fn with_no_other(column: &Column, values: &BTreeSet<Value>) -> RoaringBitmap {
    &column.present - column.with_any(|value| !values.contains(value))
}
