//! What the log promises under power cuts, damage and failing disks, judged from outside.
//!
//! The quick run takes about half a minute. `ANNALS_CRASH_IMAGES=1000000 cargo test --release -p annals-log --test crash`
//! goes on until it has judged that many crash images.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]
#![allow(unreachable_pub, reason = "modules of one test program")]

mod based;
mod crashes;
mod damage;
mod ends;
mod faults;
mod histories;
mod holds;
mod judge;
mod layout;
mod model;
mod planted;
mod scrubbed;
mod session;
mod torn;
mod verified;
mod workload;
