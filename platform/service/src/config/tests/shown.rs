//! What is shown of a configuration, and that no secret is.

use super::*;
use std::collections::BTreeMap;

#[test]
fn secrets_in_a_file_that_everybody_can_read_are_warned_of_by_name() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("annals.toml");
    let mail = "mail = { password = 'hunter2', url = 'smtp://shop:hunter2@mail', to = ['a@b'], password_file = 'x' }";
    let warning = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let given = Given { arguments: vec![], variables: vec![], folder: folder.path().to_owned() };
        Config::of("orders", &keys::SERVICE, given).unwrap().warnings().first().cloned()
    };
    let told = warning(mail, 0o644).unwrap();
    assert!(told.starts_with("every user of this machine can read annals.toml"), "{told}");
    assert!(told.contains("it has secrets: mail.password, mail.url; let mail.password_file name"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let account = "[[mail.account]]\nuser = 'ann'\npassword = 'hunter2'";
    let told = warning(account, 0o644).unwrap();
    assert!(
        told.ends_with("it has secrets: mail.account; take the right to read annals.toml from others"),
        "{told}"
    );
    assert_eq!(warning(mail, 0o640), None);
    assert_eq!(warning("mail = { password_file = 'x', url = 'smtp://mail' }", 0o644), None);
}

#[test]
fn no_password_is_shown_wherever_it_was_written() {
    let url = "postgres://shop:hunter2@db/shop";
    for told in [
        refused(&["--store", url], &[], ""),
        refused(&["--store", "http://shop:hunter2@db:1"], &[], ""),
        refused(&["--listen", url], &[], ""),
        refused(&[url], &[], ""),
        refused(&[], &[("ANNALS_HTTP__REQUEST", url)], ""),
        refused(&[], &[], &format!("data = 'a'\nmail.url = {url}")),
        given(&["--mail.retries", url], &[], MAIL).unwrap().settings::<Mail>("mail").unwrap_err().to_string(),
        given(&[], &[("ANNALS_MAIL__URL", url)], "mail.password = 'hunter2'").unwrap().to_string(),
        format!("{:?}", given(&[], &[("ANNALS_MAIL__URL", url)], "mail.password = 'hunter2'").unwrap()),
        refused(&[], &[], "store.url = 'http://shop:hunter2@db:1'"),
    ] {
        assert!(!told.contains("hunter2"), "{told}");
    }
    let config = given(&[], &[("ANNALS_MAIL__URL", url)], "mail.password = 'hunter2'").unwrap();
    assert_eq!(line_of(&config, "mail.url"), "mail.url = \"postgres://shop:***@db/shop\" # ANNALS_MAIL__URL");
    assert_eq!(line_of(&config, "mail.password"), "mail.password = \"***\" # annals.toml");
}

#[test]
fn a_secret_in_a_list_is_not_shown_either() {
    let file = "[[mail.account]]\nuser = 'ann'\npassword = 'hunter2'\nurls = ['smtp://ann:hunter2@mail']\n\
                [[mail.account]]\npins = { main = 1234, other = ['hunter2'] }\n\
                [mail]\ntokens = ['hunter2']\npin = 1234\ndsn = 'host=mail password=hunter2'";
    let config = given(&[], &[], file).unwrap();
    let printed = config.to_string();
    assert!(!printed.contains("hunter2") && !printed.contains("1234"), "{printed}");
    assert!(printed.contains("user = \"ann\"") && printed.contains("smtp://ann:***@mail"), "{printed}");
    assert_eq!(line_of(&config, "mail.dsn"), "mail.dsn = \"host=mail password=***\" # annals.toml");
    let refused = config.settings::<BTreeMap<String, u32>>("mail").unwrap_err().to_string();
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn what_is_printed_says_the_same_when_it_is_read_again() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Mail {
        user: String,
        name: String,
        retries: u32,
        sure: bool,
        to: Vec<String>,
    }
    let variables = [
        ("ANNALS_MAIL__USER", "0042"),
        ("ANNALS_MAIL__NAME", "42"),
        ("ANNALS_MAIL__RETRIES", "3"),
        ("ANNALS_MAIL__SURE", "true"),
        ("ANNALS_MAIL__TO", "a@b, c@d"),
    ];
    let config = given(&["--data=0042", "--listen=0.0.0.0:80"], &variables, "").unwrap();
    assert_eq!(line_of(&config, "http.drain"), "http.drain = \"5s\" # default");
    let again = given(&[], &[], &config.to_string()).unwrap();
    assert_eq!(again.settings::<Mail>("mail").unwrap(), config.settings::<Mail>("mail").unwrap());
    assert_eq!((again.data, again.http), (config.data, config.http));
}
