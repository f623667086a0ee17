//! Does whoever runs the program want to see what it does? Where the environment names a collector of OpenTelemetry
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`) and the program is built with the feature `otel`, spans go there.
//!
//! What cannot be exported is said and changes nothing else.

#[cfg(feature = "otel")]
use safepassage::otel::Exporter;

#[cfg(feature = "otel")]
use crate::output;

/// Where spans go; nowhere unless the environment says so.
pub struct Telemetry {
    #[cfg(feature = "otel")]
    exporter: Option<Exporter>,
}

impl Telemetry {
    #[cfg(not(feature = "otel"))]
    pub fn begin() -> Self {
        Self {}
    }

    #[cfg(not(feature = "otel"))]
    pub fn finish(self) {}

    #[cfg(feature = "otel")]
    pub fn begin() -> Self {
        use tracing_subscriber::layer::SubscriberExt;
        use tracing_subscriber::util::SubscriberInitExt;

        let exporter = Exporter::from_environment().unwrap_or_else(|error| {
            output::failed(&error, false);
            None
        });
        if let Some(exporter) = &exporter {
            // Nobody else in this program listens to spans.
            tracing_subscriber::registry().with(exporter.layer()).try_init().unwrap_or_default();
        }
        Self { exporter }
    }

    /// Sends what is left.
    #[cfg(feature = "otel")]
    pub fn finish(self) {
        if let Some(Err(error)) = self.exporter.map(Exporter::finish) {
            output::failed(&error, false);
        }
    }
}
