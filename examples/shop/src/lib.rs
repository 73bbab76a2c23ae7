//! Annals at work: orders, payments and shipping over one log
