//! What an authorizer refuses shows in nothing: not in what words are worth, not in how scores are scaled, not in the order.

use safepassage::{Fusion, Mode};

use super::*;

const SAID: [&str; 8] = ["salary", "rises", "july", "garden", "roses", "committee", "minutes", "budget"];

/// The id, text and vector of a document.
type Written = (String, String, Vec<f32>);

fn written(numbers: &mut Numbers, name: &str, count: usize) -> Vec<Written> {
    let mut one = |n| {
        let words: Vec<&str> = (0..2 + numbers.below(12)).map(|_| numbers.pick(&SAID)).collect();
        (format!("{name}{n}"), words.join(" "), numbers.vector(DIM))
    };
    (0..count).map(&mut one).collect()
}

/// An index of documents that eve may read by their ACLs, and the same with what only bob may.
fn engine(permitted: &[Written], refused: &[Written], hidden: &[Written]) -> Engine {
    let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
    let engine = Engine::create_in(Arc::new(MemoryStorage::default()), create, Clock::fixed(Timestamp(1))).unwrap();
    let eve = permitted.iter().chain(refused).map(|written| (written, "eve"));
    for part in 0..2 {
        let documents = eve.clone().chain(hidden.iter().map(|written| (written, "bob"))).skip(part).step_by(2);
        let document = |((id, text, vector), reader): (&Written, _)| BatchDocument {
            id: id.clone(),
            text: Some(text.clone()),
            vector: Some(vector.clone().into()),
            acl: Some(Acl::new([Principal::user(reader)], [])),
            ..BatchDocument::default()
        };
        engine.add(documents.map(document).collect()).unwrap();
        engine.commit().unwrap();
    }
    engine
}

/// Everything that a search tells: the hits, their score bits, and what it says of itself.
fn told(
    session: &Session,
    (text, vector): (&str, &[f32]),
    (mode, fusion): (Mode, Fusion),
    k: usize,
) -> (Vec<(String, u32)>, bool, bool) {
    let search = session.search(text).vector(vector).mode(mode).fusion(fusion).k(k).recall(1.0);
    let found = search.run().unwrap();
    let hits = found.hits.iter().map(|hit| (hit.document.clone(), hit.score.to_bits())).collect();
    (hits, found.complete, found.exact)
}

#[test]
fn worlds_that_differ_in_refused_documents_give_the_same() {
    let ways = [
        (Mode::Lexical, Fusion::default()),
        (Mode::Hybrid, Fusion::default()),
        (Mode::Hybrid, Fusion::Scores { words: 0.9 }),
        (Mode::Hybrid, Fusion::Ranks { k: 60.0 }),
        (Mode::Vector, Fusion::default()),
    ];
    let mut full = 0;
    for seed in 0..25 {
        let mut numbers = Numbers(seed);
        let permitted_count = 1 + numbers.below(90);
        let documents = written(&mut numbers, "p", permitted_count);
        let permitted: BTreeSet<String> = documents.iter().map(|(id, ..)| id.clone()).collect();
        let worlds: Vec<Engine> = (0..3)
            .map(|other| {
                // The first world has nothing else.
                let count = if other == 0 { 0 } else { 1 + numbers.below(200) };
                let (refused, hidden) = (written(&mut numbers, "r", count), written(&mut numbers, "h", count / 2));
                engine(&documents, &refused, &hidden)
            })
            .collect();
        let questions = written(&mut numbers, "q", 4);
        for (lists, max_batch) in [(None, 1 + numbers.below(30)), (Some(true), 1)] {
            let judge = Arc::new(Judge { permitted: permitted.clone(), lists, max_batch, ..Judge::default() });
            let sessions: Vec<Session> = worlds
                .iter()
                .map(|engine| {
                    let eve = Identity::asserted("eve").issue(engine.clock()).unwrap();
                    engine.session(eve).unwrap().with_authorizer(Arc::<Judge>::clone(&judge))
                })
                .collect();
            for ((_, text, vector), way) in questions.iter().flat_map(|q| ways.map(|way| (q, way))) {
                let k = numbers.pick(&[1, 3, 10, 60]);
                let [first, others @ ..] = &sessions[..] else { unreachable!() };
                let alone = told(first, (text, vector), way, k);
                assert!(alone.0.iter().all(|(id, _)| id.starts_with('p')), "seed {seed}");
                assert_eq!((alone.1, alone.2), (true, true), "seed {seed}");
                full += usize::from(alone.0.len() == k);
                for other in others {
                    assert_eq!(alone, told(other, (text, vector), way, k), "seed {seed}, {lists:?}, {way:?}, k {k}");
                }
            }
        }
    }
    assert!(full > 300, "only {full} answers had more to choose from");
}

#[test]
fn an_answer_that_a_limit_cut_off_never_says_that_it_is_whole() {
    let mut cut = 0;
    for seed in 0..30 {
        let mut numbers = Numbers(seed);
        let (documents, refused) = (written(&mut numbers, "p", 12), written(&mut numbers, "r", 60));
        let engine = engine(&documents, &refused, &[]);
        let permitted: BTreeSet<String> = documents.iter().map(|(id, ..)| id.clone()).collect();
        let judge = Arc::new(Judge { permitted, max_batch: 5, ..Judge::default() });
        let session = |max_documents| {
            let eve = Identity::asserted("eve").issue(engine.clock()).unwrap();
            let limits = AuthorizerLimits { max_documents, ..AuthorizerLimits::default() };
            engine.session(eve).unwrap().with_authorizer_within(Arc::<Judge>::clone(&judge), limits)
        };
        let (_, text, vector) = &written(&mut numbers, "q", 1)[0];
        for mode in [Mode::Lexical, Mode::Hybrid, Mode::Vector] {
            let ask = |max_documents, distinct: bool| {
                let session = session(max_documents);
                let search = session.search(text).vector(vector).mode(mode).k(12).recall(1.0);
                let found = if distinct { search.distinct().run() } else { search.run() }.unwrap();
                (found.hits.len(), found.complete)
            };
            let asked = numbers.below(40);
            for distinct in [false, true] {
                let (all, whole) = ask(2000, distinct);
                assert!(whole, "seed {seed}, {mode:?}");
                let (some, whole) = ask(asked, distinct);
                assert!(some <= all && (!whole || some == all), "seed {seed}, {mode:?}, {some} of {all}");
                cut += usize::from(some < all);
            }
        }
    }
    assert!(cut > 60, "only {cut} answers were cut off");
}
