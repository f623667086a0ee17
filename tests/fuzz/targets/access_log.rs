//! What does the plane make of events and of snapshots that nobody would write?
//!
//! The first byte says which: JSON lists of events, one batch a line, which are checked, applied and held against the
//! specification; or the columns of a snapshot with some bytes changed, which must open nothing by a panic.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use safepassage_access::specification::World;
use safepassage_access::{
    AccessEvent, AccessPlane, Column, DocumentNumber, Identity, Labels, SegmentAccess, Tenant, Version,
};
use safepassage_error::Kind;
use safepassage_error::system::{Clock, Timestamp};

const NOW: Timestamp = Timestamp(0);
/// Names, versions and sections that seeds use; so the mutations meet each other.
const MOST_DOCUMENTS: u32 = 12;

static ASKERS: LazyLock<Vec<Identity>> = LazyLock::new(|| {
    let clock = Clock::fixed(NOW);
    let all = [
        Identity::anonymous(),
        Identity::asserted("u0").groups(["g0", "g1"]),
        Identity::asserted("u1").groups(["g1"]).groups_complete(false).clearance("internal"),
        Identity::asserted("u0").issuer("idp").groups(["g0"]).clearance("restricted"),
        Identity::asserted("u2").tenant("other").groups(["g2"]).clearance("restricted"),
    ];
    all.into_iter().map(|who| who.issue(&clock).unwrap()).collect()
});

fn start() -> (AccessPlane, World) {
    let (mut plane, mut world) = (AccessPlane::default(), World::default());
    let created = AccessEvent::Created { labels: Labels::default() };
    plane.apply(1, std::slice::from_ref(&created)).unwrap();
    world.push(created);
    (plane, world)
}

/// Everybody sees of every document, version and section what the specification says.
fn compare(plane: &AccessPlane, world: &World, names: &[(Tenant, String)]) {
    for (number, (tenant, id)) in (0..MOST_DOCUMENTS).zip(names) {
        for version in (0..3).map(Version) {
            let column = Column::new(tenant.clone(), vec![DocumentNumber(number)], vec![version], vec![0, 3]);
            let segment = SegmentAccess::new(column.and_then(|column| column.with_sections(&[0, 1, 2])).unwrap());
            for who in &*ASKERS {
                let Ok(permitted) = plane.permitted(who, NOW) else { continue };
                let rows = segment.visible(plane, &permitted).unwrap().rows();
                for section in 0..3u16 {
                    let right = world.may_read_section(who, tenant, id, version, section, NOW);
                    assert_eq!(rows.contains(section.into()), right, "{id:?} {version:?} section {section}: {who:?}");
                }
            }
        }
    }
}

fn reopened(plane: &AccessPlane) -> AccessPlane {
    let again = AccessPlane::from_columns(plane.epoch(), Arc::new(plane.to_columns().unwrap())).unwrap();
    assert!(plane.says_the_same_as(&again) && again.says_the_same_as(plane));
    again
}

fn events(json: &[u8]) {
    let (mut plane, mut world) = start();
    let mut names = Vec::new();
    for line in json.split(|&byte| byte == b'\n').take(24) {
        let Ok(batch) = serde_json::from_slice::<Vec<AccessEvent>>(line) else { continue };
        let written = serde_json::to_vec(&batch).unwrap();
        assert_eq!(serde_json::from_slice::<Vec<AccessEvent>>(&written).unwrap(), batch, "events are read back");
        match plane.check(&batch) {
            Err(error) => assert_eq!(error.kind(), Kind::Invalid, "{error}"),
            Ok(()) => {
                plane.apply(plane.epoch() + 1, &batch).expect("what was checked can be applied");
                for event in batch {
                    if let AccessEvent::Numbered { tenant, id, .. } = &event {
                        names.push((tenant.clone(), id.to_string()));
                    }
                    world.push(event);
                }
                if plane.epoch() % 3 == 0 {
                    plane = reopened(&plane);
                }
            }
        }
    }
    compare(&plane, &world, &names);
    compare(&reopened(&plane), &world, &names);
    let unchecked: Vec<AccessEvent> =
        json.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).take(24).collect();
    // Nobody checks what comes out of a log that somebody else wrote.
    let (mut plane, _) = start();
    if plane.apply(2, &unchecked).is_ok() {
        ask(&plane);
    }
}

/// Asks everything; the answers may be any.
fn ask(plane: &AccessPlane) {
    for number in (0..plane.next_number().min(MOST_DOCUMENTS)).map(DocumentNumber) {
        let _ = (plane.document(number), plane.label_with_inputs(number, Version(1)), plane.id(number));
        let column = Column::new(Tenant::default(), vec![number], vec![Version(1)], vec![0, 2]).unwrap();
        let segment = SegmentAccess::new(column);
        for who in &*ASKERS {
            let Ok(permitted) = plane.permitted(who, NOW) else { continue };
            let _ = segment.visible(plane, &permitted).map(|visible| visible.rows());
            let _ = plane.explain(who, plane.id(number).unwrap_or_default(), None, NOW);
        }
    }
    let _ = (plane.to_columns(), plane.says_the_same_as(plane), plane.export());
}

/// A plane that knows one of everything.
static COLUMNS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (mut plane, _) = start();
    for line in include_str!("../everything.jsonl").lines() {
        let batch: Vec<AccessEvent> = serde_json::from_str(line).unwrap();
        plane.check(&batch).unwrap();
        plane.apply(plane.epoch() + 1, &batch).unwrap();
    }
    plane.to_columns().unwrap()
});

/// Edits are a place (two bytes), what is done there, and a byte.
fn columns(edits: &[u8]) {
    let mut bytes = COLUMNS.clone();
    for edit in edits.chunks_exact(4).take(16) {
        let at = (usize::from(edit[0]) << 8 | usize::from(edit[1])) % (bytes.len() + 1);
        match edit[2] % 5 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, edit[3]),
            2 if at < bytes.len() => bytes[at] = edit[3],
            3 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(edit[3]),
            _ if at < bytes.len() => bytes[at] ^= 1 << (edit[3] % 8),
            _ => {}
        }
    }
    match AccessPlane::from_columns(7, Arc::new(bytes)) {
        Ok(mut plane) => {
            ask(&plane);
            let number = DocumentNumber(0);
            let principal = safepassage_access::Principal::user("u0");
            let _ = plane.apply(8, &[AccessEvent::Revoked { number, principal }]);
            ask(&plane);
        }
        Err(error) => assert_eq!(error.kind(), Kind::Corrupted, "{error}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'0', json)) => events(json),
        Some((b'1', edits)) => columns(edits),
        Some((b'2', raw)) => {
            if let Ok(plane) = AccessPlane::from_columns(1, Arc::new(raw.to_vec())) {
                ask(&plane);
            }
        }
        _ => {}
    }
});
