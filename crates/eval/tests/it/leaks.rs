//! Leaks, planted in every way there is: each is seen, named, and lets nothing pass.

use safepassage_eval::{Gate, Passage, Run};

use crate::world::{Spoilt, world};

fn passage(document: &str, section: u16) -> Option<Passage> {
    Some(Passage { document: document.into(), section, score: 2.0 })
}

#[test]
fn a_retriever_that_gives_a_forbidden_document_does_not_pass() {
    let world = world();
    // The chiefs' document goes to everybody: to ann rightly.
    let mut spoilt = Spoilt { adds: passage("d1", 0), ..Spoilt::new(world.retriever()) };
    let evaluation = world.evaluate(&mut spoilt, &Run::default()).unwrap();
    let leaks: Vec<usize> = evaluation.personas().iter().map(|persona| persona.summary.leaks).collect();
    assert_eq!(leaks, [0, 20, 20, 20]);
    let report = world.report(&evaluation);
    assert!(report.leaks.iter().all(|leak| leak.document == "d1" && leak.question.is_some()));
    let verdict = Gate::from_json("{}").unwrap().judge(&report, None);
    assert!(!verdict.passed && verdict.lines[0].text().contains("leaks"), "{verdict:?}");
    let good = world.report(&world.evaluate(&mut world.retriever(), &Run::default()).unwrap());
    assert!(good.leaks.is_empty() && Gate::from_json("{}").unwrap().judge(&good, None).passed);
}

#[test]
fn a_section_that_there_is_not_is_nobodys() {
    let world = world();
    let mut spoilt = Spoilt { adds: passage("d2", 7), ..Spoilt::new(world.retriever()) };
    assert_eq!(world.evaluate(&mut spoilt, &Run::default()).unwrap().all().leaks, 80);
}

#[test]
fn what_a_person_says_must_not_be_seen_is_a_leak_whatever_the_index_permits() {
    let mut world = world();
    world.collection.personas[0].must_not_see = vec!["d1".into()];
    world.collection.questions[2].must_not_see = vec!["d2".into()];
    let evaluation = world.evaluate(&mut world.retriever(), &Run::default()).unwrap();
    let report = world.report(&evaluation);
    let leaked = |persona: &str, question: &str, document: &str| {
        report.leaks.iter().any(|leak| {
            (leak.persona.as_str(), leak.question.as_deref(), leak.document.as_str())
                == (persona, Some(question), document)
        })
    };
    assert!(leaked("ann", "q1", "d1") && leaked("eve", "q2", "d2") && !leaked("bob", "q1", "d1"), "{:?}", report.leaks);
}
