//! What does it cost to find what an identity may see? One segment of 1,000,000 documents, 37,000 distinct ACLs.
//!
//! An ACL allows 1 to 5 of 500 groups, whose sizes follow Zipf's law, one of them tied to the document's department.

use std::collections::HashSet;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use safepassage_access::*;
use safepassage_error::system::{Clock, Timestamp};

const DOCUMENTS: u32 = 1_000_000;
const DISTINCT_ACLS: usize = 37_000;
const GROUPS: u64 = 500;
const DEPARTMENTS: u64 = 64;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / u64::MAX as f64
    }

    /// A group by Zipf's law; of `department` only, if one is given (the groups of one are `department + 64 i`).
    fn group(&mut self, department: Option<u64>) -> u64 {
        let of = |i: u64| department.map_or(i, |d| d + DEPARTMENTS * i);
        let members: Vec<u64> = (0..GROUPS).map(of).take_while(|g| *g < GROUPS).collect();
        let weight = |g: &u64| 1.0 / (*g + 1) as f64;
        let mut left = self.share() * members.iter().map(weight).sum::<f64>();
        let chosen = members.iter().find(|g| {
            left -= weight(g);
            left <= 0.0
        });
        *chosen.unwrap_or(&members[0])
    }

    fn groups(&mut self) -> Vec<u64> {
        let department = self.below(DEPARTMENTS);
        let mut groups = vec![self.group(Some(department))];
        (0..self.below(5)).for_each(|_| groups.push(self.group(None)));
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// The ACL of every document: new ones until there are enough, then those of earlier documents.
fn acls(chance: &mut Chance) -> Vec<Vec<u64>> {
    let (mut all, mut distinct): (Vec<Vec<u64>>, HashSet<_>) = Default::default();
    while all.len() < DOCUMENTS as usize {
        let groups = if distinct.len() < DISTINCT_ACLS {
            chance.groups()
        } else {
            all[chance.below(all.len() as u64) as usize].clone()
        };
        distinct.insert(groups.clone());
        all.push(groups);
    }
    assert_eq!(distinct.len(), DISTINCT_ACLS);
    all
}

fn plane(acls: &[Vec<u64>]) -> AccessPlane {
    let mut plane = AccessPlane::default();
    plane.apply(1, &[AccessEvent::Created { labels: Labels::default() }]).unwrap();
    for (some, first) in acls.chunks(10_000).zip((0u32..).step_by(10_000)) {
        let events: Vec<AccessEvent> = some
            .iter()
            .zip(first..)
            .flat_map(|(groups, n)| {
                let number = DocumentNumber(n);
                let acl = Acl::new(groups.iter().map(|g| Principal::group(&format!("group-{g}"))), []);
                let binding = Binding::by_source(Version(u128::from(n)), acl, LabelRank(0));
                let id = format!("document-{n}").into();
                [
                    AccessEvent::Numbered { tenant: Tenant::default(), id, number },
                    AccessEvent::Bound { number, binding },
                ]
            })
            .collect();
        plane.apply(plane.epoch() + 1, &events).unwrap();
    }
    plane
}

fn column(rows_each: u32) -> Column {
    let documents = DOCUMENTS / rows_each;
    let numbers: Vec<u32> = (0..documents).map(|i| i ^ 1).collect();
    let versions = numbers.iter().map(|n| Version(u128::from(*n))).collect();
    let first_row = (0..=documents).map(|i| i * rows_each).collect();
    Column::new(Tenant::default(), numbers.into_iter().map(DocumentNumber).collect(), versions, first_row).unwrap()
}

/// Somebody nobody has seen before, in `groups` groups drawn evenly.
fn somebody(chance: &mut Chance, groups: usize) -> Identity {
    let mut all: Vec<String> = (0..GROUPS).map(|g| format!("group-{g}")).collect();
    for i in 0..groups {
        let other = i + chance.below((all.len() - i) as u64) as usize;
        all.swap(i, other);
    }
    let user = format!("user-{}", chance.next());
    let clock = Clock::fixed(Timestamp(0));
    Identity::asserted(&user).groups(all[..groups].iter().map(String::as_str)).issue(&clock).unwrap()
}

fn visible(plane: &AccessPlane, segment: &SegmentAccess, identity: &Identity) -> Visible {
    segment.visible(plane, &plane.permitted(identity, Timestamp(0)).unwrap()).unwrap()
}

fn benches(c: &mut Criterion) {
    let mut chance = Chance(42);
    let plane = plane(&acls(&mut chance));
    for rows_each in [1, 5] {
        let segment = SegmentAccess::new(column(rows_each));
        let mut group = c.benchmark_group(format!("{rows_each} rows a document"));
        for groups in [20, 100, 500] {
            let shown = visible(&plane, &segment, &somebody(&mut chance, groups));
            println!("{groups} groups see {:.1} %", 100.0 * shown.len() as f64 / f64::from(shown.segment_rows()));
            group.bench_function(BenchmarkId::new("permitted, cold", groups), |b| {
                let setup = || somebody(&mut chance, groups);
                let routine = |identity: &mut Identity| plane.permitted(identity, Timestamp(0)).unwrap();
                b.iter_batched_ref(setup, routine, BatchSize::PerIteration);
            });
            group.bench_function(BenchmarkId::new("permitted and visible, cold", groups), |b| {
                let setup = || somebody(&mut chance, groups);
                let routine = |identity: &mut Identity| visible(&plane, &segment, identity);
                b.iter_batched_ref(setup, routine, BatchSize::PerIteration);
            });
            let known = somebody(&mut chance, groups);
            group.bench_function(BenchmarkId::new("permitted and visible, warm", groups), |b| {
                b.iter(|| visible(&plane, &segment, &known));
            });
        }
        group.finish();
        let mut group = c.benchmark_group(format!("a segment with {rows_each} rows a document"));
        group.sample_size(10);
        group.bench_function("column", |b| b.iter(|| column(rows_each)));
        let open = || SegmentAccess::new(column(rows_each));
        group.bench_function("opened", |b| b.iter_with_large_drop(open));
        let known = somebody(&mut chance, 20);
        group.bench_function("first look", |b| {
            b.iter_batched_ref(open, |segment| visible(&plane, segment, &known), BatchSize::PerIteration);
        });
        group.finish();
    }
}

/// A plane opened from columns in memory, and what somebody in 20 groups then waits for.
fn reopened(c: &mut Criterion) {
    let mut chance = Chance(42);
    let plane = plane(&acls(&mut chance));
    let columns: SharedBytes = Arc::new(plane.to_columns().unwrap());
    println!("{} bytes of columns", (*columns).as_ref().len());
    let open = || AccessPlane::from_columns(plane.epoch(), Arc::clone(&columns)).unwrap();
    let known = somebody(&mut chance, 20);
    let fresh = SegmentAccess::new(column(1));
    assert_eq!(visible(&open(), &fresh, &known).list(), visible(&plane, &SegmentAccess::new(column(1)), &known).list());
    let mut group = c.benchmark_group("columns");
    group.sample_size(10);
    group.bench_function("written", |b| b.iter(|| plane.to_columns().unwrap()));
    group.bench_function("opened", |b| b.iter_with_large_drop(open));
    group.bench_function("opened, first look", |b| {
        let setup = || (open(), SegmentAccess::new(column(1)));
        b.iter_batched_ref(setup, |(plane, segment)| visible(plane, segment, &known), BatchSize::PerIteration);
    });
    group.bench_function("found by name", |b| {
        let (plane, tenant) = (open(), Tenant::default());
        b.iter(|| plane.number(&tenant, &format!("document-{}", chance.below(u64::from(DOCUMENTS)))));
    });
    group.finish();
}

criterion_group!(all, benches, reopened);
criterion_main!(all);
