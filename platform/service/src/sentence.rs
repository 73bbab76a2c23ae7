use std::error::Error;

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
    fn a_cause_that_is_told_already_is_not_told_again() {
        let error = Failure::Stopped(Box::new(Failure::Write(Box::new(Failure::Full))));
        assert_eq!(sentence(&error), "the log stopped: cannot write: no space left");
    }
}
