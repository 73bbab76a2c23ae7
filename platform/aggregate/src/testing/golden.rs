//! Golden files: the stored forms of a service's events, kept beside its tests.
//!
//! What always holds: a file that is there is never changed; each is read as a reader would read what is stored; a field or a tag that
//! events get later has a file, too.

use annals_event::{
    CodecError, Event, EventBatch, EventBatchBuilder, EventId, EventType, Metadata, NewEvent, Sequence,
    StreamName, Tag, Timestamp, Version, decode, json::Json,
};
use std::{collections::BTreeSet, env, error::Error, fs, io, path::Path};

/// Set to `write`, it lets [`golden`] add the files that are missing.
const WRITE: &str = "ANNALS_GOLDEN";

/// Holds the stored forms of `E` in `folder` (of this enum alone; relative to the crate): a file
/// `<event type>.v<version>.json` for each form that was ever stored, a further one, `<event type>.v<version>.2.json` and so on,
/// when a version gets another field, and `<event type>.tags` with the keys of the tags.
///
/// `samples` are events with all their fields filled, at least one of each type. What has no file yet is an error
/// until the test was run once with `ANNALS_GOLDEN=write`, which adds files and never changes one; commit what it wrote.
///
/// # Panics
///
/// If a file cannot be read any more, or a field of the newest form in it is read by nothing: then what is stored
/// would be lost or misread. Raise the version, and say with `#[upcast(..)]` how the older form becomes the new one.
/// Or if a tag is not given any more: readers would find the older events by it and the newer ones not.
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
        let payload = sample.encode()?;
        if let Some(name) = missing_form(folder, sample, &payload)? {
            add(&folder.join(name), &[&payload[..], b"\n"].concat(), write)?;
        }
        check_tags(folder, sample, write)?;
    }
    files(folder)?.iter().try_for_each(|name| check_file::<E>(folder, name))
}

fn add(path: &Path, contents: &[u8], write: bool) -> Result<(), Box<dyn Error>> {
    if !write {
        let path = path.display();
        let todo = format!("{path} is missing; run the test once with {WRITE}=write, and commit the file");
        return Err(todo.into());
    }
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    Ok(fs::write(path, contents)?)
}

/// The name of the file that the sample needs; `None`: files of its version have all of its fields.
fn missing_form<E: Event>(
    folder: &Path,
    sample: &E,
    payload: &[u8],
) -> Result<Option<String>, Box<dyn Error>> {
    let stem = format!("{}.v{}", sample.event_type(), sample.schema_version());
    let (mut known, mut name) = (BTreeSet::new(), format!("{stem}.json"));
    for number in 2.. {
        match fs::read(folder.join(&name)) {
            Ok(file) => fields(&Json::parse(file.trim_ascii())?, "", &mut known),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error.into()),
        }
        name = format!("{stem}.{number}.json");
    }
    let mut own = BTreeSet::new();
    fields(&Json::parse(payload)?, "", &mut own);
    Ok((known.is_empty() || !own.is_subset(&known)).then_some(name))
}

/// Adds the paths of all fields, and that of the value itself.
fn fields(value: &Json, path: &str, into: &mut BTreeSet<String>) {
    into.insert(path.to_owned());
    for (name, inner) in value.as_object().into_iter().flatten() {
        fields(inner, &format!("{path}.{name}"), into);
    }
}

/// Holds the keys of the sample's tags. Their values are the event's.
fn check_tags<E: Event>(folder: &Path, sample: &E, write: bool) -> Result<(), Box<dyn Error>> {
    let path = folder.join(format!("{}.tags", sample.event_type()));
    let key = |tag: &Tag| tag.as_str().split(':').next().unwrap_or_default().to_owned();
    let own: BTreeSet<String> = sample.tags()?.iter().map(key).collect();
    let known = match fs::read_to_string(&path) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error.into()),
    };
    if let Some(lost) = known.difference(&own).next() {
        let path = path.display();
        let reason = "is given to no event any more, and readers look for it";
        return Err(format!("{path}: the tag {lost:?} {reason}; keep it beside the new one").into());
    }
    if own == known {
        return Ok(());
    }
    if !known.is_empty() {
        let (path, more) = (path.display(), own.difference(&known).cloned().collect::<Vec<_>>().join(", "));
        return Err(format!("{path}: add a line for each new tag: {more}").into());
    }
    add(&path, (own.into_iter().collect::<Vec<_>>().join("\n") + "\n").as_bytes(), write)
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

/// `order.placed.v3.json`, `order.placed.v3.2.json`: type and version.
fn form(name: &str) -> Option<(&str, u32)> {
    let (event_type, version) = name.strip_suffix(".json")?.rsplit_once(".v")?;
    let version = match version.split_once('.') {
        Some((version, number)) => number.parse::<u32>().is_ok().then_some(version)?,
        None => version,
    };
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
        assert_eq!(form("order.placed.v3.2.json"), Some(("order.placed", 3)));
        assert_eq!(form("order.placed.json"), None);
        assert_eq!(form("order.placed.v3.b.json"), None);
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
