//! Variables of other programs: those that share an environment see each other's.
//!
//! What always holds: what is in a file or a flag is meant for the program that reads it, and so is a variable whose table the program
//! has, or whose name is written much like one that it has. Any other variable is told of and not read. Those that Kubernetes sets, and
//! those of tests, are not even told of.

use super::{
    error::is_slip,
    keys::{self, Keys},
    layers::{Leaf, Origin},
};

/// How the variables end that Kubernetes sets for a service whose name is or begins with `annals`.
const OF_KUBERNETES: [&str; 3] = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"];

/// How the variables begin that tests of the platform and its backends read.
const OF_TESTS: &str = "ANNALS_TEST_";

/// Whether the variable is Kubernetes', or of tests, and nothing is to be told of it.
pub(super) fn is_passed_over(variable: &str) -> bool {
    let ends = || OF_KUBERNETES.iter().any(|end| variable.ends_with(end));
    !variable.contains("__") && (variable.contains("_PORT_") || ends() || variable.starts_with(OF_TESTS))
}

/// The variable that sets the key, if that is another program's; `None`: it is this one's. A program that takes tables which its keys
/// do not name tells that later.
pub(super) fn variable(keys: &Keys, key: &str, leaf: &Leaf) -> Option<String> {
    let Origin::Variable(variable) = &leaf.origin else { return None };
    if keys.settings || keys::needs(key).is_some() {
        return None;
    }
    (!is_slip(keys::table_of(key), keys.tables())).then(|| variable.clone())
}

/// What to say of the variables; `None`: there are none.
pub(super) fn warning(variables: &[String]) -> Option<String> {
    let are_not = match variables {
        [] => return None,
        [_] => "it is",
        _ => "they are",
    };
    Some(format!("{}: no table of this program has such a name; {are_not} not read", variables.join(", ")))
}
