//! The suite on the embedded log: on a real folder and on the simulated disk, with segments so small that the
//! cases cross many of them.

use annals_log::{
    Environment,
    sim::{SimClock, SimDisk, SimEntropy},
};
use annals_store::conformance::Subject;
use annals_store_log::{Log, LogStore, Options};
use std::sync::Arc;

const SEGMENT_BYTES: u64 = 64 << 10;

mod on_a_folder {
    use super::*;

    annals_store::conformance_tests!(async {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path(), Options::with_segment_bytes(SEGMENT_BYTES)).await.unwrap();
        Subject::new(Arc::new(store)).keeping(folder)
    });
}

/// None of the newest events are kept in memory, so that every read goes to the segments.
mod on_a_folder_without_memory {
    use super::*;

    annals_store::conformance_tests!(async {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::with_segment_bytes(SEGMENT_BYTES);
        options.tail_bytes_max = 0;
        options.queue_appends_max = 3;
        let store = LogStore::open(folder.path(), options).await.unwrap();
        Subject::new(Arc::new(store)).keeping(folder)
    });
}

mod on_the_simulated_disk {
    use super::*;

    annals_store::conformance_tests!(async {
        let options = Options::with_segment_bytes(SEGMENT_BYTES);
        let environment = Environment {
            disk: Arc::new(SimDisk::new()),
            clock: Arc::new(SimClock::new(3)),
            entropy: Arc::new(SimEntropy::new(7)),
        };
        LogStore::from_log(Log::open_on(environment, options.clone()).unwrap(), &options)
    });
}
