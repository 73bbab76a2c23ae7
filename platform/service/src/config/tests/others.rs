//! Variables in an environment that several programs share.

use super::*;

/// What a service takes: its table `mail` and its read model `customer_value`.
fn all_taken(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Option<String>, String> {
    let config = given(arguments, variables, &format!("{MAIL}{file}")).map_err(|error| error.to_string())?;
    config.settings::<Mail>("mail").map_err(|error| error.to_string())?;
    config.read_model("customer_value").unwrap();
    config.all_taken().map_err(|error| error.to_string())
}

#[test]
fn a_table_of_another_service_is_told_of_in_one_line_and_not_read() {
    let one = [("ANNALS_LENDING__PORT", "8081"), ("ANNALS_MAIL__RETRIES", "3")];
    let told = all_taken(&[], &one, "").unwrap().unwrap();
    assert_eq!(told, "ANNALS_LENDING__PORT: no table of this program has such a name; it is not read");
    let near_by_chance = [("ANNALS_LOAN__DAYS", "7"), ("ANNALS_STOCK__SIZE", "7")];
    assert!(all_taken(&[], &near_by_chance, "").unwrap().unwrap().contains("they are not read"));
    let many = [
        ("ANNALS_LENDING__PORT", "8081"),
        ("ANNALS_LENDING__PASSWORD", "hunter2"),
        ("ANNALS_READ_MODEL__LOANS__SNAPSHOT_EVERY", "9"),
    ];
    assert_eq!(
        all_taken(&[], &many, "").unwrap().unwrap(),
        "ANNALS_LENDING__PASSWORD, ANNALS_LENDING__PORT, ANNALS_READ_MODEL__LOANS__SNAPSHOT_EVERY: no table of this program \
         has such a name; they are not read"
    );
    assert_eq!(all_taken(&[], &[("ANNALS_MAIL__RETRIES", "3")], ""), Ok(None));
}

#[test]
fn a_variable_that_is_written_much_like_one_of_ours_is_refused() {
    for (variable, told) in [
        (
            "ANNALS_MIAL__URL",
            "mial.url (from ANNALS_MIAL__URL): there is no such key; did you mean mail.url?",
        ),
        (
            "ANNALS_HTPP__REQUEST",
            "htpp.request (from ANNALS_HTPP__REQUEST): there is no such key; did you mean http.request?",
        ),
        (
            "ANNALS_READ_MODEL__CUSTOMER_VALUES__SNAPSHOT_EVERY",
            "read_model.customer_values.snapshot_every (from ANNALS_READ_MODEL__CUSTOMER_VALUES__SNAPSHOT_EVERY): there is no \
             such key; did you mean read_model.customer_value.snapshot_every?",
        ),
        ("ANNALS_HTTP__COLOUR", "http.colour (from ANNALS_HTTP__COLOUR): there is no such key"),
        ("ANNALS_MAIL__COLOUR", "mail.colour (from ANNALS_MAIL__COLOUR): there is no such key"),
    ] {
        assert_eq!(all_taken(&[], &[(variable, "9")], "").unwrap_err(), told);
    }
}

#[test]
fn a_table_that_nobody_takes_is_refused_in_a_file_and_a_flag() {
    assert_eq!(
        all_taken(&[], &[], "lending.port = 8081").unwrap_err(),
        "lending.port (from annals.toml): there is no such key"
    );
    assert_eq!(
        all_taken(&["--lending.port=8081"], &[], "").unwrap_err(),
        "lending.port (from --lending.port): there is no such key"
    );
}
