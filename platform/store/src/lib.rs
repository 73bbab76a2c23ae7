//! Annals: the EventStore trait, filters, subscriptions and the conformance suite
