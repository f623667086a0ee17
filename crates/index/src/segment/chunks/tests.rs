use safepassage_access::{DocumentNumber, Version};

use super::encode::ROWS_PER_GROUP;
use super::*;
use crate::segment::NewChunk;

fn document(pages: [Option<u32>; 3], parents: [Option<u32>; 3]) -> NewDocument {
    let chunk = |((page, parent), ordinal)| {
        let (text, heading) = (format!("text {ordinal}"), String::new());
        NewChunk { ordinal, text, span: (0, 6), heading, hash: 7, section: 0, page, parent }
    };
    let chunks = pages.into_iter().zip(parents).zip(0..).map(chunk).collect();
    let (number, version, id) = (DocumentNumber(0), Version(1), "d".to_owned());
    let (source, vectors) = ("test".into(), vec![0.0; 3].into());
    NewDocument { number, version, id, source, title: None, uri: None, metadata: None, chunks, vectors }
}

#[test]
fn rows_come_back_from_whichever_row_groups_they_lie_in() {
    let last = (5 * ROWS_PER_GROUP + 7) as u32;
    let chunk = |ordinal| NewChunk {
        text: format!("text {ordinal}"),
        ordinal,
        span: (0, 6),
        heading: String::new(),
        hash: 7,
        section: 0,
        page: None,
        parent: None,
    };
    let chunks =
        Chunks::of(&[&NewDocument { chunks: (0..=last).map(chunk).collect(), ..document([None; 3], [None; 3]) }]);
    let group = ROWS_PER_GROUP as u32;
    let of = |rows: &[u32]| chunks.fetch(rows).map(|found| found.iter().map(|row| row.chunk).collect::<Vec<_>>());
    for rows in [
        vec![last, 0],
        vec![group],
        vec![group - 1],
        vec![3 * group + 5, 3 * group + 5, 3 * group - 1, 1],
        vec![group - 1, group, 2 * group - 1, 4 * group],
        vec![last - 1],
        vec![],
    ] {
        assert_eq!(of(&rows).unwrap(), rows);
    }
    let missing = of(&[1, last + 1]).unwrap_err();
    assert_eq!(missing.kind(), safepassage_error::Kind::Corrupted);
}

#[test]
fn pages_and_parents_come_back_and_a_file_without_them_has_no_column() {
    let columns = |chunks: &Chunks| chunks.metadata().unwrap().schema().fields().len();
    let without = Chunks::of(&[&document([None; 3], [None; 3])]);
    assert_eq!(columns(&without), 10);
    assert!(without.fetch(&[2]).unwrap()[0].page.is_none());
    let with = Chunks::of(&[&document([None; 3], [None; 3]), &document([Some(1), None, Some(u32::MAX)], [None; 3])]);
    assert_eq!(columns(&with), 11);
    let pages: Vec<Option<u32>> = with.fetch(&[0, 3, 4, 5]).unwrap().iter().map(|row| row.page).collect();
    assert_eq!(pages, [None, Some(1), None, Some(u32::MAX)]);
    let parts = [Some(0), Some(0), Some(1)];
    for (pages, all) in [([None; 3], 11), ([None, Some(2), None], 12)] {
        let with = Chunks::of(&[&document(pages, parts)]);
        assert_eq!(columns(&with), all);
        let read = with.fetch(&[0, 1, 2]).unwrap();
        assert_eq!(read.iter().map(|row| row.parent).collect::<Vec<_>>(), parts);
        assert_eq!(read.iter().map(|row| row.page).collect::<Vec<_>>(), pages);
    }
}
