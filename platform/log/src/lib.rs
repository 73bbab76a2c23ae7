//! Annals: the embedded log engine
