//! What is remembered, and what is not.

use super::*;
use crate::remote::tests::words;

/// Counts how often each text is embedded; fails at the text `fail`, refuses `refuse`.
struct Counting {
    stamp: ModelStamp,
    tokenizer: Tokenizer,
    paid: Mutex<HashMap<String, u64>>,
    fails: Mutex<bool>,
}

impl Embedder for Counting {
    fn stamp(&self) -> &ModelStamp {
        &self.stamp
    }

    fn embed(&self, texts: &[&str], _: Purpose) -> Result<Embeddings> {
        texts.iter().for_each(|text| *self.paid.lock().unwrap().entry((*text).to_owned()).or_default() += 1);
        let values = texts.iter().flat_map(|text| [text.len() as f32, 1.0]).collect();
        Ok(Embeddings { dim: 2, values, tokens: texts.len() as u64, truncated: Vec::new() })
    }

    fn embed_each(
        &self,
        texts: &[&str],
        purpose: Purpose,
        keep: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<Kept> {
        let mut kept = Kept::default();
        for (at, text) in texts.iter().enumerate() {
            if text.starts_with("cut ") {
                kept.truncated.push(at);
            }
            match *text {
                "fail" if *self.fails.lock().unwrap() => {
                    return Err(Error::new(Kind::Unavailable, "embed", "down"));
                }
                "refuse" => kept.refused.push(Refused { text: at, reason: "too rude".into() }),
                text => keep(at, &self.embed(&[text], purpose)?.values)?,
            }
        }
        Ok(kept)
    }

    fn as_read<'t>(&self, text: &'t str) -> Result<&'t str> {
        let offsets = self.tokenizer.offsets(text)?;
        Ok(&text[..offsets.get(self.tokenizer.max_tokens()).map_or(text.len(), |(start, _)| *start)])
    }

    fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

fn counting(model: &str) -> Arc<Counting> {
    let stamp = ModelStamp {
        provider: "test".into(),
        model: model.into(),
        dim: 2,
        normalised: true,
        document_prefix: String::new(),
        query_prefix: String::new(),
        digest: None,
    };
    Arc::new(Counting { stamp, tokenizer: words(), paid: Mutex::default(), fails: Mutex::new(true) })
}

fn paid(counting: &Counting) -> Vec<(String, u64)> {
    let mut paid: Vec<_> = counting.paid.lock().unwrap().clone().into_iter().collect();
    paid.sort_unstable();
    paid
}

#[test]
fn a_text_that_was_cut_is_told_of_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
    let long = "long ".repeat(inner.tokenizer.max_tokens() + 1);
    let long = long.as_str();
    let texts = ["one", "cut by the model", long, "fail", "cut by the model"];
    let truncated = |texts: &[&str]| {
        let cached = CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
        Ok::<_, Error>(cached.embed_each(texts, Purpose::Document, &mut |_, _| Ok(()))?.truncated)
    };
    // What the model would have told is lost with the call; what can be told here is not.
    assert_eq!(truncated(&texts).unwrap_err().kind(), Kind::Unavailable);
    assert!(truncated(&texts[..1]).unwrap().is_empty());
    assert_eq!(truncated(&[long]).unwrap(), [0]);
    let texts = ["two", "cut once", long, "cut once"];
    for _ in 0..2 {
        assert_eq!(truncated(&texts).unwrap(), [1, 2, 3]);
    }
    // What is all of that beginning was not cut, and has the same vector.
    assert_eq!(truncated(&[inner.as_read(long).unwrap()]).unwrap(), [0; 0]);
    assert!(paid(&inner).iter().all(|(_, times)| *times == 1) && paid(&inner).len() == 5);
}

#[test]
fn nothing_that_came_before_a_failure_is_paid_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
    let open = || CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
    let texts = ["one", "two", "refuse", "fail", "three", "one", "three"];
    assert_eq!(open().embed(&texts, Purpose::Document).unwrap_err().kind(), Kind::Unavailable);
    *inner.fails.lock().unwrap() = false;
    let (cached, mut rows) = (open(), HashMap::new());
    assert_eq!(cached.unpaid(&texts).unwrap(), [2, 3, 4]);
    let kept = cached.embed_each(&texts, Purpose::Document, &mut |at, row| {
        rows.insert(at, row.to_vec());
        Ok(())
    });
    let refused = kept.unwrap().refused;
    assert_eq!(refused, [Refused { text: 2, reason: "too rude".into() }]);
    assert_eq!((rows.len(), &rows[&4], &rows[&6]), (6, &vec![5.0, 1.0], &vec![5.0, 1.0]));
    let once = ["fail", "one", "three", "two"].map(|text| (text.to_owned(), 1));
    assert_eq!(paid(&inner), once);
    // Remembered as refused until somebody says otherwise, and by no other model.
    assert_eq!((open().unpaid(&texts).unwrap().len(), open().retry_refused().unwrap()), (0, 1));
    assert_eq!(open().unpaid(&texts).unwrap(), [2]);
    let other = CachedEmbedder::open(counting("b"), &path).unwrap();
    assert_eq!(other.unpaid(&texts).unwrap().len(), 5);
}

#[test]
fn a_vector_that_was_damaged_is_made_again_and_a_file_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, inner) = (folder.path().join("cache.sqlite"), counting("a"));
    let cached = CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &path).unwrap();
    cached.embed(&["one"], Purpose::Document).unwrap();
    cached.file().execute("UPDATE vectors SET vector = zeroblob(16)", ()).unwrap();
    assert_eq!(cached.embed(&["one"], Purpose::Document).unwrap().values, [3.0, 1.0]);
    assert_eq!(paid(&inner), [("one".to_owned(), 2)]);
    let other = folder.path().join("other");
    std::fs::write(&other, "this is a letter and no database".repeat(100)).unwrap();
    let error = CachedEmbedder::open(counting("a"), &other).map(drop).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupted, "{error}");
}

#[test]
fn questions_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let inner = counting("a");
    let cached =
        CachedEmbedder::open(Arc::clone(&inner) as Arc<dyn Embedder>, &folder.path().join("c.sqlite")).unwrap();
    cached.embed(&["who is ill?"], Purpose::Query).unwrap();
    assert_eq!(cached.unpaid(&["who is ill?"]).unwrap(), [0]);
}
