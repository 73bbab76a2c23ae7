//! Places in a JSON value, for people: `field lines[3].price`.

/// Longest place that is told, in bytes; what lies deeper is cut off.
const PLACE_BYTES_MAX: usize = 256;

/// The step to an object's field.
pub(super) fn field(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(plain) { format!(".{name}") } else { format!("[{name:?}]") }
}

/// The step to an array's element.
pub(super) fn element(index: usize) -> String {
    format!("[{index}]")
}

/// The place that these steps lead to, the outermost first.
pub(super) fn place<'a>(steps: impl Iterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for step in steps {
        if path.len() + step.len() > PLACE_BYTES_MAX {
            path.push_str("...");
            break;
        }
        path.push_str(step);
    }
    match path.strip_prefix('.').unwrap_or(&path) {
        "" => "the payload".to_owned(),
        path => format!("field {path}"),
    }
}
