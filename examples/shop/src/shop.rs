//! The whole shop in one process: a store, three services, one HTTP listener.

use crate::folder::DataFolder;
use crate::health::{self, Health};
use crate::http::HINT;
use crate::options::Options;
use crate::orders::{self, queries::Queries};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::{payments, shipping};
use annals::event::Sequence;
use annals::projection::{Catalog, Generations};
use annals::reactor::ReactorHandle;
use annals::replay::{ReplayWorker, Replays, WorkerOptions};
use annals::service::{Ending, HttpLimits, HttpServer, admin, finish};
use anyhow::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long a request may take when its caller does not say, well above [`WAIT_TIMEOUT`](crate::orders::queries::WAIT_TIMEOUT).
/// While the event store is away a command ends here.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// A running shop, for those who use it. Cloning it is cheap.
#[derive(Clone)]
pub struct Shop {
    /// Its events.
    pub store: Store,
    /// Where it serves HTTP.
    pub address: SocketAddr,
    /// Where its data is.
    pub data_dir: PathBuf,
    /// Whether the log had events when the shop was started.
    pub resumed: bool,
    /// Whether the rows in the data folder were folded from another log than the store's.
    pub rows_of_another_log: bool,
    /// Its questions and read models.
    pub queries: Queries,
    /// The replays of its read models.
    pub replays: Replays,
    /// Its reactors, by the services' names.
    pub reactors: Vec<(&'static str, ReactorHandle)>,
}

/// A running shop, for the one who stops it.
pub struct Running {
    serving: Tasks,
    working: Tasks,
    store: Store,
    _folder: DataFolder,
}

/// Starts the shop. Takes its address first: before that it makes no folder.
pub async fn start(options: &Options) -> Result<(Shop, Running)> {
    let limits = HttpLimits { request_time_max: REQUEST_TIME_MAX, ..HttpLimits::default() };
    let server = HttpServer::bind(options.listen, limits.clone()).await?;
    let address = server.address();
    let folder = DataFolder::take(&options.data)?;
    let store = Store::open(&folder, options.store.as_deref()).await?;
    let head = store.events().head().await?;
    let resumed = head.last > Sequence::ZERO;
    let catalog = Catalog::open(folder.read_models()).await?;
    let (mut serving, mut working) = (Tasks::new(), Tasks::new());
    let orders = orders::start(store.events(), catalog, &mut working).await?;
    let payments = payments::start(store.events(), &mut working)?;
    let shipping = shipping::start(store.events(), &mut working)?;
    let reactors = vec![
        (orders::SERVICE, orders.reactor),
        (payments::SERVICE, payments.reactor),
        (shipping::SERVICE, shipping.reactor),
    ];
    let rows_of_another_log = orders.queries.have_rows_of_another_log(head.log_id).await;
    let (queries, replays) = (orders.queries, replay(&store, orders.generations, &mut working));
    let health = Health {
        store: store.events(),
        queries: queries.clone(),
        reactors: reactors.clone(),
        replays: replays.clone(),
        ended: working.ended(),
    };
    let services = orders.routes.merge(payments.routes).merge(shipping.routes);
    let platform = health::routes(health).merge(admin::replays(replays.clone()));
    let routes = finish(services.merge(platform), &limits, HINT);
    serving.spawn("the HTTP server", async move |stop| {
        server.serve(routes, stop).await;
        anyhow::Ok(())
    });
    let data_dir = folder.path().to_owned();
    let shop = Shop {
        store: store.clone(),
        address,
        data_dir,
        resumed,
        rows_of_another_log,
        queries,
        replays,
        reactors,
    };
    Ok((shop, Running { serving, working, store, _folder: folder }))
}

/// Carries out replays of these read models.
fn replay(store: &Store, generations: Vec<Generations>, tasks: &mut Tasks) -> Replays {
    let replays = Replays::new(store.events());
    let (following, worker) =
        (replays.clone(), ReplayWorker::new(replays.clone(), generations, WorkerOptions::default()));
    tasks.spawn("the list of replays", async move |stop| following.run(stop).await);
    tasks.spawn("the replay worker", |stop| worker.run(stop));
    replays
}

impl Shop {
    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Running {
    /// Waits until the shop serves no more although nobody asked it to stop, and says why. A reactor, a read model or a
    /// worker that stops is no reason: health says so, and all others go on.
    pub async fn failure(&mut self) -> anyhow::Error {
        self.serving.failure().await
    }

    /// Stops in order, within the time that `ending` has: no new requests, then no new reactions and folds, then the log.
    pub async fn stop(self, ending: &Ending) -> Result<()> {
        let Self { serving, working, store, _folder } = self;
        ending.begin();
        let served = serving.stop(ending).await;
        let worked = working.stop(ending).await;
        let closed = ending.within("closing the log", store.close()).await.unwrap_or(Ok(()));
        served.and(worked).and(closed)
    }
}
