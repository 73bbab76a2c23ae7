//! The main job as its user sees it: a program, a folder, a report.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod kill;
mod main_job;
mod shop;
