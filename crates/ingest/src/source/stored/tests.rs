//! A store that does not keep its word gives nobody anything.

use super::*;

/// Two files, each with a sidecar that names its readers. Of what is asked for it leaves out the first `lost`.
#[derive(Debug)]
struct Careless {
    lost: usize,
}

impl FileStore for Careless {
    fn url(&self) -> &str {
        "test://place"
    }

    fn list(&self) -> Result<Vec<StoredFile>> {
        let tag = Some("1".to_owned());
        let file =
            |key: &str| StoredFile { key: key.into(), bytes: 10, tag: tag.clone(), modified: None, version: None };
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
                    "{{\"metadataAttributes\": {{}}, \"accessControlList\": [{{\"name\": \"{reader}\", \"type\": \"USER\", \"access\": \"ALLOW\"}}]}}"
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
    let stored = Stored::new(Box::new(Careless { lost }), None, Memory::default());
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
