//! Places where a test stops the work as if the process had been killed there, or switches on a bug that real read models
//! had, to prove that the suites catch it. Without the feature `failpoints` they are not in the program.

use super::DatabaseError;

/// Fails if a test says so. The error is one that does not pass by itself.
#[cfg(feature = "failpoints")]
pub fn crash_point(name: &'static str) -> Result<(), DatabaseError> {
    fail::fail_point!(name, |_| Err(DatabaseError::denied(format!("stopped at crash point {name}"))));
    Ok(())
}

/// Whether a test switched the bug on.
#[cfg(feature = "failpoints")]
pub fn is_planted(bug: &'static str) -> bool {
    fail::fail_point!(bug, |_| true);
    false
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub const fn crash_point(_name: &'static str) -> Result<(), DatabaseError> {
    Ok(())
}

/// No.
#[cfg(not(feature = "failpoints"))]
pub const fn is_planted(_bug: &'static str) -> bool {
    false
}
