//! Lines 3 to 7 and 15, and parts of 8 and 9: what needs the engine in process, on a simulated disk or over damaged
//! bytes. The engine's own suite judges them; here it is run, once for all lines, and its output is read. Line 15
//! also counts the bugs planted in read models and reactors. Lines 14, 16 and 22 are suites of their own: replays
//! that are killed, fuzzing, and poison events.

use super::Run;
use crate::{card::Finding, ground::cargo};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// The line of the planted bugs, and how many must be caught.
const PLANTED: (u8, u64) = (15, 25);

/// Where else bugs are planted: the package, its suite, and how the names of the tests begin.
const PLANTED_ELSEWHERE: &[(&str, &str, &str)] =
    &[("annals-projection", "planted_bugs", ""), ("annals-reactor", "exactly_once", "planted_bug")];

/// Where consumers meet poison: the package, and how the names of the tests begin.
const POISON: &[(&str, &[&str])] = &[
    ("annals-tests", &["every_consumer_meets_", "poison_on_the_platforms_own_"]),
    ("annals-shop", &["a_poison_event_"]),
];

/// How many crash images are judged at least.
const IMAGES_GATE: u64 = 100_000;
const IMAGES_CARD: u64 = 1_000_000;

/// Which tests belong to a line: those whose name begins like this.
const TESTS: &[(u8, &[&str])] = &[
    (3, &["crashes::"]),
    (4, &["torn::"]),
    (
        5,
        &[
            "damage::a_flipped_bit_anywhere",
            "damage::a_flipped_bit_is_named",
            "damage::damaged_missing_and_foreign",
            "based::",
            "scrubbed::",
        ],
    ),
    (6, &["damage::a_flipped_bit_below_the_last_sync", "damage::zeros_in_the_middle"]),
    (7, &["damage::missing_swapped_foreign", "ends::", "histories::"]),
    (8, &["faults::after_any_failed_operation"]),
    (9, &["faults::when_any_operation_lacks", "faults::a_full_disk"]),
    (15, &["planted::"]),
];

/// How long each fuzz target runs.
const FUZZING_MS_GATE: u64 = 6_000;
const FUZZING_MS_CARD: u64 = 120_000;
/// How often a replay is killed in each phase.
const REPLAY_KILLS_GATE: u64 = 3;
const REPLAY_KILLS_CARD: u64 = 25;

/// How the names of the tests begin that kill and cancel replays, and of those that fuzz.
const REPLAYS: &[&str] = &["a_process_killed_in_any_phase", "a_replay_that_is_cancelled"];
const FUZZING: &[&str] = &["hostile_bytes::", "no_damage_makes_"];

/// Line 14: processes that carry out a replay are killed in each phase of it.
pub(super) async fn replays(run: &Run) -> Result<Finding> {
    let kills = run.effort.pick(REPLAY_KILLS_GATE, REPLAY_KILLS_CARD).to_string();
    // As `cargo test` builds it: building the read models' database a second time takes long.
    let tests = ["test", "-p", "annals-replay", "--test", "processes", "--test", "endings"];
    let suite = Suite::of(&tests, REPLAYS, &[("ANNALS_KILLS", &kills)]).await?;
    let mut finding = suite.finding(REPLAYS)?;
    finding.note(
        "kills of the worker alone, and at the points where it once died: `cargo test -p annals-replay`",
    );
    Ok(finding)
}

/// Line 22: every consumer of the log, including those of the shop, meets an event of each kind that it cannot
/// handle.
pub(super) async fn poison() -> Result<Finding> {
    let mut finding = Finding::default();
    for (package, names) in POISON {
        let suite = Suite::of(&["test", "-p", package, "--test", "poison"], names, &[]).await?;
        let Finding { violations, counts, .. } = suite.finding(names)?;
        finding.violations.take_in(violations);
        counts.into_iter().for_each(|count| finding.count(count.count, count.what));
    }
    Ok(finding)
}

/// Line 16: fuzz targets with random inputs.
pub(super) async fn fuzzing(run: &Run) -> Result<Finding> {
    let time_ms = run.effort.pick(FUZZING_MS_GATE, FUZZING_MS_CARD).to_string();
    let tests = ["test", "--release", "-p", "annals-log", "--lib", "--test", "fuzz"];
    let suite = Suite::of(&tests, FUZZING, &[("BOLERO_RANDOM_TEST_TIME_MS", &time_ms)]).await?;
    let mut finding = suite.finding(FUZZING)?;
    finding.note(
        "not fuzzed: snapshots, gRPC, HTTP; hostile requests are tests: `cargo test -p annals-event-store --test network`",
    );
    Ok(finding)
}

/// What a suite said.
pub(crate) struct Suite {
    /// The tests, and whether they passed.
    tests: BTreeMap<String, bool>,
    /// What each of them printed.
    printed: BTreeMap<String, Vec<String>>,
}

/// What the suite found about a line.
pub(super) async fn finding(run: &Run, line: u8) -> Result<Finding> {
    let suite = run.suite.get_or_try_init(|| Suite::of_engine(run)).await?;
    let names = TESTS.iter().find(|(number, _)| *number == line).map(|(_, names)| *names);
    let mut finding = suite.finding(names.with_context(|| format!("no test stands for line {line}"))?)?;
    if line == PLANTED.0 {
        let mut caught = suite.caught();
        for (package, test, name) in PLANTED_ELSEWHERE {
            let suite = Suite::of(&["test", "-p", package, "--test", test], &[name], &[]).await?;
            let Finding { violations, .. } = suite.finding(&[name])?;
            finding.violations.take_in(violations);
            caught += suite.caught();
        }
        finding.counts.clear();
        finding.count(caught, "planted bugs caught");
        let due = PLANTED.1;
        finding.violations.must(caught >= due, || format!("{caught} planted bugs are caught, not {due}"));
    }
    Ok(finding)
}

impl Suite {
    /// The engine's own suite, as far as the wanted lines need it.
    async fn of_engine(run: &Run) -> Result<Self> {
        let images = run.effort.pick(IMAGES_GATE, IMAGES_CARD).to_string();
        let tests = ["test", "--release", "-p", "annals-log", "--test", "crash"];
        let wanted = TESTS.iter().filter(|(line, _)| run.wants(*line));
        let names: Vec<_> = wanted.flat_map(|(_, names)| names.iter().copied()).collect();
        Self::of(&tests, &names, &[("ANNALS_CRASH_IMAGES", &images)]).await
    }

    /// Builds tests as cargo's arguments say, and runs those with these names.
    async fn of(tests: &[&str], names: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let built = cargo().args(tests).args(["--quiet", "--no-run"]).status().await?;
        ensure!(built.success(), "cargo {} does not build", tests.join(" "));
        let mut running = cargo();
        running.args(tests).args(["--no-fail-fast", "--", "--show-output"]).args(names);
        running.envs(variables.iter().copied()).env("RUST_BACKTRACE", "0");
        let output = running.output().await?;
        Ok(Self::read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Reads the output of a run of tests: a line for each test, then what each printed.
    fn read(output: &str) -> Self {
        let (mut tests, mut printed) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
        let mut speaker: Option<String> = None;
        for line in output.lines() {
            if let Some((name, result)) = line.strip_prefix("test ").and_then(|test| test.split_once(" ... "))
            {
                tests.insert(name.to_owned(), result == "ok");
            } else if let Some(name) = line.strip_prefix("---- ") {
                speaker = name.split(' ').next().map(str::to_owned);
            } else if ["successes:", "failures:"].contains(&line) {
                speaker = None;
            } else if line.is_empty() {
                // Between two tests.
            } else if let Some(speaker) = &speaker {
                printed.entry(speaker.clone()).or_default().push(line.to_owned());
            }
        }
        Self { tests, printed }
    }

    fn finding(&self, names: &[&str]) -> Result<Finding> {
        let mut finding = Finding::default();
        let mut passed = 0;
        for name in names {
            let tests: Vec<_> = self.tests.iter().filter(|(test, _)| test.starts_with(name)).collect();
            ensure!(!tests.is_empty(), "the engine's suite has no test {name}...");
            for (test, good) in tests {
                passed += u64::from(*good);
                let said = self.printed.get(test).map(Vec::as_slice).unwrap_or_default();
                if *good {
                    said.iter()
                        .filter_map(|line| counted(line))
                        .for_each(|(count, what)| finding.count(count, what));
                } else {
                    finding.violations.add(format!("{test}: {}", said.join(" / ")));
                }
            }
        }
        finding.count(passed, "tests passed");
        Ok(finding)
    }

    /// How many planted bugs the tests report as caught.
    fn caught(&self) -> u64 {
        let passed = self.printed.iter().filter(|(test, _)| self.tests.get(*test) == Some(&true));
        let bugs = passed.flat_map(|(_, said)| said).filter_map(|line| line.split_once(" is caught: "));
        let bugs: BTreeSet<_> = bugs.map(|(bug, _)| bug).collect();
        u64::try_from(bugs.len()).unwrap_or(u64::MAX)
    }
}

/// `12 things judged` as a number of things.
fn counted(line: &str) -> Option<(u64, String)> {
    let (number, what) = line.split_once(' ')?;
    Some((number.parse().ok()?, what.trim_end_matches(" judged").replace(", all named", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
running 3 tests
test crashes::a_power_cut ... ok
test crashes::the_same_seed ... ok
test torn::an_append ... FAILED

successes:

---- crashes::a_power_cut stdout ----
120000 crash images of 70 seeds judged


successes:
    crashes::a_power_cut
    crashes::the_same_seed

failures:

---- torn::an_append stdout ----
half of it survived
";

    #[test]
    fn counts_are_read_from_what_the_tests_print() {
        let finding = Suite::read(OUTPUT).finding(&["crashes::"]).unwrap();
        let counts: Vec<_> = finding.counts.iter().map(|count| (count.count, count.what.as_str())).collect();
        assert_eq!(counts, [(120_000, "crash images of 70 seeds"), (2, "tests passed")]);
        assert_eq!(finding.violations.count, 0);
    }

    #[test]
    fn a_failed_test_is_a_violation_and_a_missing_one_is_no_judgement() {
        let suite = Suite::read(OUTPUT);
        let torn = suite.finding(&["torn::"]).unwrap();
        assert_eq!(torn.violations.first, ["torn::an_append: half of it survived"]);
        assert!(suite.finding(&["planted::"]).is_err());
    }

    #[test]
    fn bugs_are_counted_once_and_only_where_the_test_passed() {
        let output = "
test planted::a ... ok
test planted::b ... ok
test planted::c ... FAILED

successes:

---- planted::a stdout ----
SyncRetried is caught: an append is lost

---- planted::b stdout ----
SyncRetried is caught: an append is lost
NotSynced is caught: a segment is missing

failures:

---- planted::c stdout ----
NotPoisoned is caught: half
";
        assert_eq!(Suite::read(output).caught(), 2);
    }
}

#[cfg(test)]
mod names {
    use super::*;
    use std::{fs, path::Path};

    /// The text of all sources below `folder`.
    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    /// A line whose tests were renamed would be found out only by the score card, after minutes.
    #[test]
    fn every_name_that_a_line_asks_for_begins_the_name_of_a_test() {
        let (root, mut text) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), String::new());
        ["platform", "examples", "tests"].iter().for_each(|folder| sources(&root.join(folder), &mut text));
        let of_lines =
            TESTS.iter().flat_map(|(_, names)| *names).chain(POISON.iter().flat_map(|(_, names)| *names));
        let elsewhere = PLANTED_ELSEWHERE.iter().map(|(_, _, name)| name);
        for name in of_lines.chain(elsewhere).chain(REPLAYS).chain(FUZZING) {
            let (module, test) = name.rsplit_once("::").unwrap_or(("", name));
            assert!(
                module.is_empty() || text.contains(&format!("mod {module}")),
                "no module {module} ({name})"
            );
            assert!(test.is_empty() || text.contains(&format!("fn {test}")), "no test begins with {name}");
        }
    }
}
