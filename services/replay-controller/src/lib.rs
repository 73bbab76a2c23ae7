//! Annals: replays over HTTP
