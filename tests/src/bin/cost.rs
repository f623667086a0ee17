//! What do permissions cost where there are many? `cost FOLDER [DOCUMENTS] [OBJECTS] [LISTS]`; with no objects every
//! document has one of so many lists of three groups (a list of its own if LISTS is 0), as in
//! `benches/compare/group_filter.py`.
//!
//! Documents under ACL objects in trees, an identity in 500 of 5,000 groups: what it may see, cold and warm; a revocation,
//! durable in FOLDER, of a document and of an object; memory. Times are of the profile it is built with.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use safepassage::system::Clock;
use safepassage::{Acl, Identity, Inherit, Labels, Principal, Result, Tenant};
use safepassage_access::{
    AccessEvent, Binding, Column, DocumentNumber, LabelRank, ObjectStatement, Origin, SegmentAccess, Version,
};
use safepassage_index::storage::LocalStorage;
use safepassage_index::{Index, Settings};
use safepassage_tests::Numbers;

const GROUPS: usize = 5_000;
const OF_AN_IDENTITY: usize = 500;
const TREES: usize = 1_000;
const ROUNDS: usize = 300;
const PER_EPOCH: usize = 5_000;

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed().as_secs_f64() * 1e6)
}

fn group(numbers: &mut Numbers) -> Principal {
    // Low numbers are large groups.
    let (a, b) = (numbers.below(GROUPS), numbers.below(GROUPS));
    Principal::group(&format!("g{}", a.min(b)))
}

fn name(object: usize) -> Box<str> {
    format!("site/{object}").into()
}

fn object(numbers: &mut Numbers, n: usize) -> Acl {
    let allow: Vec<Principal> = (0..numbers.below(4)).map(|_| group(numbers)).collect();
    let deny: Vec<Principal> = (0..usize::from(numbers.one_in(20))).map(|_| group(numbers)).collect();
    let all = [Inherit::DenyWins, Inherit::DenyWins, Inherit::ChildOverrides, Inherit::ParentOverrides];
    let own = Acl::new(allow, deny);
    // Three below each, so that a hundred times as many objects as trees are about five deep.
    if n < TREES { own } else { Acl { parent: Some(name(n / 3)), inherit: numbers.pick(&all), ..own } }
}

fn somebody(numbers: &mut Numbers, clock: &Clock) -> Result<Identity> {
    let mut groups = std::collections::BTreeSet::new();
    while groups.len() < OF_AN_IDENTITY {
        groups.insert(format!("g{}", numbers.below(GROUPS)));
    }
    let user = format!("u{}", numbers.draw());
    Identity::asserted(&user).groups(groups.iter().map(String::as_str)).ttl_seconds(1 << 20).issue(clock)
}

fn memory_bytes() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|resident| resident.parse().ok()).unwrap_or(0.0) * 4096.0
}

fn show(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {:.1} µs, p99 {:.1} µs, most {:.1} µs", at(0.5), at(0.99), at(1.0));
}

fn list(numbers: &mut Numbers) -> Acl {
    Acl::new((0..3).map(|_| group(numbers)), [])
}

fn document_acl(numbers: &mut Numbers, objects: usize, lists: &[Acl]) -> Acl {
    if objects == 0 {
        return if lists.is_empty() { list(numbers) } else { lists[numbers.below(lists.len())].clone() };
    }
    let under = Acl::under(&name(numbers.below(objects)));
    if numbers.one_in(10) { Acl { allow: [group(numbers)].into(), ..under } } else { under }
}

fn fill(index: &Index, numbers: &mut Numbers, documents: usize, objects: usize, lists: usize) -> Result<()> {
    let tenant = Tenant::default();
    let lists: Vec<Acl> = (0..lists).map(|_| list(numbers)).collect();
    let stated: Vec<AccessEvent> = (0..objects)
        .map(|n| {
            let statement = ObjectStatement { acl: Some(object(numbers, n)), source_acl: None, origin: Origin::Set };
            AccessEvent::ObjectStated { tenant: tenant.clone(), name: name(n), statement }
        })
        .collect();
    for some in stated.chunks(PER_EPOCH) {
        index.commit_access(&mut |_| Ok(some.to_vec()))?;
    }
    for first in (0..documents).step_by(PER_EPOCH) {
        let mut events = Vec::new();
        for n in first..documents.min(first + PER_EPOCH) {
            let number = DocumentNumber(n as u32);
            let acl = document_acl(numbers, objects, &lists);
            let binding = Binding::by_source(Version(1), acl, LabelRank(0));
            events.push(AccessEvent::Numbered { tenant: tenant.clone(), id: format!("d{n}").into(), number });
            events.push(AccessEvent::Bound { number, binding });
        }
        index.commit_access(&mut |_| Ok(events.clone()))?;
    }
    Ok(())
}

fn run(folder: &str, [documents, objects, lists]: [usize; 3]) -> Result<()> {
    let clock = Clock::system();
    let storage = Arc::new(LocalStorage::new(folder));
    let index = Index::create(storage, Settings::vectors(8), &Labels::default(), clock.clone())?;
    let mut numbers = Numbers(1);
    let before = memory_bytes();
    let (filled, us) = timed(|| fill(&index, &mut numbers, documents, objects, lists));
    filled?;
    println!("{documents} documents under {objects} ACL objects, written and applied in {:.0} s", us / 1e6);
    let held = (memory_bytes() - before) / documents as f64;
    println!("memory of the plane that wrote them, per document: {held:.0} bytes");

    let each: Vec<DocumentNumber> = (0..documents as u32).map(DocumentNumber).collect();
    let (versions, rows) = (vec![Version(1); documents], (0..=documents as u32).collect());
    let segment = SegmentAccess::new(Column::new(Tenant::default(), each, versions, rows)?);
    let sees = |who: &Identity| index.with_plane(|plane| segment.visible(plane, &plane.permitted(who, clock.now())?));
    let known = somebody(&mut numbers, &clock)?;
    let (seen, first) = timed(|| sees(&known));
    println!("first look at a segment: {first:.0} µs; {OF_AN_IDENTITY} groups see {} documents", seen?.len());
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        let stranger = somebody(&mut numbers, &clock)?;
        let (seen, us) = timed(|| sees(&stranger));
        cold.push(us);
        let (again, us) = timed(|| sees(&stranger));
        warm.push(us);
        assert_eq!(seen?.len(), again?.len());
    }
    show("identity to visible, cold (its look for a newer epoch included)", cold);
    show("identity to visible, warm (its look for a newer epoch included)", warm);

    let (mut document, mut object, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        let principal = Principal::user(&format!("u{n}"));
        let number = DocumentNumber(numbers.below(documents) as u32);
        let event = AccessEvent::Revoked { number, principal: principal.clone() };
        let (done, us) = timed(|| index.commit_access(&mut |_| Ok(vec![event.clone()])));
        done?;
        document.push(us);
        let (seen, us) = timed(|| sees(&known));
        seen?;
        after.push(us);
        if objects == 0 {
            continue;
        }
        let name = name(numbers.below(objects));
        let event = AccessEvent::ObjectRevoked { tenant: Tenant::default(), name, principal };
        let (done, us) = timed(|| index.commit_access(&mut |_| Ok(vec![event.clone()])));
        done?;
        object.push(us);
    }
    show("revocation of a document, durable and in force", document);
    if objects > 0 {
        show("revocation of an ACL object, durable and in force", object);
    }
    show("identity to visible after a revocation", after);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, most: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(most);
    let Some(folder) = arguments.first() else {
        eprintln!("cost FOLDER [DOCUMENTS] [OBJECTS] [LISTS]");
        return ExitCode::from(2);
    };
    match run(folder, [number(1, 1_000_000), number(2, 100_000), number(3, 37_000)]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
