//! Here is the id of a model: whose wire does it speak, and how much does it take at once?
//!
//! The id is that of the model itself, as it stands in catalogues and stamps. An inference profile or an ARN that it is
//! called by is said beside it: vectors are the same, whichever way they came.

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

    /// Its id.
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
    /// `Invalid` if it is none of them; profiles and ARNs are none.
    pub fn of(id: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|family| family.model() == id).ok_or_else(|| {
            let names = Self::ALL.map(|family| format!("`{}`", family.model())).join(", ");
            let message = format!("`{id}` is not one of {names}; a profile or an ARN is said beside the model");
            Error::invalid("open model", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ids_of_models_are_models() {
        for family in Family::ALL {
            assert_eq!(Family::of(family.model()).unwrap(), family);
        }
        for id in ["", "amazon.titan-embed-text-v1", "eu.cohere.embed-v4:0", "evilcohere.embed-v4:0"] {
            let error = Family::of(id).unwrap_err();
            assert!(error.message().contains("`cohere.embed-v4:0`"), "{error}");
        }
    }
}
