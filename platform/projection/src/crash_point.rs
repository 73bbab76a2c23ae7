//! Places where a test stops the work, as if the process had been killed there. Without the feature `failpoints` they
//! are not in the program.

/// Fails if a test says so. The error is one that does not pass by itself.
#[cfg(feature = "failpoints")]
pub(crate) fn crash_point(name: &'static str) -> Result<(), sqlx::Error> {
    fail::fail_point!(name, |_| Err(sqlx::Error::Protocol(format!("stopped at crash point {name}"))));
    Ok(())
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub(crate) const fn crash_point(_name: &'static str) -> Result<(), sqlx::Error> {
    Ok(())
}
