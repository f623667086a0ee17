//! Here is an account at Amazon: how is it reached?
//!
//! Region, credentials, endpoints and time limits of one client. A model often lives in an account of its own: the role
//! is assumed for that client alone. TLS is rustls with ring; the SDK's own retries are off, because
//! ours are on; only STS, which nobody calls but the SDK, keeps them.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{Builder, tls};
use safepassage_models::At;

/// How an account is reached. What is not set comes from the environment, the profile or the machine's role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Such as `eu-central-1`.
    pub region: Option<String>,
    /// Another address of the service: a VPC endpoint, or a store that speaks S3.
    pub endpoint_url: Option<String>,
    /// Keys that are used instead of those found.
    pub keys: Option<AccessKeys>,
    /// A role that is assumed for this client alone.
    pub role: Option<Role>,
    /// Limits of one attempt.
    pub timeouts: Timeouts,
}

/// A pair of keys, with the token of a session if they belong to one.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The id, which is no secret.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The token of a session.
    pub session_token: Option<String>,
}

/// A role of this or another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::ACCOUNT:role/NAME`
    pub arn: String,
    /// What the other account's trust policy asks for.
    pub external_id: Option<String>,
    /// How the session is called in the other account's logs.
    pub session_name: String,
    /// Another address of STS: a VPC endpoint.
    pub sts_endpoint_url: Option<String>,
}

/// How long one attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect.
    pub connect: Duration,
    /// From the first byte sent to the last byte of the answer.
    pub attempt: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(2), attempt: Duration::from_secs(30) }
    }
}

impl Role {
    /// The role `arn`, without an external id.
    #[must_use]
    pub fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), external_id: None, session_name: "safepassage".into(), sts_endpoint_url: None }
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<&At> for Account {
    /// What a catalogue says of how a model is reached.
    fn from(at: &At) -> Self {
        let role = at.role_arn.as_ref().map(|arn| Role { external_id: at.external_id.clone(), ..Role::new(arn) });
        Self { region: at.region.clone(), endpoint_url: at.url.clone(), role, ..Self::default() }
    }
}

impl Account {
    /// What a client of a service is made from; its own endpoint is not part of it, since STS has another.
    pub(crate) async fn config(&self) -> SdkConfig {
        let Timeouts { connect, attempt } = self.timeouts;
        let timeouts = TimeoutConfig::builder().connect_timeout(connect).operation_attempt_timeout(attempt).build();
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().tls_provider(ring).build_https())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(AccessKeys { id, secret, session_token }) = &self.keys {
            loader = loader.credentials_provider(Credentials::new(id, secret, session_token.clone(), None, "given"));
        }
        let config = loader.load().await;
        let Some(role) = &self.role else { return config };
        let mut sts = config.to_builder().retry_config(RetryConfig::standard());
        sts.set_endpoint_url(role.sts_endpoint_url.clone());
        let mut assumed = AssumeRoleProvider::builder(&role.arn).session_name(&role.session_name);
        if let Some(external_id) = &role.external_id {
            assumed = assumed.external_id(external_id);
        }
        let provider = assumed.configure(&sts.build()).build().await;
        config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
    }
}
