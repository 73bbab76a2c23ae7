//! An error whose message includes its cause does not return it as its source too: a printed chain would show it
//! twice.

use super::{WORKSPACE, assert_none};
use annals_aggregate::{ExecuteError, LoadError};
use annals_event::{InvalidAppend, Sequence, StreamName};
use annals_event_store::ServeError;
use annals_projection::{DatabaseError, FoldError, GenerationError, ReaderError, SnapshotError};
use annals_reactor::ReactorError;
use annals_replay::WorkerError;
use annals_store::{AppendError, ReadError};
use annals_store_log::{LogStore, Options};
use annals_tests::SourceFile;
use std::{convert::Infallible, error::Error};

/// Lines that make a field the source of an error whose message includes it.
fn told_twice(file: &SourceFile) -> Vec<String> {
    let (mut tells, mut found) = (false, Vec::new());
    for (number, line) in file.code() {
        tells = (tells && !line.contains("#[error(")) || line.contains("{0}");
        let is_source = line.contains("#[from]") || line.contains("#[source]");
        if line.contains("{source}") || (tells && is_source) {
            found.push(format!("{}:{number}: {}", file.path.display(), line.trim()));
        }
    }
    found
}

#[test]
fn an_error_that_tells_its_cause_does_not_give_it_as_its_source() {
    let folders = ["platform", "services", "examples"];
    let files = folders.iter().flat_map(|folder| WORKSPACE.files(folder, ".rs").unwrap());
    let found = files.flat_map(|file| told_twice(&file)).collect();
    assert_none(found, "a cause that is shown twice; name its field `cause`, and write `From` by hand");
}

#[tokio::test]
async fn no_chain_of_errors_tells_a_cause_twice() {
    let stream = || StreamName::new("order-1").unwrap();
    let away = || ReadError::Unavailable { reason: "no route".into() };
    let load = || LoadError::Read { stream: stream(), cause: away() };
    let away_database = || DatabaseError::Away { reason: "no route".into() };
    let refused = || AppendError::from(InvalidAppend::Empty);
    let file = tempfile::NamedTempFile::new().unwrap();
    let errors: Vec<Box<dyn Error>> = vec![
        load().into(),
        ExecuteError::<Infallible>::Load(load()).into(),
        ExecuteError::<Infallible>::Append { stream: stream(), cause: refused() }.into(),
        refused().into(),
        ReactorError::Load(load()).into(),
        ReactorError::NotLoaded {
            sequence: Sequence::FIRST,
            stream: "payment-1".into(),
            id: "1".into(),
            cause: Box::new(load()),
        }
        .into(),
        ReactorError::from(away()).into(),
        ReactorError::Append { through: Sequence::FIRST, cause: refused() }.into(),
        WorkerError::from(away()).into(),
        FoldError::from(away_database()).into(),
        GenerationError::from(away_database()).into(),
        ReaderError::from(away_database()).into(),
        SnapshotError::from(away_database()).into(),
        ServeError::from(away()).into(),
        LogStore::open(file.path(), Options::default()).await.err().unwrap().into(),
    ];
    for error in errors {
        let (mut told, mut rest) = (error.to_string(), error.source());
        while let Some(cause) = rest {
            assert!(!told.contains(&cause.to_string()), "{told}: {cause}");
            (told, rest) = (format!("{told}: {cause}"), cause.source());
        }
    }
}
