//! Annals: OpenTelemetry set-up, trace context, names of spans
