//! Annals: EventStore over gRPC
