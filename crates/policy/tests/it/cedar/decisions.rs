//! What policies let somebody read.

use safepassage_access::{Attribute, Identity, Policy, PolicySource, Tenant};
use safepassage_error::Kind;

use super::{Class, SCHEMA, ask, ask_one, class, issue, list, read, resources, source, text, under, user};

const PERMIT: &str = "permit(principal, action, resource);\n";

#[test]
fn nothing_is_permitted_by_default_and_forbid_wins() {
    let secret = class([("kind", text("secret"))]);
    let plain = class([]);
    assert!(!ask_one(&read(&source("")), &user("alice"), &plain));
    let policy = read(&source(&format!(
        "{PERMIT} forbid(principal, action, resource) when {{ resource has kind && resource.kind == \"secret\" }};"
    )));
    assert_eq!(ask(&policy, &user("alice"), &[plain, secret]).unwrap(), [true, false]);
    assert_eq!(ask(&policy, &user("alice"), &[]).unwrap(), [] as [bool; 0]);
}

#[test]
fn a_forbid_that_fails_forbids_and_a_permit_that_fails_permits_nothing() {
    // Too large a number is the one fault that validation cannot rule out.
    let fails = "resource has classification && resource.classification * 4 > 0";
    let forbid = read(&source(&format!("{PERMIT} forbid(principal, action, resource) when {{ {fails} }};")));
    let permit = read(&source(&format!("permit(principal, action, resource) when {{ {fails} }};")));
    let classes = [-1, 1, i64::MAX].map(|n| class([("classification", Attribute::Integer(n))]));
    assert_eq!(ask(&forbid, &user("alice"), &classes).unwrap(), [true, false, false]);
    assert_eq!(ask(&permit, &user("alice"), &classes).unwrap(), [false, true, false]);
}

#[test]
fn groups_are_those_of_the_identity_and_all_they_are_in() {
    let entities = r#"[
        {"uid": {"type": "Group", "id": "payroll"}, "attrs": {}, "parents": [{"type": "Group", "id": "hr"}]},
        {"uid": {"type": "Group", "id": "hr"}, "attrs": {}, "parents": [{"type": "Group", "id": "staff"}]}]"#;
    let forbid = |group: &str| {
        let policies = format!("{PERMIT} forbid(principal in Group::\"{group}\", action, resource);");
        read(&PolicySource { entities: entities.into(), ..source(&policies) })
    };
    let alice = issue(Identity::asserted("alice").groups(["payroll", "nowhere"]));
    for group in ["payroll", "hr", "staff", "nowhere", "everyone", "public"] {
        assert!(!ask_one(&forbid(group), &alice, &class([])), "{group}");
    }
    assert!(ask_one(&forbid("other"), &alice, &class([])));
    assert!(ask_one(&forbid("everyone"), &issue(Identity::anonymous()), &class([])));
    assert!(!ask_one(&forbid("public"), &issue(Identity::anonymous()), &class([])));
    let incomplete = issue(Identity::asserted("alice").groups(["payroll"]).groups_complete(false));
    assert_eq!(ask(&forbid("other"), &incomplete, &[class([])]).unwrap_err().kind(), Kind::Denied);
}

#[test]
fn another_issuers_user_is_somebody_else() {
    let policy = read(&source("permit(principal == User::\"alice\", action, resource);"));
    let foreign = issue(Identity::asserted("alice").issuer("https://idp"));
    assert!(ask_one(&policy, &user("alice"), &class([])));
    assert!(!ask_one(&policy, &foreign, &class([])));
    let policy = read(&source("permit(principal == User::\"https://idp|user:alice\", action, resource);"));
    assert!(ask_one(&policy, &foreign, &class([])));
    assert!(!ask_one(&policy, &user("https://idp|user:alice"), &class([])));
    let policy = read(&source("permit(principal == User::\"public\", action, resource);"));
    assert!(ask_one(&policy, &issue(Identity::anonymous()), &class([])));
    assert!(!ask_one(&policy, &user("public"), &class([])));
}

#[test]
fn a_class_that_does_not_fit_the_schema_is_permitted_to_nobody_and_hides_no_other() {
    let policy = read(&source(PERMIT));
    let good = class([("owner", text("alice")), ("price", text("1.25")), ("regions", list(&[]))]);
    let misfits = [
        class([("classification", text("3"))]),
        class([("classification", Attribute::Bool(true))]),
        class([("owner", text("group:hr"))]),
        class([("regions", text("eu"))]),
        class([("clasification", Attribute::Integer(3))]),
        class([("price", text("a lot"))]),
        class([("tenant", text("other"))]),
        Class { tenant: Tenant("other".into()), ..class([]) },
    ];
    for misfit in misfits {
        let answers = ask(&policy, &user("alice"), &[good.clone(), misfit.clone(), good.clone()]).unwrap();
        assert_eq!(answers, [true, false, true], "{misfit:?}");
    }
    let required = SCHEMA.replace("classification?", "classification");
    let policy = read(&PolicySource { schema: required, ..source(PERMIT) });
    assert!(!ask_one(&policy, &user("alice"), &class([])));
}

#[test]
fn an_identity_that_does_not_fit_the_schema_is_denied() {
    let policy = read(&source(PERMIT));
    let alice = || Identity::asserted("alice");
    for identity in [
        alice().attribute("clearance", Attribute::Integer(1)),
        alice().attribute("tenant", text("other")),
        alice().attribute("department", Attribute::Integer(1)),
        alice().attribute("departement", text("hr")),
        alice().clearance("restricted"),
    ] {
        let refused = ask(&policy, &issue(identity.clone()), &[class([])]).unwrap_err();
        assert_eq!(refused.kind(), Kind::Denied, "{identity:?}");
    }
    let mine = alice().attribute("department", text("hr"));
    let policies = "permit(principal, action, resource) when { principal has department && principal.department == Department::\"hr\" };";
    assert!(ask_one(&read(&source(policies)), &issue(mine.clone()), &class([])));
    let entities = r#"[{"uid": {"type": "User", "id": "alice"}, "attrs": {"tenant": "", "department": {"type": "Department", "id": "it"}}, "parents": []}]"#;
    let both = read(&PolicySource { entities: entities.into(), ..source(policies) });
    assert_eq!(ask(&both, &issue(mine), &[class([])]).unwrap_err().kind(), Kind::Denied);
}

#[test]
fn what_the_entities_know_of_the_asker_is_added() {
    let schema = SCHEMA.replace("tenant: String, ", "");
    let entities = r#"[{"uid": {"type": "User", "id": "alice"}, "attrs": {"clearance": 3}, "parents": [{"type": "Group", "id": "hr"}]}]"#;
    let policies = "permit(principal in Group::\"hr\", action, resource)
        when { principal has clearance && resource has classification && principal.clearance >= resource.classification };
        forbid(principal in Group::\"leavers\", action, resource);";
    let policy = read(&PolicySource { schema, entities: entities.into(), ..source(policies) });
    let classes = [3, 4].map(|n| class([("classification", Attribute::Integer(n))]));
    assert_eq!(ask(&policy, &user("alice"), &classes).unwrap(), [true, false]);
    let leaver = issue(Identity::asserted("alice").groups(["leavers"]));
    assert_eq!(ask(&policy, &leaver, &classes).unwrap(), [false, false]);
    assert_eq!(ask(&policy, &user("bob"), &classes).unwrap(), [false, false]);
}

#[test]
fn objects_and_what_they_are_in_are_seen() {
    let entities = r#"[
        {"uid": {"type": "Object", "id": "hr/2024"}, "attrs": {}, "parents": [{"type": "Object", "id": "archive"}]},
        {"uid": {"type": "Object", "id": "archive"}, "attrs": {"frozen": true}, "parents": []}]"#;
    let policies = format!("{PERMIT} forbid(principal, action, resource in Object::\"archive\");");
    let policy = read(&PolicySource { entities: entities.into(), ..source(&policies) });
    let classes = [under(&["hr/2025", "hr"]), under(&["hr/2024", "hr"]), under(&["archive"]), under(&[])];
    assert_eq!(ask(&policy, &user("alice"), &classes).unwrap(), [true, false, false, true]);
}

#[test]
fn long_policies_are_decided_in_both_ways_or_refused() {
    let long = |n: usize| {
        let any = (0..n).map(|i| format!("resource.classification == {i}")).collect::<Vec<_>>().join(" || ");
        let when = format!("resource has classification && ({any})");
        source(&format!("permit(principal, action, resource) when {{ {when} }};"))
    };
    let classes = [0, 49, 189].map(|level| class([("classification", Attribute::Integer(level))]));
    let classes: Vec<Class> = classes.into_iter().chain([class([])]).collect();
    for n in [50, 190] {
        let policy = read(&long(n));
        let wanted = [true, true, n == 190, false];
        assert_eq!(ask(&policy, &user("alice"), &classes).unwrap(), wanted, "{n}");
        let over = policy.over(&resources(&classes)).unwrap().unwrap();
        assert_eq!(over.permits(&user("alice")).unwrap(), wanted, "{n}");
    }
    for n in [200, 1000] {
        let refused = safepassage_policy::CedarCompiler.read(&long(n)).unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
        assert!(refused.message().contains("nested deeper"), "{refused}");
    }
}

#[test]
fn what_is_denied_one_by_one_is_denied_together() {
    let policy = read(&source(PERMIT));
    let classes = vec![class([]); 20];
    let over = policy.over(&resources(&classes)).unwrap().unwrap();
    assert_eq!(over.permits(&user("alice")).unwrap(), [true; 20]);
    let incomplete = issue(Identity::asserted("alice").groups_complete(false));
    assert_eq!(over.permits(&incomplete).unwrap_err().kind(), Kind::Denied);
    assert_eq!(over.permits(&issue(Identity::asserted("alice").tenant("other"))).unwrap(), [false; 20]);
    assert!(policy.over(&resources(&classes[..1])).unwrap().is_none(), "sets of one class gain nothing");
}
