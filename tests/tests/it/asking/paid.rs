//! What calls cost: also those that fail, are many at once, or do not come back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use safepassage::usage::{Amount, Budget, Period, UsageSettings, Who};
use safepassage::{
    Acl, BatchDocument, Error, Finished, Generator, Hook, Identity, Kind, Mode, Permit, Piece, Pieces, Principal,
    Request, Result, StopReason, Template, Usage,
};

use super::around::{calls, counting};
use super::{Fake, Meanwhile, ask, cleared, session};

fn budget(tokens: u64) -> UsageSettings {
    let budget = Budget { tenant: None, user: None, feature: None, per: Period::Day, tokens: Some(tokens), cost: None };
    UsageSettings { on: true, budgets: vec![budget] }
}

/// Fails after its provider has counted, if it does not panic.
struct Down {
    panics: AtomicBool,
}

impl Generator for Down {
    fn name(&self) -> &str {
        "down"
    }
    fn window(&self) -> usize {
        4096
    }
    fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
        permit()?;
        assert!(!self.panics.load(Ordering::Relaxed), "on purpose");
        request.lost.as_ref().unwrap().add(Usage { tokens_in: 300, tokens_out: 4, tokens_cached: 0 });
        Err(Error::new(Kind::Unavailable, "generate", "it is not well"))
    }
}

#[test]
fn what_a_call_has_cost_is_paid_though_it_failed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = counting(folder.path());
    let ann = session(&engine, &[]);
    let down = Down { panics: AtomicBool::new(false) };
    ann.ask("when does pay rise?").generator(&down).run().unwrap_err();
    let call = calls(&engine).pop().unwrap();
    let said = (call.outcome.as_str(), call.tokens_in, call.tokens_out, call.estimated);
    assert_eq!(said, ("Unavailable", 300, 4, false));
}

#[test]
fn what_was_reserved_for_a_call_that_does_not_come_back_is_free_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = counting(folder.path());
    // Room for one call of this size and not for two.
    engine.usage().unwrap().set(&budget(1_200)).unwrap();
    let (ann, model) = (session(&engine, &[]), Fake { counts: 1, ..Fake::default() });
    let panics = Down { panics: AtomicBool::new(true) };
    let ended = catch_unwind(AssertUnwindSafe(|| ann.ask("when does pay rise?").generator(&panics).run()));
    assert!(ended.is_err());
    ask(&ann, &model).run().unwrap();
    // A prompt that the audit log takes no line of is not sent.
    engine.audit().unwrap().set(|settings| settings.on = true).unwrap();
    let log = folder.path().join("audit");
    let aside = folder.path().join("aside");
    let (from, to) = (log.clone(), aside.clone());
    let hook = Meanwhile::does(move || {
        std::fs::rename(&from, &to).unwrap();
        std::fs::write(&from, "no folder").unwrap();
    });
    ask(&ann, &model).hook(hook).run().unwrap_err();
    assert_eq!(model.heard().len(), 1, "nothing was sent");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    ask(&ann, &model).run().unwrap();
    let who = Who { user: Some("ann".into()), ..Who::default() };
    let most = Amount { tokens: 1_200 - 4, cost: 0.0 };
    assert!(engine.usage().unwrap().reserve("x", &who, most).is_ok(), "only what was used is spent");
}

#[test]
fn sixty_four_who_ask_at_once_spend_no_more_than_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = counting(folder.path());
    let most = 4_000;
    engine.usage().unwrap().set(&budget(most)).unwrap();
    let model = Fake { counts: 300, ..Fake::default() };
    let outcomes: Vec<Result<_>> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..64).map(|_| scope.spawn(|| ask(&session(&engine, &[]), &model).run())).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((2..=6).contains(&made) && model.heard().len() == made, "{made}");
    assert!(outcomes.iter().flat_map(|outcome| outcome.as_ref().err()).all(|error| error.kind() == Kind::Throttled));
    let spent: u64 = calls(&engine).iter().map(|call| call.amount().tokens).sum();
    assert!(spent <= most && spent == 600 * made as u64, "{spent}");
}

#[test]
fn a_key_of_a_cache_is_of_one_tenant_and_one_template() {
    #[derive(Default)]
    struct Keys(Mutex<Vec<Option<String>>>);
    impl Hook for Keys {
        fn before_request(&self, request: &mut Request) -> Result<()> {
            self.0.lock().unwrap().push(request.cache_key.clone());
            Ok(())
        }
    }
    let engine = super::engine();
    let document = |tenant: &str| BatchDocument {
        tenant: safepassage::Tenant(tenant.into()),
        acl: Some(Acl::new([Principal::Everyone], [])),
        ..super::document("pay", "Pay is reviewed once a year.", Principal::Everyone, "public")
    };
    engine.add(vec![document("acme"), document("other")]).unwrap();
    engine.commit().unwrap();
    let keys = Arc::new(Keys::default());
    let text = "name = 'own'\nversion = '1'\nsystem = 's'\nuser = '{{ passages }} {{ question }}'";
    let (own, model) = (Template::parse(text).unwrap(), Fake { cleared: cleared("internal"), ..Fake::default() });
    let asked = |tenant: &str, user: &str, question: &str, template: Option<&Template>| {
        let identity = Identity::asserted(user).tenant(tenant).groups(["hr"]).issue(engine.clock()).unwrap();
        let session = engine.session(identity).unwrap();
        let ask =
            session.ask(question).generator(&model).hook(keys.clone()).search(|search| search.mode(Mode::Lexical));
        template.into_iter().fold(ask, safepassage::Ask::template).run().unwrap();
        keys.0.lock().unwrap().pop().unwrap().unwrap()
    };
    let one = asked("acme", "ann", "when is pay reviewed?", None);
    assert_eq!(one, asked("acme", "bob", "who reviews pay?", None));
    assert_ne!(one, asked("other", "ann", "when is pay reviewed?", None));
    assert_ne!(one, asked("acme", "ann", "when is pay reviewed?", Some(&own)));
}

#[test]
fn a_model_that_answers_in_nothing_but_its_end_is_an_answer() {
    struct Silent;
    impl Generator for Silent {
        fn name(&self) -> &str {
            "silent"
        }
        fn window(&self) -> usize {
            4096
        }
        fn generate(&self, request: &Request, permit: &Permit) -> Result<Pieces> {
            permit()?;
            let end = Piece::Finished(Finished { reason: StopReason::Filtered, usage: None });
            Ok(Pieces::pulled(request, std::iter::once(Ok(end))))
        }
    }
    let engine = super::engine();
    let ann = session(&engine, &[]);
    let answer = ann.ask("when does pay rise?").generator(&Silent).search(|search| search.mode(Mode::Lexical));
    let answer = answer.run().unwrap();
    assert_eq!((answer.text.as_str(), answer.stop, answer.sent), ("", Some(StopReason::Filtered), true));
}
