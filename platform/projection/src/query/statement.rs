//! SQL that reads rows, and what SQL of one's own must be.

use super::QueryError;
use crate::{TableSchema, identifier::quoted};
use std::collections::BTreeSet;

/// What stands in SQL and is none: how it begins, and how it ends.
const QUOTED: [(&str, &str); 4] = [("'", "'"), ("\"", "\""), ("--", "\n"), ("/*", "*/")];

/// What reads all columns of a table's rows, in their order. A clause may follow.
pub(crate) fn select_rows(schema: &TableSchema) -> String {
    let table = quoted(schema.name);
    let columns: Vec<_> =
        schema.columns.iter().map(|column| format!("{table}.{}", quoted(column.name))).collect();
    format!("SELECT {} FROM {table}", columns.join(", "))
}

/// Checks what follows `SELECT .. FROM table`: one statement, with a parameter for each of `values` values.
pub(crate) fn check_clause(sql: &'static str, values: usize) -> Result<(), QueryError> {
    let refuse = |reason: String| Err(QueryError::Statement { sql, reason });
    let code = without_quoted(sql);
    if code.contains(';') {
        return refuse("it is more than one statement; leave out the `;`".to_owned());
    }
    if code.contains('?') {
        return refuse("parameters are written $1, $2 and so on".to_owned());
    }
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for after in code.split('$').skip(1) {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        match digits.parse() {
            Ok(number) => used.insert(number),
            Err(_) => return refuse("parameters are written $1, $2 and so on".to_owned()),
        };
    }
    match (1..=values).find(|number| !used.contains(number)) {
        Some(unused) => refuse(format!("{values} values are given, and it has no ${unused}")),
        None if used.len() > values => {
            refuse(format!("it has {} parameters, and {values} values are given", used.len()))
        }
        None => Ok(()),
    }
}

/// Checks a whole statement, which must read and do nothing else.
pub(crate) fn check_select(sql: &'static str, values: usize) -> Result<(), QueryError> {
    let code = without_quoted(sql);
    let first = code.split_whitespace().next().unwrap_or_default();
    if !["SELECT", "WITH"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        let reason = "it begins with neither SELECT nor WITH".to_owned();
        return Err(QueryError::Statement { sql, reason });
    }
    check_clause(sql, values)
}

fn without_quoted(mut sql: &str) -> String {
    let mut code = String::new();
    loop {
        let found = QUOTED.iter().filter_map(|quotes| Some((sql.split_once(quotes.0)?, quotes.1)));
        let Some(((before, after), end)) = found.min_by_key(|((before, _), _)| before.len()) else {
            return code + sql;
        };
        code.push_str(before);
        code.push(' ');
        sql = after.split_once(end).map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_value_and_every_value_a_parameter() {
        for (sql, values) in [
            ("", 0),
            ("WHERE a = $1 OR b = $1 ORDER BY c LIMIT $2", 2),
            ("WHERE a = '$3 ? ;' AND \"b?\" = 'it''s; $2' -- $9;\n/* ? */ AND c = $1", 1),
            ("WHERE a IN ($1,$2,$3,$4,$5,$6,$7,$8)", 8),
        ] {
            assert_eq!(check_clause(sql, values), Ok(()), "{sql}");
        }
        for (sql, values, due) in [
            ("WHERE a = $1", 0, "it has 1 parameters, and 0 values are given"),
            ("WHERE a = $2", 1, "1 values are given, and it has no $1"),
            ("WHERE a = $1 AND b = $3", 2, "2 values are given, and it has no $2"),
            ("WHERE a = $0", 0, "it has 1 parameters, and 0 values are given"),
            ("WHERE a = ?", 1, "parameters are written $1, $2 and so on"),
            ("WHERE a = $name", 1, "parameters are written $1, $2 and so on"),
            ("WHERE a = 1; COMMIT", 0, "it is more than one statement; leave out the `;`"),
        ] {
            let reason = due.to_owned();
            assert_eq!(check_clause(sql, values), Err(QueryError::Statement { sql, reason }), "{sql}");
        }
    }

    #[test]
    fn a_statement_reads() {
        assert_eq!(check_select(" /* x */ select count(*) FROM a", 0), Ok(()));
        assert_eq!(check_select("WITH a AS (SELECT 1) SELECT * FROM a WHERE $1 = 1", 1), Ok(()));
        for sql in ["", "COMMIT", "DELETE FROM a", "PRAGMA user_version", "-- SELECT", "SELECTED"] {
            assert!(check_select(sql, 0).is_err(), "{sql}");
        }
    }
}
