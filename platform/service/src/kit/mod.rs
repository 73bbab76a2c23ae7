mod supervise;

pub use supervise::{BuildError, Failure, PartState, Parts, Supervisor};
