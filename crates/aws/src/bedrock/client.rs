//! Here is the body of a request for a model: what does it answer?

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::Intercept;
use aws_sdk_bedrockruntime::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use safepassage_error::Result;
use safepassage_models::remote::{CallError, wait_for};

use crate::account::Account;
use crate::fault::model_error;

/// The tokens that were paid for, for models whose body does not say.
const TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// A model of Bedrock.
#[derive(Debug, Clone)]
pub(super) struct Model {
    client: Client,
    id: String,
}

/// What a model answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub body: Vec<u8>,
    pub tokens: Option<u64>,
}

impl Model {
    /// The model `id` of `account`: an id, the id of an inference profile, or an ARN.
    pub fn open(account: &Account, id: &str) -> Result<Self> {
        let (account, id) = (account.clone(), id.to_owned());
        wait_for(async move {
            let config = account.config().await;
            let mut bedrock = aws_sdk_bedrockruntime::config::Builder::from(&config);
            if let Some(url) = account.endpoint_url {
                bedrock = bedrock.endpoint_url(url);
            }
            Ok(Self { client: Client::from_conf(bedrock.build()), id })
        })
    }

    /// What it is asked through, and its id there.
    pub fn client(&self) -> (&Client, &str) {
        (&self.client, &self.id)
    }

    /// One attempt.
    pub async fn invoke(&self, body: Vec<u8>) -> Result<Answered, CallError> {
        let tokens = Tokens::default();
        let request = self.client.invoke_model().model_id(&self.id).body(Blob::new(body));
        let request = request.content_type("application/json").accept("application/json");
        let sent = request.customize().interceptor(tokens.clone()).send().await;
        let answer = sent.map_err(|error| model_error(&error))?;
        Ok(Answered { body: answer.body.into_inner(), tokens: tokens.read() })
    }
}

/// Reads the count of tokens, which the SDK does not give.
#[derive(Debug, Clone, Default)]
struct Tokens(Arc<Mutex<Option<u64>>>);

impl Tokens {
    fn read(&self) -> Option<u64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let counted = context.response().headers().get(TOKENS).and_then(|count| count.parse().ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        Ok(())
    }
}
