//! Principals wanted at once, rules and objects in columns. [`write`] and [`read`] are each other's inverse.

use std::collections::BTreeSet;

use safepassage_error::Result;

use super::acls::COMPOSED;
use super::columns::{Columns, Writer, corrupted};
use super::objects::{Object, ObjectRules as Stated};
use super::rules::{NO_ATTRIBUTES, NONE, PART, Rule};
use super::stored::Section;
use super::table::AclTable;
use crate::acl::Inherit;
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::{Input, Origin};

const INHERITS: [Inherit; 4] =
    [Inherit::DenyWins, Inherit::ChildOverrides, Inherit::ParentOverrides, Inherit::BothPermit];

/// Origins of objects; one that is not stated has none.
const ORIGINS: [Option<Origin>; 3] = [None, Some(Origin::Source), Some(Origin::Set)];

fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|known| known == one).map_or(u8::MAX, |at| at as u8)
}

pub(super) fn write(out: &mut Writer, table: &AclTable) -> Result<()> {
    use Section::*;
    for members in table.clauses.all() {
        members.iter().for_each(|member| out.number(ClauseMembers as usize, *member));
        out.end(ClauseEnds as usize, ClauseMembers as usize, 4)?;
    }
    // The first are none, and are not written.
    for attributes in &table.rules.attributes.all()[1..] {
        let text = serde_json::to_string(attributes).map_err(|e| corrupted("attributes are no text").because(e))?;
        out.text(AttributeEnds as usize, Attributes as usize, &text)?;
    }
    for parts in table.rules.sections.all() {
        parts.iter().for_each(|rule| out.number(Parts as usize, *rule));
        out.end(PartEnds as usize, Parts as usize, 4)?;
    }
    for inputs in table.rules.inputs.all() {
        for input in inputs {
            out.number(InputNumbers as usize, input.number.0);
            out.bytes(InputVersions as usize, &input.version.0.to_le_bytes());
        }
        out.end(InputEnds as usize, InputNumbers as usize, 4)?;
    }
    for rule in table.rules.composed() {
        out.number(RuleLists as usize, rule.lists);
        out.number(RuleParents as usize, rule.parent);
        out.byte(RuleInherits as usize, code(&INHERITS, &rule.inherit));
        out.number(RuleRevoked as usize, rule.revoked);
        out.number(RuleAttributes as usize, rule.attributes);
        out.number(RuleParts as usize, rule.sections);
        out.number(RuleInputs as usize, rule.inputs);
    }
    for object in table.objects.all() {
        out.bytes(ObjectTenants as usize, &(object.tenant.0.len() as u32).to_le_bytes());
        out.bytes(ObjectTenants as usize, object.tenant.0.as_bytes());
        out.text(ObjectNameEnds as usize, ObjectNames as usize, &object.name)?;
        out.number(ObjectRules as usize, object.stated.and_then(|stated| stated.rule).unwrap_or(NONE));
        out.number(ObjectSourceRules as usize, object.stated.and_then(|stated| stated.source_rule).unwrap_or(NONE));
        out.byte(ObjectOrigins as usize, code(&ORIGINS, &object.stated.map(|stated| stated.origin)));
        object.revoked.iter().for_each(|principal| out.number(ObjectRevoked as usize, *principal));
        out.end(ObjectRevokedEnds as usize, ObjectRevoked as usize, 4)?;
    }
    Ok(())
}

/// Reads the groups of principals wanted at once; their number.
pub(super) fn read_clauses(columns: &Columns, table: &mut AclTable) -> Result<u32> {
    let ends = columns.numbers(Section::ClauseEnds as usize);
    let members = columns.numbers(Section::ClauseMembers as usize);
    let known = table.principals.all().len() as u32;
    for i in 0..ends.len() {
        let range = ends.range(i).ok_or_else(|| corrupted("ends are missing"))?;
        let clause: Option<Vec<u32>> = range.map(|at| members.get(at)).collect();
        let fits = |clause: &Vec<u32>| clause.is_sorted_by(|a, b| a < b) && clause.last().is_some_and(|l| *l < known);
        let clause = clause.filter(fits).ok_or_else(|| corrupted("principals wanted at once are none"))?;
        if table.clauses.intern(&clause) as usize != i {
            return Err(corrupted("principals wanted at once stand twice"));
        }
    }
    if !ends.are_ends_of(members.len()) {
        return Err(corrupted("the columns do not fit together"));
    }
    Ok(ends.len() as u32)
}

/// Whether there is a rule of this number.
pub(super) fn is_rule(table: &AclTable, id: u32) -> bool {
    let most = if id & COMPOSED == 0 { table.acls.len() } else { table.rules.composed().len() };
    ((id & !COMPOSED) as usize) < most
}

/// Reads rules and objects, after the lists.
pub(super) fn read(columns: &Columns, table: &mut AclTable) -> Result<()> {
    use Section::*;
    let numbers = |section: Section| columns.numbers(section as usize);
    let fault = || corrupted("a rule is none");
    for (text, i) in columns.texts(AttributeEnds as usize, Attributes as usize).all()?.into_iter().zip(1..) {
        let attributes = serde_json::from_str(text).map_err(|e| corrupted("attributes cannot be read").because(e))?;
        if table.rules.attributes.intern(attributes) != i {
            return Err(corrupted("attributes stand twice"));
        }
    }
    let (parts, part_ends) = (numbers(Parts), numbers(PartEnds));
    for i in 0..part_ends.len() {
        let rules: Option<Vec<u32>> = part_ends.range(i).and_then(|range| range.map(|at| parts.get(at)).collect());
        table.rules.sections.intern(rules.filter(|rules| !rules.is_empty()).ok_or_else(fault)?.into());
    }
    read_inputs(columns, table)?;
    read_objects(columns, table)?;
    let inherits = columns.bytes(RuleInherits as usize);
    for (i, inherit) in inherits.iter().enumerate() {
        let one = |section: Section| numbers(section).get(i).ok_or_else(fault);
        let rule = Rule {
            lists: one(RuleLists)?,
            parent: one(RuleParents)?,
            inherit: *INHERITS.get(usize::from(*inherit)).ok_or_else(fault)?,
            revoked: one(RuleRevoked)?,
            attributes: one(RuleAttributes)?,
            sections: one(RuleParts)?,
            inputs: one(RuleInputs)?,
        };
        let below = |number: u32, most: usize, or: u32| number == or || (number as usize) < most;
        let fits = below(rule.lists, table.acls.len(), 0)
            && below(rule.parent, table.objects.all().len(), NONE)
            && below(rule.revoked, table.acls.len(), NONE)
            && below(rule.attributes, table.rules.attributes.all().len().max(NO_ATTRIBUTES as usize), PART)
            && below(rule.sections, table.rules.sections.all().len(), NONE)
            && below(rule.inputs, table.rules.inputs.all().len(), NONE);
        if !fits || table.rules.intern(rule) != i as u32 | COMPOSED {
            return Err(fault());
        }
    }
    let stated = |object: &Object| object.stated;
    let of_objects = table.objects.all().iter().filter_map(stated).flat_map(|s| [s.rule, s.source_rule]);
    let of_parts = table.rules.sections.all().iter().flat_map(|rules| rules.iter().copied());
    let fits =
        of_objects.flatten().chain(of_parts).all(|rule| is_rule(table, rule)) && part_ends.are_ends_of(parts.len());
    if !fits {
        return Err(fault());
    }
    let parents: Vec<(u32, Option<u32>)> = (0..table.objects.all().len() as u32)
        .filter_map(|id| Some((id, table.parent_of(table.objects.get(id)?.stated?.rule))))
        .collect();
    for (id, parent) in parents {
        if let Some(stated) = table.objects.change(id).and_then(|object| object.stated.as_mut()) {
            stated.parent = parent;
        }
    }
    Ok(())
}

fn read_inputs(columns: &Columns, table: &mut AclTable) -> Result<()> {
    let fault = || corrupted("an input is none");
    let numbers = columns.numbers(Section::InputNumbers as usize);
    let versions = columns.bytes(Section::InputVersions as usize).as_chunks::<16>().0;
    let ends = columns.numbers(Section::InputEnds as usize);
    let input = |at: usize| {
        let version = Version(u128::from_le_bytes(*versions.get(at)?));
        Some(Input { number: DocumentNumber(numbers.get(at)?), version })
    };
    for i in 0..ends.len() {
        let inputs: Option<Vec<Input>> = ends.range(i).and_then(|range| range.map(input).collect());
        table.rules.inputs.intern(inputs.ok_or_else(fault)?.into());
    }
    if ends.are_ends_of(numbers.len()) && versions.len() == numbers.len() { Ok(()) } else { Err(fault()) }
}

fn read_objects(columns: &Columns, table: &mut AclTable) -> Result<()> {
    use Section::*;
    let fault = || corrupted("an ACL object is none");
    let numbers = |section: Section| columns.numbers(section as usize);
    let names = columns.texts(ObjectNameEnds as usize, ObjectNames as usize).all()?;
    let (origins, ends) = (columns.bytes(ObjectOrigins as usize), numbers(ObjectRevokedEnds));
    let mut tenants = columns.bytes(ObjectTenants as usize);
    let known = table.principals.all().len() as u32;
    for (i, name) in names.iter().enumerate() {
        let (length, rest) = tenants.split_first_chunk::<4>().ok_or_else(fault)?;
        let (tenant, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(fault)?;
        tenants = rest;
        let tenant = Tenant(String::from_utf8(tenant.to_vec()).map_err(|_| fault())?);
        let range = ends.range(i).ok_or_else(fault)?;
        let revoked: Option<BTreeSet<u32>> = range.map(|at| numbers(ObjectRevoked).get(at)).collect();
        let revoked = revoked.filter(|all| all.iter().all(|one| *one < known)).ok_or_else(fault)?;
        let origin = *origins.get(i).and_then(|code| ORIGINS.get(usize::from(*code))).ok_or_else(fault)?;
        let (rule, source) = numbers(ObjectRules).get(i).zip(numbers(ObjectSourceRules).get(i)).ok_or_else(fault)?;
        let source_rule = Some(source).filter(|rule| *rule != NONE);
        let id = table.objects.intern(&tenant, name);
        let rule = Some(rule).filter(|rule| *rule != NONE);
        if id as usize != i || (origin.is_none() && rule.is_some()) {
            return Err(fault());
        }
        let revoked_lists = (!revoked.is_empty()).then(|| table.denying(&revoked));
        let object = table.objects.change(id).ok_or_else(fault)?;
        object.stated = origin.map(|origin| Stated { rule, source_rule, origin, parent: None });
        (object.revoked, object.revoked_lists) = (revoked, revoked_lists);
    }
    let fits = tenants.is_empty() && origins.len() == names.len() && ends.are_ends_of(numbers(ObjectRevoked).len());
    if fits { Ok(()) } else { Err(fault()) }
}
