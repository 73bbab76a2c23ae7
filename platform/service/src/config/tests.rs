mod each_key;
mod odd;
mod others;
mod shown;

use super::*;
use serde::Deserialize;
use std::{fs, path::Path};
use tokio::sync::Semaphore;

/// A program of this name with these arguments, these variables and this file.
fn given(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        fs::write(folder.path().join("annals.toml"), file).unwrap();
    }
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Config::of("orders", &keys::SERVICE, Given { arguments, variables, folder: folder.path().to_owned() })
}

fn refused(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> String {
    given(arguments, variables, file).unwrap_err().to_string()
}

/// The line of `key` in the effective configuration.
fn line_of(config: &Config, key: &str) -> String {
    let text = config.to_string();
    let line = text.lines().find(|line| line.starts_with(&format!("{key} =")));
    let line = line.unwrap_or_else(|| panic!("{key} is missing in\n{text}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn short_forms_are_the_same_keys() {
    let config =
        given(&["--store", "http://a:1", "--data", "d"], &[("ANNALS_LISTEN", "127.0.0.1:0")], "").unwrap();
    assert_eq!(line_of(&config, "store.url"), "store.url = \"http://a:1\" # --store");
    assert_eq!(line_of(&config, "listen"), "listen = \"127.0.0.1:0\" # ANNALS_LISTEN");
    let config = given(&[], &[("ANNALS_STORE", "memory:"), ("ANNALS_DATA", "e")], "").unwrap();
    assert_eq!((config.store.url, config.data.to_str()), (StoreUrl::Memory, Some("e")));
}

#[test]
fn without_anything_there_are_defaults() {
    let config = given(&[], &[], "").unwrap();
    assert_eq!(line_of(&config, "http.request"), "http.request = \"30s\" # default");
    assert_eq!((config.store.url, config.http.drain.as_secs()), (StoreUrl::Log, 0));
    assert_eq!(config.read_models.folder.as_deref(), Some(Path::new("annals-data/read-models")));
    assert_eq!(given(&["--listen=[::]:80"], &[], "").unwrap().http.drain.as_secs(), 5);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    for (file, told) in [
        (
            "store.ulr = 'http://a:1'",
            "store.ulr (from annals.toml): there is no such key; did you mean store.url?",
        ),
        (
            "[http]\nrequests = '3s'",
            "http.requests (from annals.toml): there is no such key; did you mean http.request?",
        ),
        ("lisen = '127.0.0.1:0'", "lisen (from annals.toml): there is no such key; did you mean listen?"),
        (
            "read_model.orders.snapshot_evry = 9",
            "read_model.orders.snapshot_evry (from annals.toml): there is no such key; did you mean read_model.orders.snapshot_every?",
        ),
        ("telemetry.colour = 'red'", "telemetry.colour (from annals.toml): there is no such key"),
    ] {
        assert_eq!(refused(&[], &[], file), told);
    }
    assert_eq!(
        refused(&[], &[("ANNALS_DATTA", "x")], ""),
        "datta (from ANNALS_DATTA): there is no such key; did you mean ANNALS_DATA?"
    );
    assert_eq!(
        refused(&[], &[("ANNALS_HTTP__REQEST", "3s")], ""),
        "http.reqest (from ANNALS_HTTP__REQEST): there is no such key; did you mean http.request?"
    );
    assert_eq!(
        refused(&["--lisen", "127.0.0.1:0"], &[], ""),
        "--lisen: there is no such flag; did you mean --listen?; --help tells them all"
    );
    assert_eq!(
        refused(&["serve"], &[], ""),
        "serve: it is no flag; a flag begins with --; --help tells them all"
    );
    assert_eq!(
        refused(&["--data"], &[], ""),
        "--data: its value is missing, as in --data=VALUE; --help tells them all"
    );
}

#[test]
fn a_value_that_cannot_be_is_refused_with_what_to_write() {
    for (file, told) in [
        (
            "http.request = 30",
            "http.request (from annals.toml): 30 has no unit; write 500ms, 30s, 5m, 2h or 365d",
        ),
        (
            "http.body = '1 MegaByte'",
            "http.body (from annals.toml): \"MegaByte\" in \"1 MegaByte\" is no unit; write 512 B, 16 KiB, 1 MiB, 200 GiB or 1 TB",
        ),
        (
            "log.retain_age = '0d'",
            "log.retain_age (from annals.toml): \"0d\" drops every event; leave it out to keep all",
        ),
        ("store.call = '0s'", "store.call (from annals.toml): \"0s\" leaves no time for any call"),
        (
            "log.retain_size = '0 B'",
            "log.retain_size (from annals.toml): \"0 B\" drops every event; leave it out to keep all",
        ),
        ("http.request = '0s'", "http.request (from annals.toml): \"0s\" leaves no time for any request"),
        ("http.body = '0 KiB'", "http.body (from annals.toml): \"0 KiB\" takes no body at all"),
        ("http.connections = 0", "http.connections (from annals.toml): \"0\" is no whole number from 1 on"),
        (
            "listen = 8080",
            "listen (from annals.toml): \"8080\": it must be an address and a port, such as 127.0.0.1:8080",
        ),
        (
            "telemetry.sample = 2",
            "telemetry.sample (from annals.toml): \"2\" is no share; write a number from 0 to 1, such as 0.01",
        ),
        (
            "telemetry.log = 'xml'",
            "telemetry.log (from annals.toml): \"xml\" is no form of log lines; write text or json",
        ),
        ("http.body = ['1 MiB']", "http.body (from annals.toml): it must be one value, no list"),
        ("data = ''", "data (from annals.toml): it is empty; write the name of a folder"),
        (
            "store.url = 'htp://a:1'",
            "store.url (from annals.toml): no event store has the scheme \"htp\"; write http://HOST:PORT for one that is served, \
             memory: for tests, or leave it out for the log in the data folder",
        ),
        (
            "store.url = 'http://a:1'\nlog.reserve = '1 GiB'",
            "log.reserve (from annals.toml): it is for the log in the data folder, and store.url names http://a:1; leave one out",
        ),
        ("a = 1\nb ==", "annals.toml, line 2: extra `=`, expected nothing"),
    ] {
        assert_eq!(refused(&[], &[], file), told);
    }
}

#[test]
fn more_connections_than_can_be_counted_are_refused() {
    let most = Semaphore::MAX_PERMITS;
    let told = refused(&[&format!("--http.connections={}", most + 1)], &[], "");
    let expected = format!("\"{}\" is too many; write a number from 1 to {most}", most + 1);
    assert_eq!(told, format!("http.connections (from --http.connections): {expected}"));
    let config = given(&[&format!("--http.connections={most}")], &[], "").unwrap();
    assert_eq!(config.http.limits.connections_max, most);
}

#[test]
fn a_port_that_cannot_be_is_refused() {
    for url in ["http://127.0.0.1:99999", "http://a:65536", "http://[::1]:123456", "http://a:"] {
        let told = refused(&["--store", url], &[], "");
        let expected = format!("{url:?} is no address; write http://HOST:PORT, with a port from 1 to 65535");
        assert_eq!(told, format!("store.url (from --store): {expected}"));
    }
    let told = refused(&["--store", "http://a:0"], &[], "");
    assert!(told.ends_with("with a port from 1 to 65535"), "{told}");
    for url in ["http://a:65535", "http://[::1]:7400", "http://a"] {
        assert_eq!(given(&["--store", url], &[], "").unwrap().store.url, StoreUrl::Http(url.into()));
    }
}

#[test]
fn what_is_not_there_yet_is_said_so() {
    for (file, told) in [
        (
            "auth.tokens_file = 'x'",
            "auth.tokens_file (from annals.toml): authentication is not there yet; leave it out",
        ),
        ("store.ca_file = 'ca.pem'", "store.ca_file (from annals.toml): TLS is not there yet; leave it out"),
        (
            "store.url = 'https://a:1'",
            "store.url (from annals.toml): https comes with TLS, which is not there yet; use http:",
        ),
        (
            "store.url = 'unix:/run/annals.sock'",
            "store.url (from annals.toml): unix comes with Unix sockets, which are not there yet; use http:",
        ),
        (
            "read_models.snapshots = 's3://bucket'",
            "read_models.snapshots (from annals.toml): s3:// is not there yet; write a folder of this machine",
        ),
    ] {
        assert_eq!(refused(&[], &[], file), told);
    }
}

#[test]
fn read_models_are_in_a_database_where_the_program_is_built_for_it() {
    let file = "read_models.url = 'postgres://shop:hunter2@db/shop'";
    if cfg!(feature = "postgres") {
        let config = given(&[], &[], file).unwrap().read_models;
        assert!(
            matches!(&config.url, CatalogUrl::Postgres(url) if url.reveal().ends_with("hunter2@db/shop"))
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!((config.folder, config.schema.as_str(), config.views), (None, "annals", false));
        let told = refused(&[], &[], "read_models.url = 'postgres:shop:hunter2@db'");
        assert!(told.contains("is no address; write postgres://USER@HOST/DATABASE"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    } else {
        let told = refused(&[], &[], file);
        assert!(told.contains("the feature \"postgres\" of the crate annals"), "{told}");
    }
    let told = refused(&[], &[], "read_models.schema = 'Annals; DROP'");
    assert!(told.contains("is no name of a schema"), "{told}");
    let told = refused(&[], &[], "read_models.password_file = '/nowhere/at/all'");
    assert!(told.contains("read_models.password_file") && told.contains("/nowhere/at/all"), "{told}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    assert_eq!(
        refused(&["--config", "/nowhere/annals.toml"], &[], ""),
        "--config: cannot read /nowhere/annals.toml: No such file or directory (os error 2)"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    fs::write(&file, "data = 'of-the-file'").unwrap();
    let file = file.to_str().unwrap();
    for config in
        [given(&["--config", file], &[], "data = 'x'"), given(&[], &[("ANNALS_CONFIG", file)], "data = 'x'")]
    {
        assert_eq!(config.unwrap().data, Path::new("of-the-file"));
    }
}

#[derive(Debug, Deserialize)]
struct Mail {
    url: String,
    password: Option<Secret>,
    retries: Option<u32>,
    #[serde(default)]
    to: Vec<String>,
}

const MAIL: &str = "mail.url = 'smtp://mail:25'\n";

#[test]
fn a_table_of_ones_own_comes_from_all_layers() {
    let variables = [("ANNALS_MAIL__RETRIES", "3"), ("ANNALS_MAIL__PASSWORD", "hunter2")];
    let config = given(&["--mail.to=anna@a.org, ben@b.org"], &variables, MAIL).unwrap();
    let mail: Mail = config.settings("mail").unwrap();
    assert_eq!(
        (mail.url.as_str(), mail.retries, mail.to),
        ("smtp://mail:25", Some(3), vec!["anna@a.org".to_owned(), "ben@b.org".into()])
    );
    assert_eq!(mail.password.unwrap().reveal(), "hunter2");
    assert_eq!(config.all_taken().unwrap(), None);
}

#[test]
fn a_table_of_ones_own_is_refused_with_the_key() {
    let told = |arguments: &[&str], file: &str| {
        given(arguments, &[], file).unwrap().settings::<Mail>("mail").unwrap_err().to_string()
    };
    assert_eq!(
        told(&[], ""),
        "mail.url is missing; set it in annals.toml, as ANNALS_MAIL__URL or as --mail.url"
    );
    assert_eq!(
        told(&[], "mail = { url = 'a', retires = 3 }"),
        "mail.retires (from annals.toml): there is no such key; did you mean mail.retries?"
    );
    assert_eq!(
        told(&["--mail.retries=many"], MAIL),
        "mail.retries (from --mail.retries): invalid value: string \"many\", expected u32"
    );
    assert_eq!(
        told(&["--mail.password=hunter2"], MAIL),
        "mail.password (from --mail.password): everybody on this machine can read a flag; use mail.password_file or \
         ANNALS_MAIL__PASSWORD"
    );
}

#[test]
fn a_secret_comes_from_the_file_that_a_key_names() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("mail");
    fs::write(&secret, "hunter2\n").unwrap();
    let file = format!("{MAIL}mail.password_file = {:?}", secret.to_str().unwrap());
    let config = given(&[], &[], &file).unwrap();
    let mail: Mail = config.settings("mail").unwrap();
    assert_eq!(mail.password.as_ref().unwrap().reveal(), "hunter2");
    assert!(!format!("{mail:?} {config:?}").contains("hunter2"));
    let both =
        given(&[], &[("ANNALS_MAIL__PASSWORD", "x")], &file).unwrap().settings::<Mail>("mail").unwrap_err();
    assert!(both.to_string().ends_with("password is set as well; leave one out"), "{both}");
    let missing = given(&[], &[], &format!("{MAIL}mail.password_file = '/run/none'")).unwrap();
    assert_eq!(
        missing.settings::<Mail>("mail").unwrap_err().to_string(),
        "mail.password_file (from annals.toml): cannot read /run/none: No such file or directory (os error 2)"
    );
}

#[test]
fn keys_that_nobody_took_are_refused_once_all_is_built() {
    let config = given(&[], &[], "mial.url = 'a'").unwrap();
    let missing = config.settings::<Mail>("mail").unwrap_err().to_string();
    assert!(missing.starts_with("mail.url is missing"), "{missing}");
    assert_eq!(
        config.all_taken().unwrap_err().to_string(),
        "mial.url (from annals.toml): there is no such key; did you mean mail.url?"
    );
    let config = given(&[], &[("ANNALS_READ_MODEL__CUSTOMER_VALU__SNAPSHOT_EVERY", "10")], "").unwrap();
    assert_eq!(config.read_model("customer_value").unwrap().snapshot_every, None);
    assert_eq!(
        config.all_taken().unwrap_err().to_string(),
        "read_model.customer_valu.snapshot_every (from ANNALS_READ_MODEL__CUSTOMER_VALU__SNAPSHOT_EVERY): there is no such \
         key; did you mean read_model.customer_value.snapshot_every?"
    );
    let config = given(&["--read_model.customer_value.snapshot_every=10"], &[], "").unwrap();
    assert_eq!(config.read_model("customer_value").unwrap().snapshot_every.unwrap().get(), 10);
    assert_eq!(config.all_taken().unwrap(), None);
}

#[test]
fn variables_that_kubernetes_sets_are_none_of_ours() {
    let ends = [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_GRPC",
        "PORT",
        "PORT_7400_TCP",
        "PORT_7400_TCP_PROTO",
        "PORT_7400_TCP_PORT",
        "PORT_7400_TCP_ADDR",
    ];
    for service in ["ANNALS", "ANNALS_STORE"] {
        let names = ends.map(|end| format!("{service}_{end}"));
        let variables: Vec<_> = names.iter().map(|name| (name.as_str(), "10.0.0.1")).collect();
        assert_eq!(given(&[], &variables, "").unwrap().all_taken().unwrap(), None);
    }
}

#[test]
fn help_tells_every_key_and_printing_is_a_file_again() {
    let help = given(&["--help"], &[], "nonsense").unwrap().answer().unwrap();
    for (key, _) in help::variables() {
        assert!(help.contains(&format!("--{key} ")), "{key} is missing in\n{help}");
    }
    assert!(help.contains("25s in all, 20s on loopback"), "{help}");
    assert!(help.contains("Authentication is not there yet") && help.contains("_SERVICE_HOST"), "{help}");
    let config =
        given(&["--print-config", "--http.request=7s"], &[("ANNALS_MAIL__RETRIES", "3")], MAIL).unwrap();
    let printed = config.answer().unwrap();
    let again = given(&[], &[], &printed).unwrap();
    assert_eq!((again.http, again.store, again.read_models), (config.http, config.store, config.read_models));
    assert_eq!(given(&["--check"], &[], "").unwrap().wanted, Wanted::Check);
}
