//! The shop and its main job, in a folder of its own.

use annals_tests::{Program, Tables, live_tables};
use serde_json::Value;
use std::{fs, path::PathBuf, sync::LazyLock};
use tempfile::TempDir;

pub(crate) static SHOP: LazyLock<Program> = LazyLock::new(|| Program::build("annals-shop-demo").unwrap());

/// The purchases that come with the demo.
pub(crate) fn purchases() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop-demo/data/purchases.csv"))
}

pub(crate) struct Shop {
    pub(crate) folder: TempDir,
    file: PathBuf,
}

impl Shop {
    /// On the first `lines` purchases.
    pub(crate) fn with_purchases(lines: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("purchases.csv");
        let mut shop = Self { folder, file };
        shop.take_purchases(lines);
        shop
    }

    /// Puts the first `lines` purchases into its file.
    pub(crate) fn take_purchases(&mut self, lines: usize) {
        let all = fs::read_to_string(purchases()).unwrap();
        let some: Vec<_> = all.lines().take(1 + lines).collect();
        fs::write(&self.file, some.join("\n")).unwrap();
    }

    pub(crate) fn file(&self) -> &PathBuf {
        &self.file
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The arguments of a run to the end.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (data, file) = (self.data().display().to_string(), self.file.display().to_string());
        ["--once", "--json", "--data", &data, "--purchases", &file, "--listen", "127.0.0.1:0"]
            .map(str::to_owned)
            .to_vec()
    }

    pub(crate) fn run(&self) -> Value {
        SHOP.report(&self.arguments()).unwrap()
    }

    pub(crate) async fn tables(&self) -> Tables {
        live_tables(&self.data().join("read-models")).await.unwrap()
    }
}

/// What must not change from run to run.
pub(crate) fn totals(report: &Value) -> [u64; 4] {
    ["orders", "customers", "items", "revenue_cents"].map(|key| report[key].as_u64().unwrap())
}
