//! A store that does not keep its word gives nobody anything.

use super::*;

/// Two files, each with a sidecar that names its readers. Of what is asked for it leaves out the first `lost`.
#[derive(Debug)]
struct Careless {
    lost: usize,
    /// What the sidecars of `b` say besides.
    more: &'static str,
}

impl FileStore for Careless {
    fn url(&self) -> &str {
        "test://place"
    }

    fn list(&self) -> Result<Vec<StoredFile>> {
        let file = |key: &str| {
            let tag = if key == "b.md.metadata.json" { self.more } else { "1" };
            StoredFile { key: key.into(), bytes: 10, tag: Some(tag.into()), modified: None, version: None }
        };
        Ok(["a.md", "a.md.metadata.json", "b.md", "b.md.metadata.json"].map(file).to_vec())
    }

    fn find(&self, key: &str) -> Result<Option<StoredFile>> {
        Ok(self.list()?.into_iter().find(|file| file.key == key))
    }

    fn get(&self, files: &[&StoredFile]) -> Result<Vec<Result<StoredContent>>> {
        let content = |file: &&StoredFile| {
            let reader = &file.key[..1];
            Ok(match file.key.ends_with(".json") {
                true => format!(
                    "{{{}\"metadataAttributes\": {{}}, \"accessControlList\": [{{\"name\": \"{reader}\", \"type\": \"USER\", \"access\": \"ALLOW\"}}]}}",
                    if reader == "b" { self.more } else { "" },
                ),
                false => format!("what {reader} may read"),
            }
            .into_bytes()
            .into())
        };
        Ok(files.iter().map(content).skip(self.lost).collect())
    }
}

fn outlines(lost: usize) -> Result<Outlines> {
    let stored = Stored::new(Box::new(Careless { lost, more: "" }), None, Memory::default());
    let listing = stored.list().unwrap();
    let entries: Vec<&Entry> = listing.entries.iter().collect();
    assert_eq!(entries.len(), 2);
    stored.outlines(&entries, &[None, None])
}

#[test]
fn files_that_a_store_mixes_up_or_loses_are_an_error() {
    let whole = outlines(0).unwrap();
    let acls: Vec<_> = whole.iter().map(|outline| outline.as_ref().unwrap().acl.clone().unwrap()).collect();
    assert!(acls[0] != acls[1] && acls.iter().all(|acl| acl.allow.len() == 1), "{acls:?}");
    for lost in [1, 2] {
        assert_eq!(outlines(lost).unwrap_err().kind(), Kind::Unavailable);
    }
}

#[test]
fn a_label_is_seen_though_the_file_is_as_it_was() {
    let run = |more, memory, live: &[Option<Version>]| {
        let stored = Stored::new(Box::new(Careless { lost: 0, more }), None, memory);
        let listing = stored.list().unwrap();
        let entries: Vec<&Entry> = listing.entries.iter().collect();
        let outlines: Vec<Outline> =
            stored.outlines(&entries, live).unwrap().into_iter().map(|one| one.unwrap()).collect();
        (outlines, stored.memory().unwrap().1)
    };
    let (first, memory) = run("", Memory::default(), &[None, None]);
    let live: Vec<Option<Version>> = first.iter().map(|outline| Some(outline.version)).collect();
    let labels = |outlines: &[Outline]| outlines.iter().map(|outline| outline.label.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&first), [None, None]);
    let (second, memory) = run("\"label\": \"restricted\", ", memory, &live);
    assert_eq!(labels(&second), [None, Some("restricted".to_owned())]);
    assert_eq!(labels(&run("\"label\": \"restricted\", ", memory, &live).0), labels(&second));
}
