//! Golden files: the stored forms of a service's events, kept beside its tests.
//!
//! What always holds: a file that is there is never changed; each is read as a reader would read what is stored.

use annals_event::{
    CodecError, Event, EventBatch, EventBatchBuilder, EventId, EventType, Metadata, NewEvent, Sequence,
    StreamName, Timestamp, Version, decode, json::Json,
};
use std::{collections::BTreeSet, env, error::Error, fs, io, path::Path};

/// Set to `write`, it lets [`golden`] add the files that are missing.
const WRITE: &str = "ANNALS_GOLDEN";

/// Holds the stored forms of `E` in `folder` (of this enum alone; relative to the crate): a file
/// `<event type>.v<version>.json` for each form that was ever stored.
///
/// `samples` are events with all their fields filled, at least one of each type. A form that has no file yet is an error
/// until the test was run once with `ANNALS_GOLDEN=write`, which adds files and never changes one; commit what it wrote.
///
/// # Panics
///
/// If a file cannot be read any more, or a field of the newest form in it is read by nothing: then what is stored
/// would be lost or misread. Raise the version, and say with `#[upcast(..)]` how the older form becomes the new one.
#[track_caller]
pub fn golden<E: Event>(folder: impl AsRef<Path>, samples: impl IntoIterator<Item = E>) {
    let samples: Vec<E> = samples.into_iter().collect();
    let write = env::var(WRITE).is_ok_and(|value| value == "write");
    if let Err(error) = check(folder.as_ref(), &samples, write) {
        panic!("{error}");
    }
}

fn check<E: Event>(folder: &Path, samples: &[E], write: bool) -> Result<(), Box<dyn Error>> {
    let sampled: BTreeSet<&str> = samples.iter().map(Event::event_type).collect();
    if let Some((missing, _)) = E::TYPES.iter().find(|(known, _)| !sampled.contains(known)) {
        return Err(format!("there is no sample of {missing:?}; add one with all its fields filled").into());
    }
    for sample in samples {
        let path = folder.join(format!("{}.v{}.json", sample.event_type(), sample.schema_version()));
        if path.exists() {
            continue;
        }
        if !write {
            let path = path.display();
            return Err(format!(
                "{path} is missing; run the test once with {WRITE}=write, and commit the file"
            )
            .into());
        }
        fs::create_dir_all(folder)?;
        fs::write(path, [&sample.encode()?[..], b"\n"].concat())?;
    }
    files(folder)?.iter().try_for_each(|name| check_file::<E>(folder, name))
}

/// The names of the golden files, in order.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    Ok(names)
}

fn check_file<E: Event>(folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let path = folder.join(name);
    let (event_type, version) =
        form(name).ok_or_else(|| format!("{} is not named <event type>.v<version>.json", path.display()))?;
    let payload = fs::read(&path)?;
    let failed = |reason: String| {
        format!(
            "{}: {reason}. What is stored must stay readable: raise the version, and add #[upcast(..)]",
            path.display()
        )
    };
    let back = read::<E>(event_type, version, payload.trim_ascii().to_vec())
        .map_err(|error| failed(error.to_string()))?;
    let back = back.ok_or_else(|| failed("its event type is not known any more".to_owned()))?;
    if back.schema_version() == version {
        let (stored, again) = (Json::parse(payload.trim_ascii())?, Json::parse(&back.encode()?)?);
        if let Some(lost) = lost(&stored, &again) {
            return Err(failed(format!("{lost} is not read any more")).into());
        }
    }
    Ok(())
}

/// `order.placed.v3.json`: type and version.
fn form(name: &str) -> Option<(&str, u32)> {
    let (event_type, version) = name.strip_suffix(".json")?.rsplit_once(".v")?;
    Some((event_type, version.parse().ok()?))
}

/// Reads the payload as it would be read from the log.
fn read<E: Event>(
    event_type: &str,
    schema_version: u32,
    payload: Vec<u8>,
) -> Result<Option<E>, Box<dyn Error>> {
    let event = NewEvent { schema_version, ..NewEvent::json(EventType::new(event_type)?, payload) };
    let batch = stored(&event)?;
    let first = batch.first().ok_or_else(|| CodecError::new(event_type, "it was not stored"))?;
    Ok(decode(&first)?)
}

fn stored(event: &NewEvent) -> Result<EventBatch, Box<dyn Error>> {
    let mut builder = EventBatchBuilder::default();
    let stream = StreamName::of("golden", "1")?;
    let event = NewEvent { id: EventId::generate(), metadata: Metadata::default(), ..event.clone() };
    builder.push_new(&stream, &event, Sequence::FIRST, Version::FIRST, Timestamp::default())?;
    Ok(builder.build()?)
}

/// The first field of `stored` that is not in `again` with the same value.
fn lost(stored: &Json, again: &Json) -> Option<String> {
    let (Some(fields), Some(found)) = (stored.as_object(), again.as_object()) else {
        return (stored != again).then(|| "the value".to_owned());
    };
    fields.iter().find_map(|(name, value)| match found.get(name) {
        None => Some(format!("field {name:?}")),
        Some(other) => lost(value, other).map(|inner| match inner.strip_prefix("field \"") {
            Some(rest) => format!("field \"{name}.{rest}"),
            None => format!("field {name:?}"),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_a_type_and_a_version() {
        assert_eq!(form("order.placed.v3.json"), Some(("order.placed", 3)));
        assert_eq!(form("order.v2.placed.v10.json"), Some(("order.v2.placed", 10)));
        assert_eq!(form("order.placed.json"), None);
    }

    #[test]
    fn what_is_lost_is_named() {
        let json = |text: &str| Json::parse(text.as_bytes()).unwrap();
        let stored = json(r#"{"a":1,"b":{"c":2}}"#);
        assert_eq!(lost(&stored, &json(r#"{"b":{"c":2},"a":1,"new":null}"#)), None);
        assert_eq!(lost(&stored, &json(r#"{"b":{"c":2}}"#)), Some("field \"a\"".to_owned()));
        assert_eq!(lost(&stored, &json(r#"{"a":1,"b":{"c":3}}"#)), Some("field \"b.c\"".to_owned()));
        assert_eq!(lost(&stored, &json(r#"{"a":1,"b":{}}"#)), Some("field \"b.c\"".to_owned()));
    }
}
