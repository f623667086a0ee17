//! Here is the id of a model: whose wire does it speak, and how much does it take at once?
//!
//! The id may be that of a model, of an inference profile (`eu.cohere.embed-v4:0`) or an ARN that ends in one. An ARN
//! that only has a number (an application's own profile, provisioned throughput) does not say, so somebody must.

use std::str::FromStr;

use safepassage_error::{Error, Result};

/// The embedding models of Bedrock that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Amazon Titan Text Embeddings V2: one text a call.
    TitanTextV2,
    /// Cohere Embed English v3: 96 texts a call of at most 2,048 characters.
    CohereEnglishV3,
    /// Cohere Embed Multilingual v3: as the English one.
    CohereMultilingualV3,
    /// Cohere Embed v4: 96 texts a call.
    CohereV4,
    /// Amazon Nova Multimodal Embeddings, for text: one text a call.
    NovaMultimodal,
}

/// What one call of a model takes of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Texts of one call.
    pub texts: usize,
    /// Characters of one text; what is longer is cut before it is sent.
    pub chars: usize,
    /// The model's own tokens of one text.
    pub tokens: usize,
}

impl Family {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::TitanTextV2, Self::CohereEnglishV3, Self::CohereMultilingualV3, Self::CohereV4, Self::NovaMultimodal];

    /// The id of the foundation model: what stands in stamps, whatever profile or ARN it was reached by.
    #[must_use]
    pub const fn model(self) -> &'static str {
        match self {
            Self::TitanTextV2 => "amazon.titan-embed-text-v2:0",
            Self::CohereEnglishV3 => "cohere.embed-english-v3",
            Self::CohereMultilingualV3 => "cohere.embed-multilingual-v3",
            Self::CohereV4 => "cohere.embed-v4:0",
            Self::NovaMultimodal => "amazon.nova-2-multimodal-embeddings-v1:0",
        }
    }

    /// The dimensions that can be asked for; the first is taken unless one is.
    #[must_use]
    pub const fn dims(self) -> &'static [usize] {
        match self {
            Self::TitanTextV2 => &[1024, 512, 256],
            Self::CohereEnglishV3 | Self::CohereMultilingualV3 => &[1024],
            Self::CohereV4 => &[1536, 1024, 512, 256],
            Self::NovaMultimodal => &[3072, 1024, 384, 256],
        }
    }

    pub(crate) const fn limits(self) -> Limits {
        match self {
            Self::TitanTextV2 | Self::NovaMultimodal => Limits { texts: 1, chars: 50_000, tokens: 8_192 },
            Self::CohereEnglishV3 | Self::CohereMultilingualV3 => Limits { texts: 96, chars: 2_048, tokens: 512 },
            Self::CohereV4 => Limits { texts: 96, chars: 512_000, tokens: 128_000 },
        }
    }

    /// The family of the model `id`.
    ///
    /// # Errors
    /// `Invalid` if the id does not say.
    pub fn of(id: &str) -> Result<Self> {
        let last = id.rsplit('/').next().unwrap_or(id);
        let named = |family: &Self| {
            // `:0` is a version of the same model, and a profile has a region in front.
            let bare = family.model().split(':').next().unwrap_or_default();
            let (bare_id, _) = last.split_once(':').unwrap_or((last, ""));
            bare_id == bare || bare_id.strip_suffix(bare).is_some_and(|region| region.ends_with('.'))
        };
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            let message = format!("`{id}` does not say which model it is; state it: `model=` one of {}", names());
            Error::invalid("open model", message)
        })
    }
}

fn names() -> String {
    Family::ALL.map(|family| format!("`{}`", family.model())).join(", ")
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::of(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_arns_are_the_model_they_reach() {
        let ids = [
            ("amazon.titan-embed-text-v2:0", Family::TitanTextV2),
            ("us.cohere.embed-v4:0", Family::CohereV4),
            ("global.cohere.embed-v4:0", Family::CohereV4),
            ("cohere.embed-multilingual-v3", Family::CohereMultilingualV3),
            ("arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-english-v3", Family::CohereEnglishV3),
            ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.cohere.embed-v4:0", Family::CohereV4),
            ("amazon.nova-2-multimodal-embeddings-v1:0", Family::NovaMultimodal),
        ];
        for (id, family) in ids {
            assert_eq!(Family::of(id).unwrap(), family, "{id}");
        }
    }

    #[test]
    fn what_does_not_say_is_refused() {
        for id in [
            "",
            "amazon.titan-embed-text-v1",
            "amazon.titan-embed-text-v2:0/x",
            "evilcohere.embed-v4:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/ab12cd34",
        ] {
            let error = Family::of(id).unwrap_err();
            assert!(error.message().contains("`cohere.embed-v4:0`"), "{error}");
        }
    }
}
