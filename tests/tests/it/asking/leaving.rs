//! What is in a prompt may be there at the moment when it leaves.

use std::sync::{Arc, Mutex};

use safepassage::{
    Acl, Authorizer, Engine, Hook, Identity, Kind, Listed, Mode, Principal, Request, Result, StopReason, Tenant,
};

use super::{Fake, Meanwhile, ask, cleared, document, documents, engine, session};

#[test]
fn a_prompt_has_what_the_asker_may_read_and_the_answer_names_it() {
    let (engine, model) = (engine(), Fake { cleared: cleared("restricted"), ..Fake::default() });
    let (ann, hr) = (session(&engine, &[]), session(&engine, &["hr"]));
    let answer = ask(&ann, &model).run().unwrap();
    assert_eq!((documents(&answer), answer.complete), (vec!["board", "handbook", "notice"], true));
    assert!(!model.heard()[0].contains("secret"));
    assert_eq!((answer.text.as_str(), answer.sent, answer.model.as_str()), ("Pay rises [1].", true, "fake"));
    assert_eq!((answer.citations.len(), &answer.citations[0].document), (1, &answer.passages[0].document));
    assert_eq!(answer.citations[0].span, answer.passages[0].span);
    assert_eq!((answer.template.as_str(), answer.stop), ("cited@1", Some(StopReason::End)));
    assert!((answer.cost.unwrap() - 0.003).abs() < 1e-12);
    let made_up = Fake { says: vec!["So it is [2][7]."], ..Fake::default() };
    let answer = ask(&hr, &made_up).search(|search| search.k(4)).run().unwrap();
    assert!(made_up.heard()[0].contains("the secret plan") && documents(&answer).len() == 4);
    assert_eq!((answer.citations[0].number, answer.unknown_citations), (2, vec![7]));
    assert_eq!(ann.ask("pay?").run().unwrap_err().kind(), Kind::Invalid);
    for no_question in [" ", "pay\u{202e}?"] {
        assert_eq!(ann.ask(no_question).generator(&model).run().unwrap_err().kind(), Kind::Invalid);
    }
}

#[test]
fn what_is_revoked_deleted_or_labelled_higher_meanwhile_is_replaced_before_sending() {
    type Deed = fn(&Engine);
    let deeds: [(&str, Deed); 4] = [
        ("revoked", |engine| {
            engine.revoke(&Tenant::default(), "memo", &Principal::group("hr")).unwrap();
        }),
        ("closed", |engine| {
            engine.set_acl(&Tenant::default(), "memo", Acl::new([Principal::user("bob")], [])).unwrap();
        }),
        ("deleted", |engine| {
            engine.delete(&Tenant::default(), "memo").unwrap();
            engine.commit().unwrap();
        }),
        ("labelled", |engine| {
            let text = "Pay rises by four percent in July, the secret plan.";
            engine.add(vec![document("memo", text, Principal::group("hr"), "confidential")]).unwrap();
            engine.commit().unwrap();
        }),
    ];
    for (what, deed) in deeds {
        let (engine, model) = (engine(), Fake { cleared: cleared("internal"), ..Fake::default() });
        let hr = session(&engine, &["hr"]);
        let before = ask(&hr, &model).search(|search| search.k(2)).run().unwrap();
        assert!(documents(&before).contains(&"memo"));
        let other = engine.clone();
        let hook = Meanwhile::does(move || deed(&other));
        let answer = ask(&hr, &model).search(|search| search.k(2)).hook(hook).run().unwrap();
        assert_eq!(documents(&answer), ["handbook", "notice"], "{what}");
        assert_eq!(model.heard().len(), 2, "{what}");
        assert!(!model.heard()[1].contains("secret"), "{what}: {:?}", model.heard());
        assert!(answer.acl_epoch >= before.acl_epoch && answer.text == "Pay rises [1].");
    }
}

#[test]
fn a_change_that_concerns_no_passage_of_the_prompt_changes_nothing() {
    let (engine, model) = (engine(), Fake::default());
    let (ann, other) = (session(&engine, &[]), engine.clone());
    let hook = Meanwhile::does(move || {
        other.revoke(&Tenant::default(), "memo", &Principal::group("hr")).unwrap();
        other.add(vec![document("new", "Pay pay pay.", Principal::Everyone, "public")]).unwrap();
        other.commit().unwrap();
    });
    let answer = ask(&ann, &model).hook(hook).run().unwrap();
    assert_eq!((documents(&answer).len(), model.heard().len()), (3, 1));
    assert!(answer.acl_epoch > 1 && !documents(&answer).contains(&"new"));
}

#[test]
fn permissions_that_never_stand_still_send_nothing() {
    struct Always(Engine, Mutex<bool>);
    impl Hook for Always {
        fn before_request(&self, request: &mut Request) -> Result<()> {
            let mut gone = self.1.lock().unwrap();
            *gone = !*gone;
            let (tenant, everyone) = (Tenant::default(), Principal::Everyone);
            // Whatever is in the prompt goes, and what was gone comes back.
            for id in ["handbook", "notice"] {
                let inside = request.messages[1].text.contains(if id == "handbook" { "once a year" } else { "Friday" });
                if inside {
                    self.0.revoke(&tenant, id, &everyone)?;
                } else {
                    // The first time nothing was taken yet.
                    drop(self.0.restore(&tenant, id, &everyone, "a test"));
                }
            }
            Ok(())
        }
    }
    let (engine, model) = (engine(), Fake { cleared: cleared("internal"), ..Fake::default() });
    let ann = session(&engine, &[]);
    let hook = Arc::new(Always(engine.clone(), Mutex::default()));
    let error = ask(&ann, &model).search(|search| search.k(1)).hook(hook).run().unwrap_err();
    assert_eq!((error.kind(), model.heard().len()), (Kind::Conflict, 0), "{error}");
}

#[test]
fn whose_identity_ends_meanwhile_has_nothing_sent() {
    let (engine, model) = (engine(), Fake::default());
    let (ann, clock) = (session(&engine, &[]), engine.clock().clone());
    let hook = Meanwhile::does(move || clock.advance_seconds(3600));
    let error = ask(&ann, &model).hook(hook).run().unwrap_err();
    assert_eq!((error.kind(), model.heard().len()), (Kind::Denied, 0));
}

#[test]
fn an_authorizer_outside_is_asked_once_more_before_sending() {
    #[derive(Debug)]
    struct Once(Mutex<u32>);
    impl Authorizer for Once {
        fn list(&self, _: &Identity) -> Result<Option<Listed>> {
            Ok(None)
        }
        fn max_batch(&self) -> usize {
            100
        }
        fn check(&self, _: &Identity, documents: &[&str]) -> Result<Vec<bool>> {
            *self.0.lock().unwrap() += 1;
            let first = *self.0.lock().unwrap() == 1;
            Ok(documents.iter().map(|id| first || *id != "notice").collect())
        }
    }
    let (engine, model) = (engine(), Fake::default());
    let ann = session(&engine, &[]).with_authorizer(Arc::new(Once(Mutex::default())));
    let answer = ask(&ann, &model).run().unwrap();
    assert_eq!(documents(&answer), ["board", "handbook"]);
    assert!(model.heard().len() == 1 && !model.heard()[0].contains("Friday"));
}

#[test]
fn without_a_passage_nothing_is_sent_unless_said_so() {
    let (engine, model) = (engine(), Fake::default());
    let ann = session(&engine, &[]);
    let nothing = || ann.ask("zebra?").generator(&model).search(|search| search.mode(Mode::Lexical));
    let answer = nothing().run().unwrap();
    assert!(!answer.sent && answer.text.is_empty() && model.heard().is_empty());
    let answer = nothing().without_passages().run().unwrap();
    assert!(answer.sent && model.heard().len() == 1 && answer.unknown_citations == [1]);
}
