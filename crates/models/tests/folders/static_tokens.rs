//! Static models: the vectors are those of model2vec, made by `scripts/static.py`.

use std::path::{Path, PathBuf};

use safepassage_error::Kind;
use safepassage_models::{Purpose, StaticTokens, open_folder};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/static").join(name)
}

#[test]
fn vectors_are_those_of_model2vec() {
    for name in ["plain", "weighted"] {
        let expected = std::fs::read(folder(name).join("expected.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let texts: Vec<&str> =
            expected["texts"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        let vectors: Vec<Vec<f32>> = serde_json::from_value(expected["vectors"].clone()).unwrap();
        let model = open_folder(&folder(name)).unwrap();
        let embeddings = model.embed(&texts, Purpose::Document).unwrap();
        assert_eq!(embeddings.truncated, [6], "{name}");
        // In f16 model2vec also adds up in f16.
        let exact = if name == "plain" { 1e-5 } else { 5e-3 };
        for ((row, right), text) in embeddings.rows().zip(&vectors).zip(&texts) {
            if right.iter().all(|x| *x == 0.0) {
                // It has no vector there; ours has to have unit length.
                assert!(row.windows(2).all(|pair| pair[0] == pair[1]), "{name}: {text}");
                continue;
            }
            let far = row.iter().zip(right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < exact, "{name}: {text}: {far}");
        }
        assert!(embeddings.rows().all(|row| (row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5));
    }
}

#[test]
fn a_folder_that_does_not_fit_is_refused() {
    let copied = |spoil: &dyn Fn(&Path)| {
        let to = tempfile::tempdir().unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(folder("weighted").join(file), to.path().join(file)).unwrap();
        }
        spoil(to.path());
        StaticTokens::open(to.path()).map(drop).map_err(|error| error.kind())
    };
    assert_eq!(copied(&|_| {}), Ok(()));
    assert_eq!(copied(&|to| std::fs::remove_file(to.join("model.safetensors")).unwrap()), Err(Kind::NotFound));
    assert_eq!(copied(&|to| std::fs::write(to.join("model.safetensors"), b"half").unwrap()), Err(Kind::Corrupted));
    assert_eq!(copied(&|to| std::fs::write(to.join("tokenizer.json"), b"{}").unwrap()), Err(Kind::Invalid));
    let other = |to: &Path| {
        // A tokenizer of more tokens than the table has rows.
        let text = std::fs::read_to_string(to.join("tokenizer.json")).unwrap();
        std::fs::write(to.join("tokenizer.json"), text.replacen("\"[UNK]\":1", "\"[UNK]\":1,\"extra\":4000", 1))
            .unwrap();
        let bytes = std::fs::read(folder("plain").join("model.safetensors")).unwrap();
        std::fs::write(to.join("model.safetensors"), bytes).unwrap();
    };
    assert_eq!(copied(&other), Err(Kind::Invalid));
}
