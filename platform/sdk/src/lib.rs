//! Annals: event sourcing for Rust microservices
