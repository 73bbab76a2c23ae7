//! Annals: whole-system suites
