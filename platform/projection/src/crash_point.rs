//! Places where a test stops the work as if the process had been killed there, or switches on a bug that real read models
//! had, to prove that the suites catch it. Without the feature `failpoints` they are not in the program.

/// Fails if a test says so. The error is one that does not pass by itself.
#[cfg(feature = "failpoints")]
pub(crate) fn crash_point(name: &'static str) -> Result<(), sqlx::Error> {
    fail::fail_point!(name, |_| Err(sqlx::Error::Protocol(format!("stopped at crash point {name}"))));
    Ok(())
}

/// Whether a test switched the bug on.
#[cfg(feature = "failpoints")]
pub(crate) fn is_planted(bug: &'static str) -> bool {
    fail::fail_point!(bug, |_| true);
    false
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn crash_point(_name: &'static str) -> Result<(), sqlx::Error> {
    Ok(())
}

/// No.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn is_planted(_bug: &'static str) -> bool {
    false
}
