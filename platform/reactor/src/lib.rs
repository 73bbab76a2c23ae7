//! Annals: reactors turn events into commands, exactly once
