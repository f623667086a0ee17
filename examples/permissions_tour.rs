//! What permissions do, one rule at a time, on seven small documents. `cargo run --release --features builtin
//! --example permissions_tour`

use safepassage::{Acl, BatchDocument, Create, Engine, Identity, Principal, Result, Tenant};

fn main() -> Result<()> {
    let folder = std::env::temp_dir()
        .join(format!("safepassage-tour-{}", safepassage::system::unique_name(&safepassage::system::Clock::system())));
    let engine = Engine::create(&folder, Create::default())?;
    let clock = engine.clock().clone();
    let tenant = Tenant::default();

    let (hr, contractors) = (Principal::group("hr"), Principal::group("contractors"));
    engine.add(vec![
        document("price-list", "The small freezer costs 9,800 euros.", Some(Acl::new([Principal::Public], []))),
        document("handbook", "Lunch is at noon.", Some(Acl::new([Principal::Everyone], []))),
        document("memo", "Salaries rise by three percent.", Some(Acl::new([hr.clone()], []))),
        document(
            "wifi",
            "The guest network has no password.",
            Some(Acl::new([Principal::Everyone], [contractors.clone()])),
        ),
        document("draft", "Nobody has said who may read this.", None),
        BatchDocument {
            label: Some("confidential".into()),
            ..document("plan", "We move to Cork in May.", Some(Acl::new([Principal::Everyone], [])))
        },
        BatchDocument {
            tenant: Tenant("other-company".into()),
            ..document("handbook", "Another company's handbook.", Some(Acl::new([Principal::Everyone], [])))
        },
    ])?;
    engine.commit()?;

    let sees = |what: &str, identity: Identity| -> Result<()> {
        println!("{what:<58} {}", engine.session(identity)?.visible()?.documents.join(", "));
        Ok(())
    };
    sees("nobody signed in: public only", Identity::anonymous().issue(&clock)?)?;
    sees("signed in, no groups: and what everyone may read", Identity::asserted("ann").issue(&clock)?)?;
    sees("in hr", Identity::asserted("alice").groups(["hr"]).issue(&clock)?)?;
    sees(
        "in hr and a contractor: deny wins",
        Identity::asserted("tomas").groups(["hr", "contractors"]).issue(&clock)?,
    )?;
    sees(
        "groups not complete: nothing that denies a group",
        Identity::asserted("ann").groups_complete(false).issue(&clock)?,
    )?;
    sees("cleared for confidential", Identity::asserted("ann").clearance("confidential").issue(&clock)?)?;
    sees(
        "of the other tenant: its own documents only",
        Identity::asserted("ann").tenant("other-company").issue(&clock)?,
    )?;

    engine.revoke(&tenant, "memo", &hr)?;
    sees("in hr, after the memo was revoked from hr", Identity::asserted("alice").groups(["hr"]).issue(&clock)?)?;
    engine.set_acl(&tenant, "memo", Acl::new([hr.clone(), Principal::user("alice")], []))?;
    sees(
        "in hr, after somebody allowed it again: still revoked",
        Identity::asserted("alice").groups(["hr"]).issue(&clock)?,
    )?;
    engine.restore(&tenant, "memo", &hr, "revoked by mistake")?;
    sees("in hr, after it was restored, with a reason", Identity::asserted("alice").groups(["hr"]).issue(&clock)?)?;

    let expired = Identity::asserted("ann").ttl_seconds(0).issue(&clock);
    println!("{:<58} {}", "an identity that has expired", expired.expect_err("it has expired"));
    // The tour's folder is of no use to anybody afterwards.
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

fn document(id: &str, text: &str, acl: Option<Acl>) -> BatchDocument {
    BatchDocument { id: id.into(), text: Some(text.into()), acl, ..BatchDocument::default() }
}
