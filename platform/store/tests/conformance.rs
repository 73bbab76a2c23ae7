//! The suite on the store with gaps: whatever passes here does not rely on dense sequence numbers.

annals_store::conformance_tests!(async { annals_store::GappedStore::new() });
