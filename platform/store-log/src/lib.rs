//! Annals: EventStore over the embedded log
