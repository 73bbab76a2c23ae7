//! How long functions are, by the way in which they are formatted: the brace that ends one stands below its first word.

use annals_tests::SourceFile;

const LINES_MAX: usize = 50;

/// The functions of more than [`LINES_MAX`] lines, as `path:line: lines`.
pub(super) fn long_functions(file: &SourceFile) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| begins_function(line));
    let long = begins.filter_map(|(at, _)| {
        let length = function_lines(&lines[at..]);
        (length > LINES_MAX).then(|| format!("{}:{}: {length} lines", file.path.display(), at + 1))
    });
    long.collect()
}

/// Whether `fn` is the first word of the line that is not about who may call it and how.
fn begins_function(line: &str) -> bool {
    let before_it = |word: &&str| {
        word.starts_with("pub")
            || word.starts_with('"')
            || ["const", "async", "unsafe", "extern"].contains(word)
    };
    line.split_whitespace().find(|word| !before_it(word)) == Some("fn")
}

/// How many lines the function has that begins with the first of them.
fn function_lines(lines: &[&str]) -> usize {
    let Some(first) = lines.first() else { return 0 };
    let indent = &first[..first.len() - first.trim_start().len()];
    let ends = |line: &&str| {
        let Some(rest) = line.strip_prefix(indent) else { return false };
        // A body, or a declaration without one.
        rest == "}" || (rest.ends_with(';') && !rest.starts_with(' '))
    };
    let on_one_line = first.ends_with(';') || first.ends_with('}');
    if on_one_line { 1 } else { lines.iter().position(ends).map_or(lines.len(), |at| at + 1) }
}

#[test]
fn the_length_of_a_function_is_from_its_name_to_its_brace() {
    let text = "impl A {\n    pub(crate) async fn long(\n        &self,\n    ) {\n        a();\n        b();\n    }\n    fn none();\n    fn one() {}\n}\n";
    let lines: Vec<&str> = text.lines().collect();
    let begins: Vec<usize> = (0..lines.len()).filter(|at| begins_function(lines[*at])).collect();
    assert_eq!(begins, [1, 7, 8]);
    let lengths: Vec<usize> = begins.iter().map(|at| function_lines(&lines[*at..])).collect();
    assert_eq!(lengths, [6, 1, 1]);
}
