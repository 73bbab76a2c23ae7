//! The conformance suite of event stores, through a real server.

mod over_the_store_with_gaps {
    use crate::support::Server;
    use annals_store::{GappedStore, conformance::Subject};
    use std::sync::Arc;

    annals_store::conformance_tests!(async {
        let server = Server::start(Arc::new(GappedStore::new())).await;
        let client = server.client().await;
        Subject::new(Arc::new(client)).keeping(server)
    });
}

mod over_the_embedded_log {
    use crate::support::Server;
    use annals_store::conformance::Subject;
    use annals_store_log::{LogStore, Options};
    use std::sync::Arc;

    annals_store::conformance_tests!(async {
        let folder = tempfile::tempdir().unwrap();
        let log = LogStore::open(folder.path(), Options::with_segment_bytes(16 << 20)).await.unwrap();
        let server = Server::start(Arc::new(log)).await;
        let client = server.client().await;
        Subject::new(Arc::new(client)).keeping(folder).keeping(server)
    });
}
