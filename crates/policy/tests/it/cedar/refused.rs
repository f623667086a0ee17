//! What is not taken for policies.

use safepassage_access::PolicySource;
use safepassage_error::Kind;
use safepassage_policy::CedarCompiler;

use super::{SCHEMA, source};

fn refusal(source: &PolicySource) -> String {
    let error = CedarCompiler.read(source).expect_err("it was taken");
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    error.to_string()
}

#[test]
fn policies_that_cannot_be_held_to_are_refused_by_name() {
    for (policies, wanted) in [
        ("permit(principal, action, resource)", "the policies do not parse"),
        ("permit(principal, action, resource)\n  when { resource.clasification == 1 };", "policy `policy0`"),
        ("permit(principal, action, resource) when { resource.classification < 3 };", "policy `policy0`"),
        ("permit(principal, action, resource) when { principal.tenant == 3 };", "policy `policy0`"),
        ("permit(principal, action == Action::\"write\", resource);", "policy `policy0`"),
        ("permit(principal == User::\"a\", action, resource == Document::\"x\");", "`policy0` names a document"),
        ("forbid(principal, action, resource) when { [Document::\"x\"].contains(resource) };", "names a document"),
        ("permit(principal == ?principal, action, resource);", "`policy0` is a template"),
        ("permit(principal is Group, action, resource);", "policy `policy0`"),
    ] {
        let refused = refusal(&source(policies));
        assert!(refused.contains(wanted), "{policies}: {refused}");
    }
    let second = "permit(principal, action, resource);\npermit(principal, action, resource)\nwhen {\n resource.x };";
    let refused = refusal(&source(second));
    assert!(refused.contains("`policy1`") && refused.contains("line `4`"), "{refused}");
}

#[test]
fn schemas_that_could_only_be_half_kept_are_refused() {
    let with = |schema: &str| PolicySource { schema: schema.to_owned(), ..source("") };
    let read = "action read appliesTo { principal: [User], resource: [Document] };";
    for (schema, wanted) in [
        (String::new(), "does not declare the type `User`"),
        ("{".to_owned(), "the schema cannot be used"),
        ("entity User;".to_owned(), "does not declare the type `Document`"),
        ("entity User, Document;".to_owned(), "no action `read`"),
        ("entity User, Document; action read appliesTo { principal: [Document], resource: [User] };".to_owned(), "no action"),
        (format!("entity User tags String; entity Document; {read}"), "`User` has tags"),
        (format!("entity User; entity Document tags String; {read}"), "`Document` has tags"),
        (format!("entity User = {{ last?: Set<Document> }}; entity Document; {read}"), "`User` refers to a `Document`"),
        (format!("entity User, Document; entity Page in [Document]; {read}"), "`Page` can be in a `Document`"),
        (
            "entity User, Document; action read appliesTo { principal: [User], resource: [Document], context: { mfa?: Bool } };"
                .to_owned(),
            "has a context",
        ),
    ] {
        let refused = refusal(&with(&schema));
        assert!(refused.contains(wanted), "{schema}: {refused}");
    }
    assert!(CedarCompiler.read(&with(SCHEMA)).is_ok());
    let json = r#"{"": {"entityTypes": {"User": {}, "Document": {}},
        "actions": {"read": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Document"]}}}}}"#;
    assert!(CedarCompiler.read(&with(json)).is_ok());
}

#[test]
fn entities_that_do_not_fit_and_other_languages_are_refused() {
    let with = |entities: &str| PolicySource { entities: entities.to_owned(), ..source("") };
    for (entities, wanted) in [
        ("{", "the entities cannot be used"),
        (r#"[{"uid": {"type": "Group", "id": "a"}, "attrs": {"x": 1}, "parents": []}]"#, "the entities cannot be used"),
        (r#"[{"uid": {"type": "Team", "id": "a"}, "attrs": {}, "parents": []}]"#, "the entities cannot be used"),
        (r#"[{"uid": {"type": "Document", "id": "a"}, "attrs": {}, "parents": []}]"#, "is a document"),
    ] {
        let refused = refusal(&with(entities));
        assert!(refused.contains(wanted), "{entities}: {refused}");
    }
    assert!(refusal(&PolicySource { language: "rego".into(), ..source("") }).contains("`rego`"));
}
