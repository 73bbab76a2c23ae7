//! Annals: derive macros for events and tables
