//! Which model made these vectors, and may they be compared with those?

use safepassage_error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Says which model made a vector. Stored with an index and checked at every open, write and query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStamp {
    /// Who runs the model: `builtin`, `local`.
    pub provider: String,
    /// The provider's name for it; for a folder, the folder's name.
    pub model: String,
    /// Components of one vector.
    pub dim: usize,
    /// Whether vectors have unit length.
    pub normalised: bool,
    /// Put before a stored text.
    pub document_prefix: String,
    /// Put before a question.
    pub query_prefix: String,
    /// SHA-256 in hex over weights, tokenizer, pooling and longest text, where we hold them ourselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl ModelStamp {
    /// Checks that vectors of `self` may stand beside the vectors made under `stored`.
    ///
    /// A digest says more than a name: where both have one, provider and model name may differ (a renamed folder).
    ///
    /// # Errors
    /// `Invalid`, naming the first field that differs and both its values.
    pub fn check(&self, stored: &Self) -> Result<()> {
        let both_digests = self.digest.is_some() && stored.digest.is_some();
        let differs = |field: &'static str, ours: &str, theirs: &str| {
            Err(Error::invalid(
                "check model stamp",
                format!("the index was made with another model: `{field}` differs"),
            )
            .with("stored", theirs)
            .with("given", ours))
        };
        let text = |digest: &Option<String>| digest.clone().unwrap_or_default();
        let fields = [
            ("provider", self.provider.clone(), stored.provider.clone(), both_digests),
            ("model", self.model.clone(), stored.model.clone(), both_digests),
            ("dim", self.dim.to_string(), stored.dim.to_string(), false),
            ("normalised", self.normalised.to_string(), stored.normalised.to_string(), false),
            ("document_prefix", self.document_prefix.clone(), stored.document_prefix.clone(), false),
            ("query_prefix", self.query_prefix.clone(), stored.query_prefix.clone(), false),
            ("digest", text(&self.digest), text(&stored.digest), !both_digests),
        ];
        for (field, ours, theirs, ignored) in fields {
            if !ignored && ours != theirs {
                return differs(field, &ours, &theirs);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> ModelStamp {
        ModelStamp {
            provider: "local".into(),
            model: "a".into(),
            dim: 3,
            normalised: true,
            document_prefix: String::new(),
            query_prefix: String::new(),
            digest: Some("00".into()),
        }
    }

    #[test]
    fn every_field_that_changes_vectors_is_refused_by_name() {
        type Change = fn(&mut ModelStamp);
        let changes: [(&str, Change); 5] = [
            ("dim", |s| s.dim = 4),
            ("normalised", |s| s.normalised = false),
            ("document_prefix", |s| s.document_prefix = "passage: ".into()),
            ("query_prefix", |s| s.query_prefix = "query: ".into()),
            ("digest", |s| s.digest = Some("01".into())),
        ];
        for (field, change) in changes {
            let mut other = stamp();
            change(&mut other);
            let error = other.check(&stamp()).unwrap_err();
            assert!(error.message().contains(&format!("`{field}`")), "{field}: {error}");
        }
    }

    #[test]
    fn a_name_matters_only_without_a_digest() {
        let mut renamed = stamp();
        renamed.model = "b".into();
        renamed.check(&stamp()).unwrap();
        renamed.digest = None;
        assert!(renamed.check(&stamp()).is_err());
    }

    #[test]
    fn json_round_trips() {
        let json = serde_json::to_string(&stamp()).unwrap();
        assert_eq!(serde_json::from_str::<ModelStamp>(&json).unwrap(), stamp());
    }
}
