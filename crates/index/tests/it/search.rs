//! What a search promises is what it gives: exact answers are exact, recall is kept, nothing forbidden comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use safepassage_access::{AccessEvent, Acl, Binding, DocumentNumber, Labels, Principal, Tenant, Version};
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{GraphSettings, Index, Metric, NewChunk, NewDocument, Plan, Precision, Settings};

use crate::world::*;

const N: usize = 6000;
const TOPICS: usize = 24;

struct Corpus {
    index: Index,
    rows: Vec<Vec<f32>>,
    questions: Vec<Vec<f32>>,
    metric: Metric,
    /// How far off a kept score may be, as a part of it.
    rounding: f64,
}

/// Rows around centres; row i is of topic i % TOPICS and may be read by everyone in its topic's group, by every group
/// of a list of shares (`half`, `tenth`) that it is drawn into, and by `all`.
fn corpus(metric: Metric, precision: Precision, from_rows: u32) -> Corpus {
    let mut numbers = Numbers(77);
    let centres: Vec<Vec<f32>> = (0..TOPICS).map(|_| numbers.vector(DIM)).collect();
    let mut around = |topic: usize| -> Vec<f32> {
        let length = 0.5 + (numbers.next() % 100) as f32 / 100.0;
        let row: Vec<f32> = numbers.vector(DIM).iter().zip(&centres[topic]).map(|(x, c)| 0.6 * x + c).collect();
        if metric == Metric::Cosine { row } else { row.iter().map(|x| x * length).collect() }
    };
    let rows: Vec<Vec<f32>> = (0..N).map(|i| around(i % TOPICS)).collect();
    // Not rows, and not between rows: other draws around the same centres.
    let questions: Vec<Vec<f32>> = (0..60).map(|i| around(i % TOPICS)).collect();
    let settings = Settings { metric, precision, ..Settings::vectors(DIM) };
    let index = Index::create(Arc::new(MemoryStorage::default()), settings, &Labels::default(), clock())
        .unwrap()
        .with_graph_settings(GraphSettings { from_rows, ..GraphSettings::default() });
    let mut numbers = Numbers(5);
    let drawn: Vec<u64> = (0..N).map(|_| numbers.next() % 1000).collect();
    let acl = |i: usize| {
        let mut groups = vec![format!("topic-{}", i % TOPICS), "all".into()];
        groups.extend(
            [("half", 500), ("tenth", 100)].iter().filter(|(_, below)| drawn[i] < *below).map(|(g, _)| (*g).into()),
        );
        Acl::new(groups.into_iter().map(|group: String| Principal::group(&group)), [])
    };
    let id = |i: usize| format!("d{i:05}");
    let mut events = Vec::new();
    for i in 0..N {
        let number = DocumentNumber(i as u32);
        events.push(AccessEvent::Numbered { tenant: Tenant::default(), id: id(i).into(), number });
        let binding = Binding::by_source(Version(1), acl(i), Labels::default().default_rank());
        events.push(AccessEvent::Bound { number, binding });
    }
    index.commit_access(&mut |_| Ok(events.clone())).unwrap();
    let mut writer = index.writer().unwrap();
    for (i, row) in rows.iter().enumerate() {
        let chunk = NewChunk {
            ordinal: 0,
            text: id(i),
            span: (0, 1),
            heading: String::new(),
            hash: i as u128,
            section: 0,
            page: None,
            parent: None,
        };
        let document = NewDocument {
            number: DocumentNumber(i as u32),
            version: Version(1),
            id: id(i),
            source: "test".into(),
            title: None,
            uri: None,
            metadata: None,
            chunks: vec![chunk],
            vectors: row.clone().into(),
        };
        writer.upsert(&Tenant::default(), document).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);
    let rounding = if precision == Precision::F32 { 1e-5 } else { 4e-3 };
    Corpus { index, rows, questions, metric, rounding }
}

fn unit(v: &[f32]) -> Vec<f64> {
    let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    v.iter().map(|x| f64::from(*x) / norm).collect()
}

impl Corpus {
    fn score(&self, row: usize, question: &[f32]) -> f64 {
        let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let row = &self.rows[row];
        let dot = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>();
        match self.metric {
            Metric::Cosine => dot(unit(row), unit(question)),
            Metric::InnerProduct => dot(wide(row), wide(question)),
            Metric::L2 => -row.iter().zip(question).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>(),
        }
    }

    /// The best 10 of the rows that `sees` says yes to, by a plain loop; and the score of the last of them.
    fn truth(&self, sees: impl Fn(usize) -> bool, question: &[f32]) -> (BTreeSet<String>, f64) {
        let mut all: Vec<(f64, usize)> = (0..N).filter(|&i| sees(i)).map(|i| (self.score(i, question), i)).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.truncate(10);
        (all.iter().map(|(_, i)| format!("d{i:05}")).collect(), all.last().map_or(f64::MIN, |(score, _)| *score))
    }

    /// Mean recall over the questions, the plans taken and how many answers were exact; asserts that nothing forbidden
    /// comes back, that k are found, and that answers said to be exact are.
    fn ask(&self, groups: &[String], sees: impl Fn(usize) -> bool, recall: f32) -> (f64, BTreeSet<Plan>, usize) {
        let who = safepassage_access::Identity::asserted("eve")
            .groups(groups.iter().map(String::as_str))
            .issue(&clock())
            .unwrap();
        let (snapshot, visible) = self.index.visible(&who).unwrap();
        assert_eq!(visible.len(), (0..N).filter(|&i| sees(i)).count() as u64);
        let (mut found, mut plans, mut exact) = (0, BTreeSet::new(), 0);
        for question in &self.questions {
            let answer = snapshot.search(&visible, question, 10, recall).unwrap();
            let passages = snapshot.passages(&answer.hits).unwrap();
            assert!(passages.iter().all(|p| sees(p.document[1..].parse().unwrap())), "something forbidden");
            assert!(answer.complete && answer.hits.len() == 10);
            let (best, least) = self.truth(&sees, question);
            let good = passages.iter().filter(|p| best.contains(&p.document)).count();
            if answer.exact {
                exact += 1;
                // Rounding may swap rows that are as good as equal.
                let off = self.rounding * (1.0 + least.abs());
                let mut scores = passages.iter().map(|p| self.score(p.document[1..].parse().unwrap(), question));
                assert!(scores.all(|score| score >= least - off), "said to be exact: {good} of 10");
            }
            found += good;
            plans.insert(answer.plan);
        }
        (found as f64 / (self.questions.len() * 10) as f64, plans, exact)
    }
}

#[test]
fn exact_answers_are_exact_by_every_metric_and_precision() {
    for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
        for precision in [Precision::F32, Precision::F16] {
            let corpus = corpus(metric, precision, u32::MAX);
            for (group, below) in [("all", 1001), ("half", 500), ("tenth", 100)] {
                let mut numbers = Numbers(5);
                let drawn: Vec<u64> = (0..N).map(|_| numbers.next() % 1000).collect();
                let sees = |i: usize| drawn[i] < below;
                let (recall, plans, exact) = corpus.ask(&[group.into()], sees, 0.9);
                assert_eq!((plans, exact), (BTreeSet::from([Plan::Scan]), 60));
                let least = if precision == Precision::F32 { 1.0 } else { 0.98 };
                assert!(recall >= least, "{metric:?} {precision:?} {group}: {recall}");
            }
        }
    }
}

#[test]
fn the_recall_asked_for_is_kept_on_questions_it_was_not_measured_on() {
    let corpus = corpus(Metric::Cosine, Precision::F32, 1000);
    let mut numbers = Numbers(5);
    let drawn: Vec<u64> = (0..N).map(|_| numbers.next() % 1000).collect();
    let mut walked = BTreeSet::new();
    for recall in [0.8, 0.95, 0.99] {
        let mut held = |who: &str, groups: &[String], sees: &dyn Fn(usize) -> bool| {
            let (got, plans, _) = corpus.ask(groups, sees, recall);
            assert!(got >= f64::from(recall) - 0.01, "{who} at {recall}: {got} by {plans:?}");
            walked.extend(plans);
        };
        held("all", &["all".into()], &|_| true);
        held("half", &["half".into()], &|i| drawn[i] < 500);
        held("tenth", &["tenth".into()], &|i| drawn[i] < 100);
        // Whole topics: for half of the questions their own is not among them.
        let topics: Vec<String> = (0..TOPICS / 2).map(|topic| format!("topic-{topic}")).collect();
        held("half of the topics", &topics, &|i| i % TOPICS < TOPICS / 2);
    }
    assert!(walked.contains(&Plan::Graph), "{walked:?}");
}

#[test]
fn nothing_and_little_is_visible() {
    let corpus = corpus(Metric::Cosine, Precision::F32, 1000);
    let who = safepassage_access::Identity::asserted("nobody").issue(&clock()).unwrap();
    let (snapshot, visible) = corpus.index.visible(&who).unwrap();
    let answer = snapshot.search(&visible, &corpus.questions[0], 10, 0.95).unwrap();
    assert_eq!((answer.hits.len(), answer.plan, answer.exact, answer.complete), (0, Plan::Empty, true, true));
    let (recall, plans, exact) = corpus.ask(&["topic-3".into()], |i| i % TOPICS == 3, 0.9);
    assert_eq!(plans, BTreeSet::from([Plan::Scan]));
    assert!(recall > 0.999 && exact == 60);
}

#[test]
fn f16_refuses_what_it_cannot_keep_and_rounds_no_answer_away() {
    let settings = Settings { metric: Metric::L2, precision: Precision::F16, ..Settings::vectors(64) };
    let storage = Arc::new(MemoryStorage::default());
    let index = Index::create(storage, settings, &Labels::default(), clock()).unwrap();
    let mut writer = index.writer().unwrap();
    let everyone = Acl::new([Principal::Everyone], []);
    let document = |id: &str, vector: Vec<f32>| {
        let document = bound(&index, id, 1, &everyone, 1, &mut Numbers(3)).unwrap();
        NewDocument { vectors: vector.into(), ..document }
    };
    let mut large = vec![0.0; 64];
    large[0] = 1e5;
    let refused = writer.upsert(&Tenant::default(), document("large", large)).unwrap_err();
    assert_eq!(refused.kind(), safepassage_error::Kind::Invalid);

    // As f16 the one row is nearer to 0 than all others; as it came it is farther.
    writer.upsert(&Tenant::default(), document("nearest", vec![1.00048; 64])).unwrap();
    for i in 0..200 {
        let mut other = vec![1.0; 64];
        other[0] = 1.000_976_6;
        writer.upsert(&Tenant::default(), document(&format!("other-{i}"), other)).unwrap();
    }
    writer.commit().unwrap();
    let (snapshot, visible) = index.visible(&user("eve")).unwrap();
    let answer = snapshot.search(&visible, &[0.0; 64], 1, 0.9).unwrap();
    assert!(answer.exact);
    assert_eq!(snapshot.passages(&answer.hits).unwrap()[0].document, "nearest");
    index.verify().unwrap();
}
