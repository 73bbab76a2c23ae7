//! A PostgreSQL server for a test, the one that the backend's own tests have.

#[path = "../../../../platform/projection-postgres/tests/support/kept.rs"]
mod kept;
#[expect(dead_code, reason = "the backend's tests use more of it")]
#[path = "../../../../platform/projection-postgres/tests/support/server.rs"]
mod server;

/// Where a server is; `None`: there is none, and the test is skipped.
pub(crate) fn url() -> Option<String> {
    if let Ok(url) = std::env::var("ANNALS_TEST_POSTGRES_URL") {
        return Some(url);
    }
    let url = server::Server::shared().map(server::Server::url);
    if url.is_none() {
        let must = std::env::var("ANNALS_TEST_MAY_NOT_SKIP").is_ok_and(|word| word == "1");
        assert!(!must, "there is no PostgreSQL server, and ANNALS_TEST_MAY_NOT_SKIP is set");
        eprintln!(
            "skipped: there is no PostgreSQL server; install one, or name one in ANNALS_TEST_POSTGRES_URL"
        );
    }
    url
}
