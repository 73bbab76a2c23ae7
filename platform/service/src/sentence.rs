//! Words of programs.

use std::{error::Error, fmt::Display, net::SocketAddr};

/// So many of a thing: `1 event`, `2 events`.
pub fn counted(count: impl Display, one: &str) -> String {
    let count = count.to_string();
    let many = if count == "1" { "" } else { "s" };
    format!("{count} {one}{many}")
}

/// The address to listen on that a command line gives.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "it must be an address and a port, such as 127.0.0.1:8080".to_owned())
}

/// An error and its causes in one line, each once: many errors tell their cause themselves, so that they can be told alone.
/// What a program says when it ends.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut told = String::new();
    let mut rest = Some(error);
    while let Some(error) = rest {
        let text = error.to_string();
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        rest = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("no space left")]
        Full,
        #[error("cannot write: {0}")]
        Write(#[source] Box<Failure>),
        #[error("the log stopped")]
        Stopped(#[source] Box<Failure>),
    }

    #[test]
    fn one_of_a_thing_is_told_as_one() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "event")), ["0 events", "1 event", "2 events"]);
    }

    #[test]
    fn a_name_in_place_of_an_address_is_refused_with_an_example() {
        assert!(listen_address("127.0.0.1:0").is_ok());
        for name in ["localhost:8080", "8080", "127.0.0.1"] {
            assert!(listen_address(name).unwrap_err().contains("127.0.0.1:8080"));
        }
    }

    #[test]
    fn a_cause_that_is_told_already_is_not_told_again() {
        let error = Failure::Stopped(Box::new(Failure::Write(Box::new(Failure::Full))));
        assert_eq!(sentence(&error), "the log stopped: cannot write: no space left");
    }
}
