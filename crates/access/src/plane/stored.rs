//! The plane as it was at one epoch, in columns that are used where they lie.
//!
//! Labels, principals and distinct ACLs are few and are taken in; what is said of each document stays in the columns
//! and is looked at when somebody asks for it. [`write`] and [`read`] are each other's inverse.

use std::collections::{BTreeMap, BTreeSet};

use safepassage_error::Result;

use super::AclTable;
use super::acls::COMPOSED;
use super::columns::{Columns, Numbers, SharedBytes, Texts, Writer, corrupted};
use super::documents::Documents;
use super::effective::Effective;
use super::state::{Bound, State};
use super::stored_rules;
use crate::document::{DocumentNumber, Tenant, Version};
use crate::event::Origin;
use crate::label::{LabelRank, Labels};
use crate::policy::PolicySource;

/// The sections, in the order in which they stand.
#[derive(Clone, Copy)]
pub(super) enum Section {
    LabelEnds,
    Labels,
    DefaultLabel,
    TenantEnds,
    Tenants,
    PrincipalEnds,
    Principals,
    AclAllowEnds,
    AclDenyEnds,
    AclMembers,
    EffectiveEnds,
    EffectiveBases,
    EffectiveLabels,
    IdEnds,
    Ids,
    /// Of every document, the number of its tenant.
    TenantOf,
    /// Documents by tenant and id.
    ByName,
    /// Where those of a tenant end.
    ByNameEnds,
    /// Of every document, the effective ACL of its newest version.
    EffectiveOf,
    /// Where the bindings of a document end; they stand oldest first.
    BindingEnds,
    Versions,
    Acls,
    Bases,
    SourceAcls,
    BindingLabels,
    Origins,
    /// Pairs of a document and a principal who lost it, by document.
    Revoked,
    /// What [`super::stored_rules`] keeps.
    ClauseEnds,
    ClauseMembers,
    AttributeEnds,
    Attributes,
    PartEnds,
    Parts,
    RuleLists,
    RuleParents,
    RuleInherits,
    RuleRevoked,
    RuleAttributes,
    RuleParts,
    RuleInputs,
    InputEnds,
    /// Of every input the number of the document.
    InputNumbers,
    InputVersions,
    ObjectTenants,
    ObjectNameEnds,
    ObjectNames,
    ObjectRules,
    ObjectSourceRules,
    ObjectOrigins,
    ObjectRevokedEnds,
    ObjectRevoked,
    /// The policies in force, as JSON; empty for none.
    Policies,
    /// For how long unconfirmed permissions hold, in milliseconds; empty for ever.
    MaxAge,
}

const SECTIONS: usize = Section::MaxAge as usize + 1;
/// As many as there were before there were rules and objects.
const SECTIONS_BEFORE_RULES: usize = Section::Revoked as usize + 1;

/// The documents in the columns: numbers below [`Stored::len`].
#[derive(Debug, Default)]
pub(super) struct Stored {
    columns: Columns,
    len: u32,
    /// Whether document i has binding i and no other, as after a first load.
    one_binding_each: bool,
    tenants: Vec<Tenant>,
    revoked: BTreeMap<u32, BTreeSet<u32>>,
}

/// What many lookups of permissions need, found once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest<'a> {
    /// `None` if document i has binding i and no other: one look less into memory.
    binding_ends: Option<Numbers<'a>>,
    versions: &'a [[u8; 16]],
    effective: Numbers<'a>,
}

impl Newest<'_> {
    /// The newest version of document `i` and the effective ACL of its rows; `None` if nothing was stated.
    #[inline]
    pub fn of(&self, i: u32) -> Option<(Version, u32)> {
        let newest = match self.binding_ends {
            None => i as usize,
            Some(ends) => ends.range(i as usize).filter(|range| !range.is_empty())?.end - 1,
        };
        let version = Version(u128::from_le_bytes(*self.versions.get(newest)?));
        Some((version, self.effective.get(i as usize)?))
    }
}

impl Stored {
    /// How many documents.
    pub fn len(&self) -> u32 {
        self.len
    }

    fn numbers(&self, section: Section) -> Numbers<'_> {
        self.columns.numbers(section as usize)
    }

    fn ids(&self) -> Texts<'_> {
        self.columns.texts(Section::IdEnds as usize, Section::Ids as usize)
    }

    pub fn newest(&self) -> Newest<'_> {
        Newest {
            binding_ends: (!self.one_binding_each).then(|| self.numbers(Section::BindingEnds)),
            versions: self.columns.bytes(Section::Versions as usize).as_chunks().0,
            effective: self.numbers(Section::EffectiveOf),
        }
    }

    /// The label of the newest version of document `i`.
    pub fn label(&self, i: u32) -> Option<LabelRank> {
        let bindings = self.numbers(Section::BindingEnds).range(i as usize)?;
        let labels = self.columns.bytes(Section::BindingLabels as usize).get(bindings)?;
        labels.last().copied().map(LabelRank)
    }

    /// What stands written about document `i`.
    pub fn state(&self, i: u32) -> Option<State> {
        let bound = |at: usize| {
            let version = self.newest().versions.get(at)?;
            Some(Bound {
                version: Version(u128::from_le_bytes(*version)),
                acl: self.numbers(Section::Acls).get(at)?,
                base: self.numbers(Section::Bases).get(at)?,
                source_acl: self.numbers(Section::SourceAcls).get(at)?,
                label: LabelRank(*self.columns.bytes(Section::BindingLabels as usize).get(at)?),
                origin: match self.columns.bytes(Section::Origins as usize).get(at)? {
                    0 => Origin::Source,
                    1 => Origin::Set,
                    _ => return None,
                },
            })
        };
        let bindings: Option<Vec<Bound>> = self.numbers(Section::BindingEnds).range(i as usize)?.map(bound).collect();
        let effective = self.numbers(Section::EffectiveOf).get(i as usize)?;
        Some(State::stored(bindings?, effective, self.revoked.get(&i).cloned().unwrap_or_default()))
    }

    /// The tenant and id of document `i`.
    pub fn name(&self, i: u32) -> Option<(&Tenant, &str)> {
        let tenant = self.numbers(Section::TenantOf).get(i as usize)?;
        Some((self.tenants.get(tenant as usize)?, self.ids().get(i as usize)?))
    }

    /// The document `id` of `tenant`. `O(log documents)`.
    pub fn find(&self, tenant: &Tenant, id: &str) -> Option<DocumentNumber> {
        let tenant = self.tenants.binary_search(tenant).ok()?;
        let (by_name, ids) = (self.numbers(Section::ByName), self.ids());
        let mut among = self.numbers(Section::ByNameEnds).range(tenant)?;
        while !among.is_empty() {
            let middle = usize::midpoint(among.start, among.end);
            let number = by_name.get(middle)?;
            match ids.bytes(number as usize)?.cmp(id.as_bytes()) {
                std::cmp::Ordering::Less => among.start = middle + 1,
                std::cmp::Ordering::Greater => among.end = middle,
                std::cmp::Ordering::Equal => return Some(DocumentNumber(number)),
            }
        }
        None
    }
}

/// Writes what the plane knows.
pub(super) fn write(
    labels: &Labels,
    table: &AclTable,
    documents: &Documents,
    policies: Option<&PolicySource>,
    max_age_ms: Option<u64>,
) -> Result<Vec<u8>> {
    use Section::*;
    let mut out = Writer::new(SECTIONS);
    labels.names().iter().try_for_each(|name| out.text(LabelEnds as usize, Labels as usize, name))?;
    out.byte(DefaultLabel as usize, labels.default_rank().0);
    for principal in table.principals.all() {
        out.text(PrincipalEnds as usize, Principals as usize, &principal.to_string())?;
    }
    for id in 0..table.acls.len() as u32 {
        for (members, ends) in table.acls.get(id).into_iter().zip([AclAllowEnds, AclDenyEnds]) {
            members.iter().for_each(|member| out.number(AclMembers as usize, *member));
            out.end(ends as usize, AclMembers as usize, 4)?;
        }
    }
    stored_rules::write(&mut out, table)?;
    if let Some(source) = policies {
        let text = serde_json::to_vec(source).map_err(|e| corrupted("policies are no text").because(e))?;
        out.bytes(Policies as usize, &text);
    }
    max_age_ms.iter().for_each(|age| out.bytes(MaxAge as usize, &age.to_le_bytes()));
    for effective in table.effectives.iter() {
        effective.bases().for_each(|base| out.number(EffectiveBases as usize, base));
        out.end(EffectiveEnds as usize, EffectiveBases as usize, 4)?;
        out.byte(EffectiveLabels as usize, effective.label().0);
    }
    let mut by_name: BTreeMap<&Tenant, Vec<(&str, u32)>> = BTreeMap::new();
    for i in 0..documents.len() {
        let (tenant, id) = documents.name(DocumentNumber(i)).ok_or_else(|| corrupted("a document has no name"))?;
        by_name.entry(tenant).or_default().push((id, i));
        out.text(IdEnds as usize, Ids as usize, id)?;
        let state = documents.state(DocumentNumber(i)).ok_or_else(|| corrupted("a document cannot be read"))?;
        out.number(EffectiveOf as usize, state.effective());
        for bound in state.bindings() {
            out.bytes(Versions as usize, &bound.version.0.to_le_bytes());
            out.number(Acls as usize, bound.acl);
            out.number(Bases as usize, bound.base);
            out.number(SourceAcls as usize, bound.source_acl);
            out.byte(BindingLabels as usize, bound.label.0);
            out.byte(Origins as usize, u8::from(bound.origin == Origin::Set));
        }
        out.end(BindingEnds as usize, Origins as usize, 1)?;
        for principal in state.revoked() {
            out.number(Revoked as usize, i);
            out.number(Revoked as usize, principal);
        }
    }
    let mut tenant_of = vec![0; documents.len() as usize];
    for (number, (tenant, named)) in (0..).zip(&mut by_name) {
        out.text(TenantEnds as usize, Tenants as usize, &tenant.0)?;
        named.sort_unstable();
        for (_, i) in named {
            out.number(ByName as usize, *i);
            tenant_of[*i as usize] = number;
        }
        out.end(ByNameEnds as usize, ByName as usize, 4)?;
    }
    tenant_of.into_iter().for_each(|tenant| out.number(TenantOf as usize, tenant));
    Ok(out.finish())
}

/// What [`read`] gives.
type Read = (Labels, AclTable, Stored, Option<PolicySource>, Option<u64>);

/// Reads what [`write`] wrote: the labels, the table of ACLs, the documents where they lie, and the policies.
pub(super) fn read(bytes: SharedBytes) -> Result<Read> {
    use Section::*;
    let columns = Columns::cut(bytes, &[SECTIONS, SECTIONS_BEFORE_RULES])?;
    let numbers = |section: Section| columns.numbers(section as usize);
    let texts = |ends: Section, of: Section| columns.texts(ends as usize, of as usize);
    let names: Vec<String> = texts(LabelEnds, Labels).all()?.into_iter().map(str::to_owned).collect();
    let [default] = columns.bytes(DefaultLabel as usize) else { return Err(corrupted("no default label")) };
    let default = names.get(usize::from(*default)).cloned().ok_or_else(|| corrupted("no default label"))?;
    let labels = crate::label::Labels::new(names, Some(&default)).map_err(|e| corrupted("no labels").because(e))?;

    let mut table = AclTable::default();
    for text in texts(PrincipalEnds, Principals).all()? {
        let principal = text.parse().map_err(|e| corrupted("a principal is none").because(e))?;
        if table.principals.intern(&principal) as usize + 1 != table.principals.all().len() {
            return Err(corrupted("a principal stands twice"));
        }
    }
    let clauses = stored_rules::read_clauses(&columns, &mut table)?;
    let members: Vec<u32> = numbers(AclMembers).iter().collect();
    let (mut start, known) = (0, table.principals.all().len() as u32);
    for (allow_end, deny_end) in numbers(AclAllowEnds).iter().zip(numbers(AclDenyEnds).iter()) {
        let (allow_end, deny_end) = (allow_end as usize, deny_end as usize);
        let lists = members.get(start..allow_end).zip(members.get(allow_end..deny_end));
        let fits =
            |list: &[u32], known: u32| list.is_sorted_by(|a, b| a < b) && list.last().is_none_or(|last| *last < known);
        let all_fit = |allow: &[u32], deny: &[u32]| {
            let (one, together) = allow.split_at(allow.partition_point(|member| member & COMPOSED == 0));
            fits(one, known) && fits(together, COMPOSED | clauses) && fits(deny, known)
        };
        let (allow, deny) = lists.filter(|(a, d)| all_fit(a, d)).ok_or_else(|| corrupted("an ACL is none"))?;
        table.acls.push(allow, deny, &table.principals);
        start = deny_end;
    }
    let tenants: Vec<Tenant> = texts(TenantEnds, Tenants).all()?.into_iter().map(|name| Tenant(name.into())).collect();
    stored_rules::read(&columns, &mut table)?;
    let is_rule = |id: &u32| stored_rules::is_rule(&table, *id);
    let effective_labels = columns.bytes(EffectiveLabels as usize);
    let mut effectives = Vec::with_capacity(effective_labels.len());
    for (i, label) in effective_labels.iter().enumerate() {
        let range = numbers(EffectiveEnds).range(i).ok_or_else(|| corrupted("ends are missing"))?;
        let bases: Option<Vec<u32>> = range.map(|at| numbers(EffectiveBases).get(at)).collect();
        let bases = bases.filter(|bases| bases.iter().all(is_rule));
        let effective = bases.and_then(|bases| Effective::new(bases, LabelRank(*label)));
        effectives.push(effective.ok_or_else(|| corrupted("an effective ACL is none"))?);
    }
    for effective in effectives {
        table.effectives.push(effective);
    }

    let documents = numbers(EffectiveOf).len();
    let bindings = columns.bytes(Origins as usize).len();
    let fits = numbers(AclAllowEnds).len() == numbers(AclDenyEnds).len()
        && start == members.len()
        && tenants.is_sorted_by(|a, b| a < b)
        && texts(IdEnds, Ids).len() == documents
        && texts(IdEnds, Ids).fit()
        && [TenantOf, ByName, BindingEnds].iter().all(|section| numbers(*section).len() == documents)
        && numbers(ByNameEnds).are_ends_of(documents)
        && numbers(BindingEnds).are_ends_of(bindings)
        && columns.bytes(Versions as usize).len() == bindings * 16
        && [Acls, Bases, SourceAcls].iter().all(|section| numbers(*section).len() == bindings)
        && columns.bytes(BindingLabels as usize).len() == bindings;
    if !fits {
        return Err(corrupted("the columns do not fit together"));
    }
    let mut revoked: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for pair in columns.bytes(Revoked as usize).as_chunks::<4>().0.chunks(2) {
        let [document, principal] = pair else { return Err(corrupted("a revocation is half")) };
        let (document, principal) = (u32::from_le_bytes(*document), u32::from_le_bytes(*principal));
        if principal >= known {
            return Err(corrupted("a revocation is of nobody"));
        }
        revoked.entry(document).or_default().insert(principal);
    }
    let len = u32::try_from(documents).map_err(|_| corrupted("too many documents"))?;
    let one_binding_each = numbers(BindingEnds).iter().zip(1..).all(|(end, i)| end == i);
    let policies = match columns.bytes(Policies as usize) {
        [] => None,
        text => Some(serde_json::from_slice(text).map_err(|e| corrupted("policies cannot be read").because(e))?),
    };
    let max_age = match columns.bytes(MaxAge as usize) {
        [] => None,
        age => Some(u64::from_le_bytes(age.try_into().map_err(|_| corrupted("an age is no number"))?)),
    };
    Ok((labels, table, Stored { columns, len, one_binding_each, tenants, revoked }, policies, max_age))
}
