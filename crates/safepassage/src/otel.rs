//! Spans of this program: how do they get to a collector of OpenTelemetry?
//!
//! By OTLP over HTTP, as protobuf, in batches from a thread of its own. Only our own spans go: those of libraries
//! underneath may hold what was sent. What they say is in `spans.rs`; no text of a question, passage or answer is among it.
//!
//! ```no_run
//! # fn main() -> safepassage::Result<()> {
//! use tracing_subscriber::layer::SubscriberExt;
//!
//! if let Some(exporter) = safepassage::otel::Exporter::from_environment()? {
//!     let subscriber = tracing_subscriber::registry().with(exporter.layer());
//!     tracing::subscriber::with_default(subscriber, || { /* ask */ });
//!     exporter.finish()?;
//! }
//! # Ok(())
//! # }
//! ```

use async_trait::async_trait;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SdkTracerProvider;
use safepassage_error::{Error, Kind, Result};
use safepassage_models::remote::Post;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::spans::TARGET;

const OPERATION: &str = "export spans";
/// What a program is called that does not say otherwise (`OTEL_SERVICE_NAME`).
const SERVICE: &str = "safepassage";
/// Where the standard says that a collector is named.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Sends spans to one collector.
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// One for the collector that the environment names, by OpenTelemetry's own variables; `None` if it names none, or says
    /// that nothing is to be exported.
    ///
    /// # Errors
    /// `Invalid` if what it says cannot be followed; `Unavailable` if there is no TLS on this machine.
    pub fn from_environment() -> Result<Option<Self>> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let is = |name: &str, value: &str| set(name).is_some_and(|own| own.eq_ignore_ascii_case(value));
        let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
        if off || !ENDPOINTS.iter().any(|name| set(name).is_some()) {
            return Ok(None);
        }
        Self::new(None).map(Some)
    }

    /// One for the collector at `url`, to which the path of traces is added.
    ///
    /// # Errors
    /// As [`Exporter::from_environment`].
    pub fn to(url: &str) -> Result<Self> {
        Self::new(Some(format!("{}/v1/traces", url.trim_end_matches('/'))))
    }

    fn new(endpoint: Option<String>) -> Result<Self> {
        let mut exporter = SpanExporter::builder().with_http().with_http_client(Collector(Post::new()?));
        if let Some(endpoint) = endpoint {
            exporter = exporter.with_endpoint(endpoint);
        }
        let exporter = exporter
            .build()
            .map_err(|e| Error::invalid(OPERATION, "the collector cannot be used as it is named").because(e))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
        Ok(Self { provider })
    }

    /// What a subscriber of `tracing` passes spans to. Only those of this library go on.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        let ours = |metadata: &Metadata<'_>| metadata.target() == TARGET && *metadata.level() <= LevelFilter::INFO;
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(filter_fn(ours).with_max_level_hint(LevelFilter::INFO))
    }

    /// Sends what has ended and was not sent yet.
    ///
    /// # Errors
    /// `Unavailable` if the collector does not take it.
    pub fn flush(&self) -> Result<()> {
        sent(self.provider.force_flush())
    }

    /// The same, as the last there is to send.
    ///
    /// # Errors
    /// As [`Exporter::flush`].
    pub fn finish(self) -> Result<()> {
        self.flush().and(sent(self.provider.shutdown()))
    }
}

fn sent(how: OTelSdkResult) -> Result<()> {
    how.map_err(|e| Error::new(Kind::Unavailable, OPERATION, "the collector took not all spans").because(e))
}

/// The connection to a collector.
#[derive(Debug)]
struct Collector(Post);

#[async_trait]
impl HttpClient for Collector {
    /// Waits on the thread it is called by, which is the exporter's own.
    async fn send_bytes(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let (status, answer) = self.0.send(&parts.uri.to_string(), headers, body.to_vec())?;
        Ok(Response::builder().status(status).body(Bytes::from(answer))?)
    }
}
