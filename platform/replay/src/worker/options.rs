use std::time::Duration;

/// How the worker works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// How often the progress of a fold is read from the candidate's control row.
    pub progress_every: Duration,
    /// The candidate is verified once it is at most so many sequence numbers behind the live generation.
    pub caught_up_within: u64,
    /// How often one looks whether the lease of another worker is free.
    pub standby_every: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            progress_every: Duration::from_millis(100),
            caught_up_within: 1_000,
            standby_every: Duration::from_millis(500),
        }
    }
}
