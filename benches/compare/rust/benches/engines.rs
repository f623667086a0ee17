//! How long does one question take, in Rust, and what is the answer worth?
//!
//! Each line of the output names the engine, its accuracy parameter and the recall@10 it had over all questions; the
//! permissions are everything, a random tenth and a random hundredth. `ROWS` (20,000 unless set) is how many rows.

use std::env;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hnsw_rs::prelude::{DistDot, Hnsw};
use instant_distance::{Builder, HnswMap, Point, Search};
use safepassage::{Acl, BatchDocument, Create, EmbedderChoice, Engine as Safepassage, Identity, Principal, Session};
use safepassage_compare::{DIM, K, Permission, Workload, dot};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

const QUESTIONS: usize = 200;
const M: usize = 16;
const EF_CONSTRUCTION: usize = 200;
const EFS: [f32; 4] = [16.0, 32.0, 64.0, 128.0];

trait Engine {
    fn name(&self) -> &'static str;

    /// Values of the parameter that trades speed for recall, and what it is called.
    fn parameters(&self) -> (&'static str, Vec<f32>);

    /// The best rows that the permission lets through; `None` if the engine takes none.
    fn search(&self, question: &[f32], permission: &Permission, parameter: f32) -> Option<Vec<usize>>;
}

struct Ours {
    sessions: Vec<(&'static str, Session)>,
    _folder: tempfile::TempDir,
}

impl Ours {
    fn new(workload: &Workload, permissions: &[Permission]) -> safepassage::Result<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
        let engine = Safepassage::create(folder.path().join("index"), create)?;
        let document = |(row, vector): (usize, &Vec<f32>)| BatchDocument {
            id: row.to_string(),
            vector: Some(vector.clone().into()),
            acl: Some(Acl::new(permissions.iter().filter(|p| p.may[row]).map(|p| Principal::group(p.name)), [])),
            ..BatchDocument::default()
        };
        engine.add(workload.rows.iter().enumerate().map(document).collect())?;
        engine.commit()?;
        let session = |p: &Permission| -> safepassage::Result<_> {
            let identity = Identity::asserted(p.name).groups([p.name]).ttl_seconds(86_400).issue(engine.clock())?;
            Ok((p.name, engine.session(identity)?))
        };
        let sessions = permissions.iter().map(session).collect::<safepassage::Result<_>>()?;
        Ok(Self { sessions, _folder: folder })
    }
}

impl Engine for Ours {
    fn name(&self) -> &'static str {
        "safepassage"
    }

    fn parameters(&self) -> (&'static str, Vec<f32>) {
        ("recall", vec![0.9, 0.95, 0.99, 1.0])
    }

    fn search(&self, question: &[f32], permission: &Permission, parameter: f32) -> Option<Vec<usize>> {
        let (_, session) = self.sessions.iter().find(|(name, _)| *name == permission.name)?;
        let hits = session.search_vector(question, K, Some(parameter)).expect("a search");
        Some(hits.ids().map(|id| id.parse().expect("a row's number")).collect())
    }
}

struct HnswRs(Hnsw<'static, f32, DistDot>);

impl HnswRs {
    fn new(workload: &Workload) -> Self {
        let mut graph = Hnsw::new(M, workload.rows.len(), 16, EF_CONSTRUCTION, DistDot {});
        let rows: Vec<(&Vec<f32>, usize)> = workload.rows.iter().zip(0..).collect();
        graph.parallel_insert(&rows);
        graph.set_searching_mode(true);
        Self(graph)
    }
}

impl Engine for HnswRs {
    fn name(&self) -> &'static str {
        "hnsw_rs"
    }

    fn parameters(&self) -> (&'static str, Vec<f32>) {
        ("ef", EFS.to_vec())
    }

    fn search(&self, question: &[f32], permission: &Permission, parameter: f32) -> Option<Vec<usize>> {
        let allowed = |row: &usize| permission.may[*row];
        let found = self.0.search_filter(question, K, parameter as usize, Some(&allowed));
        Some(found.into_iter().map(|neighbour| neighbour.d_id).collect())
    }
}

struct Usearch(Index);

impl Usearch {
    fn new(workload: &Workload) -> Self {
        let options = IndexOptions {
            dimensions: DIM,
            metric: MetricKind::IP,
            quantization: ScalarKind::F32,
            connectivity: M,
            expansion_add: EF_CONSTRUCTION,
            ..IndexOptions::default()
        };
        let index = Index::new(&options).expect("usearch takes the options");
        index.reserve(workload.rows.len()).expect("room");
        for (key, row) in workload.rows.iter().enumerate() {
            index.add(key as u64, row).expect("a row");
        }
        Self(index)
    }
}

impl Engine for Usearch {
    fn name(&self) -> &'static str {
        "usearch"
    }

    fn parameters(&self) -> (&'static str, Vec<f32>) {
        ("ef", EFS.to_vec())
    }

    fn search(&self, question: &[f32], permission: &Permission, parameter: f32) -> Option<Vec<usize>> {
        self.0.change_expansion_search(parameter as usize);
        let found = self.0.filtered_search(question, K, |key| permission.may[key as usize]).expect("a search");
        Some(found.keys.into_iter().map(|key| key as usize).collect())
    }
}

#[derive(Clone)]
struct Row(Vec<f32>);

impl Point for Row {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - dot(&self.0, &other.0)
    }
}

/// Its ef is part of the graph, and it takes no permission.
struct InstantDistance(HnswMap<Row, usize>);

impl InstantDistance {
    const EF: usize = 64;

    fn new(workload: &Workload) -> Self {
        let builder = Builder::default().ef_construction(EF_CONSTRUCTION).ef_search(Self::EF).seed(1);
        let rows = workload.rows.iter().cloned().map(Row).collect();
        Self(builder.build(rows, (0..workload.rows.len()).collect()))
    }
}

impl Engine for InstantDistance {
    fn name(&self) -> &'static str {
        "instant-distance"
    }

    fn parameters(&self) -> (&'static str, Vec<f32>) {
        ("ef", vec![Self::EF as f32])
    }

    fn search(&self, question: &[f32], permission: &Permission, _: f32) -> Option<Vec<usize>> {
        if permission.may.contains(&false) {
            return None;
        }
        let mut search = Search::default();
        let found = self.0.search(&Row(question.to_vec()), &mut search);
        Some(found.take(K).map(|one| *one.value).collect())
    }
}

/// Recall over all questions, `None` without permissions. Panics if a row was not for the asker.
fn recall(engine: &dyn Engine, workload: &Workload, permission: &Permission, parameter: f32) -> Option<f64> {
    let mut hit = 0;
    for (question, best) in workload.questions.iter().zip(&permission.best) {
        let found = engine.search(question, permission, parameter)?;
        assert!(found.iter().all(|&row| permission.may[row]), "{} leaks", engine.name());
        hit += best.iter().filter(|row| found.contains(row)).count();
    }
    Some(hit as f64 / permission.best.iter().map(Vec::len).sum::<usize>() as f64)
}

fn engines(criterion: &mut Criterion) {
    let rows = env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000);
    let workload = Workload::new(rows, QUESTIONS);
    let permissions = [("everything", 1.0), ("tenth", 0.1), ("hundredth", 0.01)];
    let permissions: Vec<Permission> = permissions.map(|(name, share)| workload.permission(name, share)).into();
    let ours = Ours::new(&workload, &permissions).expect("our index");
    let engines: [&dyn Engine; 4] =
        [&ours, &HnswRs::new(&workload), &Usearch::new(&workload), &InstantDistance::new(&workload)];
    for permission in &permissions {
        let mut group = criterion.benchmark_group(format!("{rows} rows, {}", permission.name));
        for engine in engines {
            let (what, values) = engine.parameters();
            for value in values {
                let Some(recall) = recall(engine, &workload, permission, value) else { continue };
                let id = BenchmarkId::new(engine.name(), format!("{what} {value}, recall {recall:.3}"));
                group.bench_function(id, |bencher| {
                    let mut turn = (0..QUESTIONS).cycle();
                    bencher.iter(|| {
                        let question = &workload.questions[turn.next().unwrap_or_default()];
                        black_box(engine.search(question, permission, value))
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, engines);
criterion_main!(benches);
