//! The judge and the index, over random permissions: what either opens the other opens.

use safepassage::{
    Acl, BatchDocument, Create, EmbedderChoice, Engine, Identity, Inherit, Principal, SharedVectors, Tenant,
};
use safepassage_eval::Chance;

use crate::world::{DIM, vector};

const GROUPS: [&str; 5] = ["a", "b", "c", "d", "e"];
const LABELS: [&str; 3] = ["public", "internal", "restricted"];

fn principal(chance: &mut Chance) -> Principal {
    match chance.below(9) {
        0 => Principal::Public,
        1 => Principal::Everyone,
        n @ 2..4 => Principal::user(["u0", "u1"][n - 2]),
        n => Principal::group(GROUPS[(n - 4) % 5]),
    }
}

fn acl(chance: &mut Chance, objects: usize) -> Acl {
    let mut some = |most: usize| (0..chance.below(most)).map(|_| principal(chance)).collect::<Vec<_>>();
    let mut acl = Acl::new(some(3), some(2));
    if chance.below(3) == 0 {
        acl.all_of.insert([principal(chance), principal(chance)].into());
    }
    if objects > 0 && chance.below(2) == 0 {
        acl.parent = Some(format!("o{}", chance.below(objects)).into());
        acl.inherit = [Inherit::DenyWins, Inherit::ChildOverrides, Inherit::ParentOverrides, Inherit::BothPermit]
            [chance.below(4)];
    }
    acl
}

#[test]
fn what_the_index_opens_is_what_the_plain_rules_open() {
    for seed in 0..4 {
        println!("seed {seed}");
        let mut chance = Chance::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let create = Create { embedder: EmbedderChoice::Vectors(DIM), ..Create::default() };
        let engine = Engine::create(folder.path(), create).unwrap();
        let tenant = Tenant::default();
        for n in 0..12 {
            engine.set_acl_object(&tenant, &format!("o{n}"), acl(&mut chance, n)).unwrap();
        }
        for round in 0..3 {
            let document = |n: usize, chance: &mut Chance| BatchDocument {
                id: format!("d{n}"),
                text: Some(format!("Document {n} of round {}.", chance.below(2))),
                vector: Some(SharedVectors::from(vector(n as u64))),
                acl: Some(acl(chance, 12)),
                label: Some(LABELS[chance.below(3)].into()),
                derived_from: if n > 0 && chance.below(5) == 0 { vec![format!("d{}", n - 1)] } else { Vec::new() },
                ..BatchDocument::default()
            };
            let some: Vec<_> = (0..80).filter(|n| round == 0 || n % 7 == round).collect();
            engine.add(some.into_iter().map(|n| document(n, &mut chance)).collect()).unwrap();
            engine.commit().unwrap();
            for _ in 0..8 {
                let id = format!("d{}", chance.below(80));
                engine.revoke(&tenant, &id, &principal(&mut chance)).unwrap();
            }
            engine.revoke_acl_object(&tenant, &format!("o{}", chance.below(12)), &principal(&mut chance)).unwrap();
            let judge = engine.judge().unwrap();
            let mut open = 0;
            for _ in 0..25 {
                let groups: Vec<&str> = GROUPS.into_iter().filter(|_| chance.coin()).collect();
                let asserted = Identity::asserted(["u0", "u1", "u2"][chance.below(3)]).groups(groups);
                let asserted = asserted.groups_complete(chance.below(4) > 0).clearance(LABELS[chance.below(3)]);
                let identity = asserted.issue(engine.clock()).unwrap();
                let readable = judge.readable(&identity);
                let visible = engine.session(identity.clone()).unwrap().visible().unwrap().documents;
                assert_eq!(readable.documents().collect::<Vec<_>>(), visible, "{identity:?}");
                open += visible.len();
            }
            assert!(open > 50, "too little was open to say anything");
        }
    }
}
