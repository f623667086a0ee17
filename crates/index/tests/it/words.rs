//! Search by words: what plain loops over the visible passages say, whatever else there is.

use safepassage_access::{Acl, Identity, Principal, Tenant};
use safepassage_index::storage::MemoryStorage;
use safepassage_index::{Fusion, Index, Language, NewDocument, Plan, Words};

use crate::world::*;

const WORDS: [&str; 9] = ["apple", "apples", "bank", "care", "duty", "the", "engine", "fjord", "bankrupt"];

/// A passage as the judge knows it: by field the terms.
struct Said {
    document: String,
    fields: [Vec<String>; 4],
}

/// `text` as terms: these words alone are stemmed or left out.
fn terms(text: &str) -> Vec<String> {
    let terms = text.split_whitespace().filter(|word| *word != "the").map(|word| match word {
        "apples" => "appl",
        "apple" => "appl",
        "engine" => "engin",
        "duty" => "duti",
        other => other,
    });
    terms.map(str::to_owned).collect()
}

fn text(numbers: &mut Numbers, most: u64) -> String {
    let words: Vec<&str> =
        (0..numbers.next() % (most + 1)).map(|_| WORDS[numbers.next() as usize % WORDS.len()]).collect();
    words.join(" ")
}

/// A document with words of its own.
fn worded(index: &Index, id: &str, acl: &Acl, numbers: &mut Numbers) -> (NewDocument, Vec<Said>) {
    let chunks = 1 + numbers.next() as usize % 3;
    let mut document = bound(index, id, numbers.next().into(), acl, chunks, numbers).unwrap();
    let title = text(numbers, 3);
    let metadata = text(numbers, 2);
    document.title = Some(title.clone());
    document.metadata = Some(serde_json::json!({"a": metadata}).to_string());
    for chunk in &mut document.chunks {
        (chunk.text, chunk.heading) = (text(numbers, 12), text(numbers, 2));
    }
    let said = document.chunks.iter().map(|chunk| Said {
        document: id.into(),
        fields: [&title, &chunk.heading, &chunk.text, &metadata].map(|text| terms(text)),
    });
    let said = said.collect();
    (document, said)
}

/// BM25F by plain loops: documents and scores of the passages with any of `asked`, best first.
fn judged(passages: &[&Said], asked: &[&str]) -> Vec<(String, f64)> {
    let rows = passages.len() as f64;
    let average = |f: usize| passages.iter().map(|p| p.fields[f].len() as f64).sum::<f64>() / rows.max(1.0);
    let averages: [f64; 4] = std::array::from_fn(average);
    let has = |p: &Said, term: &str| p.fields.iter().any(|field| field.iter().any(|own| own == term));
    let mut found = Vec::new();
    for passage in passages {
        let mut score = 0.0;
        for term in asked {
            let with = passages.iter().filter(|p| has(p, term)).count() as f64;
            let mut weight = 0.0;
            for (f, by) in [2.0, 1.0, 1.0, 0.3].into_iter().enumerate() {
                let field = &passage.fields[f];
                let times = field.iter().filter(|own| own == term).count() as f64;
                let length = if averages[f] > 0.0 { field.len() as f64 / averages[f] } else { 1.0 };
                weight += by * times / (0.25 + 0.75 * length);
            }
            score += ((rows - with + 0.5) / (with + 0.5)).ln_1p() * weight * 2.2 / (weight + 1.2);
        }
        if score > 0.0 {
            found.push((passage.document.clone(), score));
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found
}

fn by_words(index: &Index, who: &Identity, question: &str, k: usize) -> Vec<(String, f32)> {
    let (snapshot, visible) = index.visible(who).unwrap();
    let words = Words::read(question, Language::English).unwrap();
    let answer = snapshot.search_words(&visible, &words, k).unwrap();
    assert!(answer.exact && answer.complete && answer.plan != Plan::Scan);
    answer.hits.iter().map(|hit| (snapshot.document_of(hit).to_owned(), hit.score)).collect()
}

fn both(index: &Index, who: &Identity, question: &str, vector: &[f32], fusion: Fusion) -> Vec<(String, u32)> {
    let (snapshot, visible) = index.visible(who).unwrap();
    let words = Words::read(question, Language::English).unwrap();
    let answer = snapshot.search_both(&visible, &words, vector, 8, 1.0, fusion).unwrap();
    assert!(answer.exact && answer.complete);
    answer.hits.iter().map(|hit| (snapshot.document_of(hit).to_owned(), hit.score.to_bits())).collect()
}

/// An index of documents for alice, with documents for others among them, and what alice's passages say.
fn world(seed: u64, hidden: u64, rounds: u64) -> (Index, Vec<Said>) {
    let index = create(MemoryStorage::default()).unwrap();
    let (mut shown, mut others) = (Numbers(seed * 2 + 1), Numbers(seed * 31 + hidden * 2 + 1));
    let mut writer = index.writer().unwrap();
    let mut all = Vec::new();
    for round in 0..rounds {
        for n in 0..12 {
            let (document, said) = worded(&index, &format!("a{round}-{n}"), &allow("alice"), &mut shown);
            writer.upsert(&Tenant::default(), document).unwrap();
            all.extend(said);
        }
        for n in 0..hidden {
            let acl = match n % 2 {
                0 => allow("bob"),
                _ => Acl::new([Principal::Everyone], [Principal::user("alice")]),
            };
            let (document, _) =
                worded(&index, &format!("{}{round}-{n}", ["A", "z"][n as usize % 2]), &acl, &mut others);
            writer.upsert(&Tenant::default(), document).unwrap();
        }
        if round == 1 {
            writer.delete(&Tenant::default(), "a0-3");
            all.retain(|said| said.document != "a0-3");
        }
        writer.commit().unwrap();
    }
    (index, all)
}

#[test]
fn scores_are_what_plain_loops_over_visible_passages_say() {
    for seed in 1..12 {
        let (index, said) = world(seed, 9, 3);
        let passages: Vec<&Said> = said.iter().collect();
        for (question, asked) in [
            ("apple", &["appl"][..]),
            ("The duty of care", &["duti", "care"]),
            ("bank engines fjord xylophone", &["bank", "engin", "fjord"]),
        ] {
            let right = judged(&passages, asked);
            let found = by_words(&index, &user("alice"), question, 500);
            assert_eq!(found.len(), right.len(), "seed {seed} {question}");
            for ((_, score), (_, wanted)) in found.iter().zip(&right) {
                assert!((f64::from(*score) - wanted).abs() < 1e-4, "seed {seed} {question}: {score} {wanted}");
            }
            assert_eq!(by_words(&index, &user("alice"), question, 4), found[..4.min(found.len())]);
        }
        assert!(by_words(&index, &user("carol"), "apple duty", 9).iter().all(|(id, _)| !id.starts_with('a')));
    }
}

#[test]
fn what_is_forbidden_changes_no_bit_by_words_and_by_both() {
    let alice = user("alice");
    for seed in 1..15 {
        let [(one, _), (other, _)] = [world(seed, 0, 3), world(seed, 14, 3)];
        let vector = Numbers(seed + 77).vector(DIM);
        for question in ["apple bank", "care* duty", "\"duty care\" apple", "title:bank engine", "b*"] {
            let [a, b] = [&one, &other].map(|index| by_words(index, &alice, question, 7));
            assert_eq!(a, b, "seed {seed} {question}");
            for fusion in [Fusion::default(), Fusion::Ranks { k: 60.0 }] {
                let [a, b] = [&one, &other].map(|index| both(index, &alice, question, &vector, fusion));
                assert_eq!(a, b, "seed {seed} {question} {fusion}");
            }
        }
        let before = by_words(&other, &alice, "apple bank", 50);
        other.merge().unwrap();
        assert_eq!(by_words(&other, &alice, "apple bank", 50), before, "seed {seed}, merged");
    }
}

#[test]
fn what_is_marked_must_be_there() {
    for seed in 1..6 {
        let (index, said) = world(seed, 5, 2);
        let alice = user("alice");
        let count = |question: &str| by_words(&index, &alice, question, 500).len();
        let which = |wanted: &dyn Fn(&Said) -> bool| said.iter().filter(|said| wanted(said)).count();
        let next_to = |field: &[String], a: &str, b: &str| field.windows(2).any(|pair| pair[0] == a && pair[1] == b);
        // Stop words hold their place: `bank the care` is not `bank care`.
        let phrase = which(&|said| said.fields.iter().any(|field| next_to(field, "bank", "care")));
        assert!(count("\"bank care\"") <= phrase && count("\"bank care\" apple") == count("\"bank care\""));
        let titled = which(&|said| said.fields[0].iter().any(|term| term == "bank"));
        assert_eq!(count("title:bank apple"), titled, "seed {seed}");
        let begun = which(&|said| said.fields.iter().flatten().any(|term| term.starts_with("bank")));
        assert_eq!(count("bank*"), begun, "seed {seed}");
        let both = which(&|said| {
            said.fields[0].iter().any(|term| term == "bank") && said.fields.iter().flatten().any(|term| term == "care")
        });
        assert_eq!(count("title:bank \"care\" fjord"), both, "seed {seed}");
        assert_eq!((count("xylophone"), count("the"), count("metadata:xylophone apple")), (0, 0, 0));
    }
}

#[test]
fn fused_by_words_alone_or_nearness_alone_is_the_one_way() {
    let (index, _) = world(3, 5, 2);
    let (alice, vector) = (user("alice"), Numbers(5).vector(DIM));
    let near: Vec<String> = ids(&index, &alice, &vector, 8).unwrap();
    let fused = |words| both(&index, &alice, "apple care", &vector, Fusion::Scores { words });
    assert_eq!(fused(0.0).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), near);
    let said: Vec<String> = by_words(&index, &alice, "apple care", 8).into_iter().map(|(id, _)| id).collect();
    assert_eq!(fused(1.0).into_iter().map(|(id, _)| id).collect::<Vec<_>>(), said);
    // A question without a word is answered by nearness.
    let (snapshot, visible) = index.visible(&alice).unwrap();
    let none = Words::read("the", Language::English).unwrap();
    let answer = snapshot.search_both(&visible, &none, &vector, 8, 1.0, Fusion::default()).unwrap();
    assert_eq!(answer, snapshot.search(&visible, &vector, 8, 1.0).unwrap());
}

#[test]
fn documents_without_words_have_no_index_of_them() {
    let storage = MemoryStorage::default();
    let index = create(storage.clone()).unwrap();
    let mut document = bound(&index, "a", 1, &allow("alice"), 2, &mut Numbers(1)).unwrap();
    (document.title, document.metadata) = (None, Some("{}".into()));
    document.chunks.iter_mut().for_each(|chunk| chunk.text.clear());
    let mut writer = index.writer().unwrap();
    writer.upsert(&Tenant::default(), document).unwrap();
    writer.commit().unwrap();
    assert!(!storage.contents().iter().any(|(path, _)| path.ends_with("lexical.bin")));
    assert!(by_words(&index, &user("alice"), "passage", 9).is_empty());
    index.verify().unwrap();
}
