use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// A service's code panicked at an event. The message is on standard error as well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code that handles it panicked: {0}")]
pub struct Panicked(String);

/// Runs a service's code for one event or command. A panic in it is an error of that event or command, and the rest
/// of the process goes on. What the code had changed by then must not be used.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked(text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("see standard error").to_owned()
}
