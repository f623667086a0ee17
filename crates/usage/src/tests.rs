use std::sync::{Arc, Barrier};

use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::line::Entry;

/// 2026-11-22T00:00:00Z.
const START: Timestamp = Timestamp(1_795_305_600_000);

fn ledger(budgets: &[Budget]) -> (TempDir, Clock, Ledger) {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::fixed(START));
    let ledger = Ledger::new(folder.path(), clock.clone());
    ledger.set(&UsageSettings { budgets: budgets.to_vec(), ..UsageSettings::default() }).unwrap();
    (folder, clock, ledger)
}

fn budget(tenant: Option<&str>, user: Option<&str>, per: Period, tokens: u64) -> Budget {
    let own = |name: Option<&str>| name.map(str::to_owned);
    Budget { tenant: own(tenant), user: own(user), feature: None, per, tokens: Some(tokens), cost: None }
}

fn who(tenant: &str, user: &str) -> Who {
    Who { tenant: tenant.into(), user: Some(user.into()), feature: None }
}

fn call(answer: &str, who: &Who, tokens: u64) -> Call {
    let (answer, who) = (answer.to_owned(), who.clone());
    Call { answer, who, outcome: "ok".into(), tokens_in: tokens, model: "m".into(), ..Call::default() }
}

fn most(tokens: u64) -> Amount {
    Amount { tokens, cost: 0.0 }
}

/// Makes a call that takes what it reserves.
fn spend(ledger: &Ledger, answer: &str, who: &Who, tokens: u64) -> safepassage_error::Result<()> {
    let reservation = ledger.reserve(answer, who, most(tokens))?;
    ledger.settle(&reservation, call(answer, who, tokens)).map(drop)
}

fn all(ledger: &Ledger) -> Vec<UsageLine> {
    let mut lines = Vec::new();
    let mut keep = |line| {
        lines.push(line);
        Ok(())
    };
    ledger.each(Timestamp(0), Timestamp(u64::MAX / 2), &mut keep).unwrap();
    lines
}

#[test]
fn budgets_hold_for_whom_they_name_until_their_time_is_over() {
    let budgets = [budget(Some("acme"), None, Period::Month, 1000), budget(Some("*"), Some("*"), Period::Day, 300)];
    let (_folder, clock, ledger) = ledger(&budgets);
    let (ann, bob, other) = (who("acme", "ann"), who("acme", "bob"), who("other", "ann"));
    spend(&ledger, "1", &ann, 300).unwrap();
    let error = spend(&ledger, "2", &ann, 1).unwrap_err();
    assert!(error.kind() == Kind::Throttled && error.message().contains("user `*` for a day"), "{error}");
    spend(&ledger, "3", &bob, 300).unwrap();
    spend(&ledger, "4", &other, 300).unwrap();
    clock.advance_seconds(86_400);
    spend(&ledger, "5", &ann, 300).unwrap();
    let error = spend(&ledger, "6", &bob, 101).unwrap_err();
    assert!(error.message().contains("tenant `acme` for a month"), "{error}");
    spend(&ledger, "7", &bob, 100).unwrap();
    clock.advance_seconds(86_400 * 9);
    spend(&ledger, "8", &bob, 300).unwrap();
    assert_eq!(all(&ledger).iter().filter(|line| matches!(line.entry, Entry::Settled(_))).count(), 6);
}

#[test]
fn calls_that_begin_at_once_take_no_more_than_there_is() {
    let (folder, clock, _ledger) = ledger(&[budget(None, None, Period::Day, 1000)]);
    // Ledgers of their own, as processes have.
    let ledgers: Vec<_> = (0..8).map(|_| Arc::new(Ledger::new(folder.path(), clock.clone()))).collect();
    let start = Arc::new(Barrier::new(64));
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let (ledger, start) = (Arc::clone(&ledgers[n % 8]), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                let (answer, ann) = (n.to_string(), who("", "ann"));
                let reservation = ledger.reserve(&answer, &ann, most(90));
                reservation.map(|reservation| ledger.settle(&reservation, call(&answer, &ann, 90)).unwrap()).is_ok()
            })
        })
        .collect();
    let made = calls.into_iter().map(|call| call.join().unwrap()).filter(|made| *made).count();
    assert_eq!(made, 11);
    let sums = sum(&all(&ledgers[0]), By::User);
    assert_eq!((sums.len(), sums[0].calls, sums[0].tokens_in), (1, 11, 990));
}

#[test]
fn what_is_reserved_counts_until_it_is_settled_or_its_maker_is_gone() {
    let (folder, clock, ledger) = ledger(&[budget(None, None, Period::Day, 100)]);
    let ann = who("", "ann");
    let one = ledger.reserve("1", &ann, most(80)).unwrap();
    assert!(ledger.reserve("2", &ann, most(30)).is_err());
    ledger.settle(&one, call("1", &ann, 10)).unwrap();
    let _lost = ledger.reserve("3", &ann, most(80)).unwrap();
    let other = Ledger::new(folder.path(), clock.clone());
    assert!(other.reserve("4", &ann, most(80)).is_err());
    clock.advance_seconds(3600);
    other.reserve("5", &ann, most(80)).map(drop).unwrap();
    assert!(ledger.reserve("6", &ann, most(80)).is_err());
}

#[test]
fn a_line_that_was_not_finished_is_none_and_hides_no_other() {
    let (folder, _clock, ledger) = ledger(&[budget(None, None, Period::Day, 100)]);
    let ann = who("", "ann");
    spend(&ledger, "1", &ann, 40).unwrap();
    let file = folder.path().join("usage/2026-11.jsonl");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend_from_slice(b"{\"at_ms\": 1795305600000, \"state\": \"sett");
    std::fs::write(&file, bytes).unwrap();
    spend(&ledger, "2", &ann, 40).unwrap();
    let other = Ledger::new(folder.path(), Clock::fixed(START));
    assert!(other.reserve("3", &ann, most(30)).is_err());
    assert_eq!(all(&other).len(), 4);
}

#[test]
fn settings_are_kept_checked_and_say_whether_anything_is_written() {
    let (folder, clock, ledger) = ledger(&[]);
    assert!(ledger.settings().unwrap().on);
    spend(&ledger, "1", &who("", "ann"), 5).unwrap();
    ledger.set(&UsageSettings { on: false, budgets: Vec::new() }).unwrap();
    spend(&ledger, "2", &who("", "ann"), 5).unwrap();
    assert_eq!(all(&ledger).len(), 1);
    let limitless = Budget { tokens: None, ..budget(None, None, Period::Day, 1) };
    let no_number = Budget { cost: Some(f64::NAN), ..budget(None, None, Period::Day, 1) };
    for wrong in [limitless, no_number] {
        let settings = UsageSettings { on: true, budgets: vec![wrong] };
        assert_eq!(ledger.set(&settings).unwrap_err().kind(), Kind::Invalid);
    }
    std::fs::write(folder.path().join("usage/settings.json"), "{\"on\": tr").unwrap();
    let damaged = Ledger::new(folder.path(), clock);
    assert_eq!(damaged.reserve("3", &who("", "ann"), most(1)).unwrap_err().kind(), Kind::Corrupted);
}

#[test]
fn sums_and_tables_are_of_calls() {
    let (_folder, _clock, ledger) = ledger(&[budget(None, None, Period::Day, 10_000)]);
    for (n, user) in ["ann", "bob", "ann"].into_iter().enumerate() {
        let answer = n.to_string();
        let reservation = ledger.reserve(&answer, &who("acme", user), most(100)).unwrap();
        let outcome = if n == 2 { "cancelled" } else { "ok" };
        let call = Call {
            outcome: outcome.into(),
            tokens_out: 7,
            cost: Some(0.5),
            currency: Some("EUR".into()),
            all_ms: 10.0 * n as f64,
            ..call(&answer, &who("acme", user), 20)
        };
        ledger.settle(&reservation, call).unwrap();
    }
    let lines = all(&ledger);
    let sums = sum(&lines, By::User);
    assert_eq!((sums[0].name.as_str(), sums[0].calls, sums[0].failed, sums[0].tokens_out), ("acme/ann", 2, 1, 14));
    assert!((sums[0].cost["EUR"] - 1.0).abs() < 1e-12);
    assert_eq!((sum(&lines, By::Day)[0].name.as_str(), sum(&lines, By::Tenant).len()), ("2026-11-22", 1));
    let table = table(&lines).unwrap();
    assert_eq!((table.num_rows(), table.num_columns()), (3, 19));
}

#[test]
fn a_call_that_is_no_prompt_costs_and_takes_no_tokens_of_a_budget() {
    let by_cost = Budget { tokens: None, cost: Some(1.0), ..budget(None, None, Period::Day, 0) };
    let (_folder, _clock, ledger) = ledger(&[by_cost, budget(None, None, Period::Day, 100)]);
    let ann = who("", "ann");
    let embedded = Call { operation: Operation::Embeddings, tokens_in: 1_000, cost: Some(0.75), ..call("1", &ann, 0) };
    let reservation = ledger.reserve("1", &ann, Amount { tokens: 0, cost: 0.75 }).unwrap();
    assert!(matches!(ledger.settle(&reservation, embedded).unwrap(), Kept::Written));
    spend(&ledger, "2", &ann, 100).unwrap();
    assert!(ledger.reserve("3", &ann, Amount { tokens: 0, cost: 0.5 }).is_err());
    let sums = sum(&all(&ledger), By::Operation);
    assert_eq!((sums[0].name.as_str(), sums[1].name.as_str(), sums[1].tokens_in), ("chat", "embeddings", 1_000));
    let old = r#"{"at_ms": 1, "state": "settled", "answer": "a", "tokens_in": 3}"#;
    let Entry::Settled(call) = serde_json::from_str::<UsageLine>(old).unwrap().entry else { panic!("a call") };
    assert_eq!((call.operation, call.amount().tokens), (Operation::Chat, 3));
}

#[test]
fn what_cannot_be_written_is_lost_without_a_budget_and_refused_with_one() {
    // Where the folder of the ledger would be lies a file: so nobody can write, whoever runs the test.
    let (folder, ann) = (tempfile::tempdir().unwrap(), who("", "ann"));
    let ledger = Ledger::new(folder.path(), Clock::fixed(START));
    let reservation = ledger.reserve("1", &ann, most(5)).unwrap();
    std::fs::write(folder.path().join("usage"), "").unwrap();
    let kept = ledger.settle(&reservation, call("1", &ann, 5)).unwrap();
    assert!(matches!(&kept, Kept::Lost(error) if error.kind() == Kind::Unavailable), "{kept:?}");
    assert!(ledger.measured(Measured::default()).is_err());
    std::fs::remove_file(folder.path().join("usage")).unwrap();
    ledger.set(&UsageSettings { on: true, budgets: vec![budget(None, None, Period::Day, 100)] }).unwrap();
    let reservation = ledger.reserve("2", &ann, most(5)).unwrap();
    let month = folder.path().join("usage/2026-11.jsonl");
    std::fs::remove_file(&month).unwrap();
    std::fs::create_dir(&month).unwrap();
    assert_eq!(ledger.settle(&reservation, call("2", &ann, 5)).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(ledger.reserve("3", &ann, most(5)).unwrap_err().kind(), Kind::Unavailable);
}

#[test]
fn what_was_measured_stands_among_the_calls_and_is_none() {
    let (_folder, _clock, ledger) = ledger(&[budget(None, None, Period::Day, 100)]);
    spend(&ledger, "1", &who("", "ann"), 40).unwrap();
    let figures = [("mrr".to_owned(), 0.5), ("ndcg@10".to_owned(), 0.25)].into();
    let measured = Measured { by: "eval".into(), questions: Some("company".into()), generation: 3, figures };
    ledger.measured(measured.clone()).unwrap();
    spend(&ledger, "2", &who("", "ann"), 60).unwrap();
    let lines = all(&ledger);
    assert!(lines.iter().any(|line| line.entry == Entry::Measured(measured.clone())));
    assert_eq!((sum(&lines, By::Model)[0].calls, table(&lines).unwrap().num_rows()), (2, 2));
    let figures = measured_table(&lines).unwrap();
    assert_eq!((figures.num_rows(), figures.num_columns()), (2, 6));
}

#[test]
fn times_are_those_of_calls_that_ended_well() {
    let (_folder, _clock, ledger) = ledger(&[]);
    for n in 1..=200u32 {
        let answer = n.to_string();
        let outcome = if n > 100 { "failed" } else { "ok" };
        let (first_ms, all_ms) = (f64::from(n), f64::from(1000 + n));
        let reservation = ledger.reserve(&answer, &who("acme", "ann"), most(1)).unwrap();
        let call = Call { outcome: outcome.into(), first_ms, all_ms, ..call(&answer, &who("acme", "ann"), 1) };
        ledger.settle(&reservation, call).unwrap();
    }
    let summed = sum(&all(&ledger), By::Model).remove(0);
    let times = [summed.first_ms_p50, summed.first_ms_p99, summed.all_ms_p50, summed.all_ms_p99];
    assert_eq!(times.map(|ms| ms as u32), [50, 99, 1050, 1099]);
    let none = sum(&all(&ledger)[..0], By::Model);
    assert!(none.is_empty());
}
