//! Given, when, then: tests of decisions, run on the production code.
