//! Both ways and plain Cedar say the same of random policies, classes and identities.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{AuthorizationError, Authorizer, Context, Decision, Effect, Entities, EntityUid, Request};
use safepassage_access::{Attribute, Identity, Policy, PolicySource, Resource, Tenant};
use safepassage_error::system::{Clock, Timestamp};
use serde_json::{Value, json};

use super::asker::Asker;
use super::columns::Columns;
use super::residual::Compiler;
use super::{CedarCompiler, CedarPolicy, MANY, together};
const SCHEMA: &str = r#"
entity Group in [Group];
entity Department;
entity User in [Group] = { tenant: String, level: Long, regions: Set<String>, department?: Department, manager?: User };
entity Object in [Object] = { frozen: Bool };
entity Document in [Object] = {
    level: Long, kind: String, draft: Bool, owner: User, readers: Set<User>, teams: Set<Group>, regions: Set<String>,
    tags: Set<String>, department?: Department, until?: Long, price?: decimal, grades?: Set<decimal>,
};
action read appliesTo { principal: [User], resource: [Document] };
"#;

/// Ids that escape differently in different places.
const USERS: [&str; 5] = ["alice", "bob", "e\"ve", "zo\\u{0}é", "idp|user:bob"];
const GROUPS: [&str; 5] = ["g0", "g1", "g2", "g\\\"3", "everyone"];
const OBJECTS: [&str; 4] = ["o0", "o1", "o'2", "top"];
const TEXTS: [&str; 4] = ["eu", "us", "a*b", ""];
const DEPARTMENTS: [&str; 2] = ["hr", "it"];

/// SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn some(&mut self, all: &[&str]) -> Vec<String> {
        all.iter().filter(|_| self.one_in(3)).map(ToString::to_string).collect()
    }

    fn long(&mut self) -> i64 {
        [-1, 0, 1, 2, 3, i64::MAX, i64::MIN][self.below(7)]
    }
}

/// An entity as it is written in policies.
fn uid(kind: &str, id: &str) -> String {
    format!("{kind}::{}", text(id))
}

fn text(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

fn uids(numbers: &mut Numbers, kind: &str, all: &[&str]) -> String {
    let mut some = numbers.some(all);
    // The type of an empty set is not known.
    some.push(numbers.pick(all).to_owned());
    format!("[{}]", some.iter().map(|id| uid(kind, id)).collect::<Vec<_>>().join(", "))
}

fn texts(numbers: &mut Numbers) -> String {
    let mut some = numbers.some(&TEXTS);
    some.push(numbers.pick(&TEXTS).to_owned());
    format!("[{}]", some.iter().map(|t| text(t)).collect::<Vec<_>>().join(", "))
}

fn atom(n: &mut Numbers) -> String {
    let compare = n.pick(&["<", "<=", ">", ">=", "==", "!="]);
    let long = n.below(5) as i64 - 1;
    let set = n.pick(&["containsAll", "containsAny"]);
    match n.below(40) {
        0 => format!("resource.level {compare} {long}"),
        1 => format!("{long} {compare} resource.level"),
        2 => format!("principal.level {compare} resource.level"),
        3 => format!("resource.level * 2 {compare} {long}"),
        4 => format!("resource.kind {} {}", n.pick(&["==", "!="]), text(n.pick(&TEXTS))),
        5 => format!("resource.kind like \"{}\"", n.pick(&["*", "e*", "*\\**", "?u", "a*b", ""])),
        6 => "resource.draft".to_owned(),
        7 => format!("resource.owner {} principal", n.pick(&["==", "!="])),
        8 => format!("resource.owner in {}", uid("Group", n.pick(&GROUPS))),
        9 => format!("resource.owner.level {compare} {long}"),
        10 => "resource.readers.contains(principal)".to_owned(),
        11 => format!("principal in resource.{}", n.pick(&["readers", "teams", "owner"])),
        12 => format!("resource.teams.contains({})", uid("Group", n.pick(&GROUPS))),
        13 => format!("resource.teams.{set}({})", uids(n, "Group", &GROUPS)),
        14 => format!("{}.{set}(resource.teams)", uids(n, "Group", &GROUPS)),
        15 => format!("resource.regions.{set}(principal.regions)"),
        16 => format!("principal.regions.{set}(resource.regions)"),
        17 => format!("resource.{}.isEmpty()", n.pick(&["regions", "teams", "readers"])),
        18 => format!("resource.regions {} {}", n.pick(&["==", "!="]), texts(n)),
        19 => format!("resource.regions.{set}(resource.tags)"),
        20 => format!("{}.contains(resource.kind)", texts(n)),
        21 => format!("principal in {}", uid("Group", n.pick(&GROUPS))),
        22 => format!("resource in {}", uid("Object", n.pick(&OBJECTS))),
        23 => format!("resource in {}", uids(n, "Object", &OBJECTS)),
        24 => {
            format!("(resource has department && resource.department == {})", uid("Department", n.pick(&DEPARTMENTS)))
        }
        25 => "(principal has department && resource has department && principal.department == resource.department)"
            .into(),
        26 => format!("(resource has until && resource.until {compare} {long})"),
        27 => format!("(resource has until && -resource.until {compare} {long})"),
        28 => "(resource has price && resource.price.lessThan(decimal(\"1.5\")))".to_owned(),
        29 => "(resource has price && resource.price == decimal(\"1.50\"))".to_owned(),
        30 => "(resource has grades && resource.grades.contains(decimal(\"1.50\")))".to_owned(),
        31 => "(principal has manager && principal.manager == resource.owner)".to_owned(),
        32 => "(principal has manager && principal.manager.level > resource.level)".to_owned(),
        33 => "resource.owner in resource.teams".to_owned(),
        // Fails for who has a level above 1, whatever the class.
        34..=37 => format!("principal.level * {} {compare} {long}", i64::MAX),
        38 => format!("{} in resource.teams", uid("User", n.pick(&USERS))),
        _ => format!("{}.frozen", uid("Object", n.pick(&OBJECTS))),
    }
}

fn condition(n: &mut Numbers, depth: usize) -> String {
    if depth == 0 || n.one_in(4) {
        return atom(n);
    }
    let part = |n: &mut Numbers| condition(n, depth - 1);
    match n.below(6) {
        0 | 1 => format!("({} && {})", part(n), part(n)),
        2 | 3 => format!("({} || {})", part(n), part(n)),
        4 => format!("!({})", part(n)),
        _ => format!("(if {} then {} else {})", part(n), part(n), part(n)),
    }
}

fn policies(n: &mut Numbers) -> String {
    let mut out = String::new();
    for _ in 0..1 + n.below(4) {
        let effect = n.pick(&["permit", "permit", "forbid"]);
        let who = match n.below(5) {
            0 => format!("principal in {}", uid("Group", n.pick(&GROUPS))),
            1 => format!("principal == {}", uid("User", n.pick(&USERS))),
            _ => "principal".to_owned(),
        };
        let what =
            if n.one_in(4) { format!("resource in {}", uid("Object", n.pick(&OBJECTS))) } else { "resource".into() };
        out += &format!("{effect}({who}, action, {what}) {} {{ {} }};\n", n.pick(&["when", "unless"]), condition(n, 3));
    }
    out
}

/// Groups, objects and some users; others are nowhere, so that looking them up fails.
fn entities() -> Value {
    let entity = |kind: &str, id: &str, attrs: Value, parents: &[(&str, &str)]| {
        let parents: Vec<Value> = parents.iter().map(|(kind, id)| json!({"type": kind, "id": id})).collect();
        json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": parents})
    };
    let user = |level: i64| json!({"tenant": "", "level": level, "regions": []});
    json!([
        entity("Group", GROUPS[0], json!({}), &[("Group", GROUPS[1])]),
        entity("Group", GROUPS[1], json!({}), &[("Group", GROUPS[3])]),
        entity("Object", OBJECTS[0], json!({"frozen": true}), &[("Object", OBJECTS[3])]),
        entity("Object", OBJECTS[3], json!({"frozen": false}), &[]),
        entity("User", "manager", user(2), &[("Group", GROUPS[2])]),
        entity("User", "e\"ve\u{0}", user(1), &[]),
    ])
}

#[derive(Clone)]
struct Stated {
    tenant: Tenant,
    objects: Vec<String>,
    attributes: BTreeMap<String, Attribute>,
    fits: bool,
}

fn class(n: &mut Numbers) -> Stated {
    let mut attributes = BTreeMap::from([
        ("level", Attribute::Integer(n.long())),
        ("kind", Attribute::Text(n.pick(&TEXTS).into())),
        ("draft", Attribute::Bool(n.one_in(2))),
        ("owner", Attribute::Text(n.pick(&["alice", "bob", "manager", "idp|user:bob", "e\"ve"]).into())),
        ("readers", Attribute::List(n.some(&USERS))),
        ("teams", Attribute::List(n.some(&GROUPS))),
        ("regions", Attribute::List(n.some(&TEXTS))),
        ("tags", Attribute::List(n.some(&TEXTS))),
    ]);
    for (name, value) in [
        ("department", Attribute::Text(n.pick(&DEPARTMENTS).into())),
        ("until", Attribute::Integer(n.long())),
        ("price", Attribute::Text(n.pick(&["1.5", "1.50", "0.1", "2.0"]).into())),
        ("grades", Attribute::List(n.some(&["1.5", "1.50", "3.0"]))),
    ] {
        if n.one_in(2) {
            attributes.insert(name, value);
        }
    }
    let tenant = Tenant(if n.one_in(20) { "other" } else { "" }.into());
    let fits = !n.one_in(20);
    if !fits {
        match n.below(3) {
            0 => drop(attributes.remove("level")),
            1 => drop(attributes.insert("until", Attribute::Text("soon".into()))),
            _ => drop(attributes.insert("price", Attribute::Text("much".into()))),
        }
    }
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Stated { tenant, objects: n.some(&OBJECTS[..3]), attributes, fits }
}

impl Stated {
    fn resource(&self) -> Resource<'_> {
        let objects = self.objects.iter().map(String::as_str).collect();
        Resource { tenant: &self.tenant, objects, attributes: &self.attributes }
    }

    /// As Cedar's own JSON has it, without help of a schema.
    fn entity(&self, id: &str) -> Value {
        let refer = |kind: &str, id: &Value| json!({"__entity": {"type": kind, "id": id}});
        let decimal = |text: &Value| json!({"__extn": {"fn": "decimal", "arg": text}});
        let each =
            |value: &Value, f: &dyn Fn(&Value) -> Value| value.as_array().unwrap().iter().map(f).collect::<Value>();
        let attrs = self.attributes.iter().map(|(name, value)| {
            let value = serde_json::to_value(value).unwrap();
            let value = match name.as_str() {
                "owner" => refer("User", &value),
                "department" => refer("Department", &value),
                "readers" => each(&value, &|id| refer("User", id)),
                "teams" => each(&value, &|id| refer("Group", id)),
                "price" => decimal(&value),
                "grades" => each(&value, &decimal),
                _ => value,
            };
            (name.clone(), value)
        });
        let parents: Vec<Value> = self.objects.iter().map(|id| json!({"type": "Object", "id": id})).collect();
        json!({"uid": {"type": "Document", "id": id}, "attrs": attrs.collect::<serde_json::Map<_, _>>(), "parents": parents})
    }
}

/// An identity, and the same as an entity.
fn identity(n: &mut Numbers) -> (Identity, Value) {
    let user = n.pick(&["alice", "bob", "e\"ve", "zo\\u{0}é"]);
    let foreign = user == "bob" && n.one_in(2);
    let groups = if foreign { Vec::new() } else { n.some(&GROUPS[..4]) };
    let (level, regions) = (n.below(4) as i64, n.some(&TEXTS));
    let mut identity = Identity::asserted(user)
        .groups(groups.iter().map(String::as_str))
        .attribute("level", Attribute::Integer(level))
        .attribute("regions", Attribute::List(regions.clone()));
    let mut attrs = json!({"tenant": "", "level": level, "regions": regions});
    if foreign {
        identity = identity.issuer("idp");
    }
    for (name, kind, id) in
        [("department", "Department", n.pick(&DEPARTMENTS)), ("manager", "User", n.pick(&["manager", "alice", "bob"]))]
    {
        if n.one_in(2) {
            identity = identity.attribute(name, Attribute::Text(id.into()));
            attrs[name] = json!({"__entity": {"type": kind, "id": id}});
        }
    }
    let id = if foreign { "idp|user:bob" } else { user };
    let parents = groups.iter().map(String::as_str).chain(["everyone", "public"]);
    let parents: Vec<Value> = parents.map(|id| json!({"type": "Group", "id": id})).collect();
    let entity = json!({"uid": {"type": "User", "id": id}, "attrs": attrs, "parents": parents});
    (identity.issue(&Clock::fixed(Timestamp(0))).unwrap(), entity)
}

/// What plain Cedar says, and whether a `forbid` failed, for each class that fits and is of the tenant.
fn plain(policy: &CedarPolicy, who: &Value, classes: &[Stated]) -> Vec<(bool, bool)> {
    let forbids: HashSet<_> =
        policy.rules.policies.policies().filter(|p| p.effect() == Effect::Forbid).map(|p| p.id()).collect();
    let asked = |class: &Stated| class.fits && class.tenant.0.is_empty();
    let mut all = entities().as_array().unwrap().clone();
    all.push(who.clone());
    all.extend(classes.iter().enumerate().filter(|(_, c)| asked(c)).map(|(i, c)| c.entity(&i.to_string())));
    let all = Entities::from_json_value(Value::Array(all), None).unwrap();
    let named = |value: Value| EntityUid::from_json(value).unwrap();
    let answer = |(i, class): (usize, &Stated)| {
        if !asked(class) {
            return (false, false);
        }
        let document = named(json!({"type": "Document", "id": i.to_string()}));
        let read = named(json!({"type": "Action", "id": "read"}));
        let request = Request::new(named(who["uid"].clone()), read, document, Context::empty(), None).unwrap();
        let answer = Authorizer::new().is_authorized(&request, &policy.rules.policies, &all);
        let failed = answer
            .diagnostics()
            .errors()
            .any(|AuthorizationError::PolicyEvaluationError(e)| forbids.contains(e.policy_id()));
        (answer.decision() == Decision::Allow, failed)
    };
    classes.iter().enumerate().map(answer).collect()
}

#[test]
fn both_ways_and_plain_cedar_decide_alike() {
    let mut count: HashMap<&str, usize> = HashMap::new();
    let mut seed = 0;
    while count.get("decisions").copied().unwrap_or(0) < 110_000 {
        seed += 1;
        let mut n = Numbers(seed);
        let source = PolicySource {
            language: "cedar".into(),
            policies: policies(&mut n),
            schema: SCHEMA.into(),
            entities: entities().to_string(),
            ..PolicySource::default()
        };
        let policy = CedarCompiler.read(&source).unwrap();
        let classes: Vec<Stated> = (0..100).map(|_| class(&mut n)).collect();
        let resources: Vec<Resource<'_>> = classes.iter().map(Stated::resource).collect();
        assert!(resources.len() >= MANY);
        let over = policy.over(&resources).unwrap().unwrap();
        for _ in 0..4 {
            let (identity, entity) = identity(&mut n);
            let one_by_one = policy.permits(&identity, &resources).unwrap();
            let together = over.permits(&identity).unwrap();
            for (i, (allowed, failed)) in plain(&policy, &entity, &classes).into_iter().enumerate() {
                let case = || format!("seed {seed}, class {i}: {:?} of {entity}\n{}", resources[i], source.policies);
                assert_eq!(one_by_one[i], allowed && !failed, "one by one, {}", case());
                assert_eq!(together[i], allowed && !failed, "together, {}", case());
                for (what, holds) in
                    [("decisions", true), ("permitted", one_by_one[i]), ("stricter", allowed && failed)]
                {
                    *count.entry(what).or_default() += usize::from(holds);
                }
            }
            let asker = Asker::new(&policy.rules, &identity).unwrap();
            let columns = Columns::of(&policy.rules, &resources);
            let all = columns.of_tenant(&asker.tenant);
            let compiler = Compiler { columns: &columns, all: &all, entities: &asker.entities };
            for truth in together::truths(&policy.rules, &asker, &compiler) {
                *count.entry(if truth.is_some() { "by sets" } else { "by class" }).or_default() += 1;
            }
        }
    }
    println!("{seed} sets of policies: {count:?}");
    for what in ["permitted", "stricter", "by sets", "by class"] {
        assert!(count.get(what).is_some_and(|n| *n >= 100), "hardly any {what}: {count:?}");
    }
    assert!(count["by sets"] > count["by class"], "{count:?}");
}
