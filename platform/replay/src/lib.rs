//! Annals: the replay controller
