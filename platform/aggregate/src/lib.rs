//! Annals: aggregates, repositories, snapshots and upcasting
