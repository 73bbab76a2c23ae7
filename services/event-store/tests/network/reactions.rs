//! A reactor over the network, whose connection is cut between an append and its answer.

use crate::{restarts::slow, support::Server};
use annals_aggregate::{Aggregate, Repository};
use annals_event::{CodecError, Event, MarkName, Recorded, Token};
use annals_reactor::{Options, Reaction, Reactor, ReactorWorker, Start};
use annals_store::{EventStore, GappedStore};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

macro_rules! event {
    ($event:ident, $name:literal) => {
        #[derive(Clone, Debug)]
        struct $event;

        impl Event for $event {
            const TYPES: &'static [(&'static str, u32)] = &[($name, 1)];

            fn event_type(&self) -> &'static str {
                $name
            }
            fn schema_version(&self) -> u32 {
                1
            }
            fn encode(&self) -> Result<bytes::Bytes, CodecError> {
                Ok("{}".into())
            }
            fn decode(event_type: &str, _: &[u8]) -> Result<Option<Self>, CodecError> {
                Ok((event_type == $name).then_some(Self))
            }
        }
    };
}

event!(Placed, "order.placed");
event!(Counted, "tally.counted");

#[derive(Clone, Debug, Default)]
struct Orders;

impl Aggregate for Orders {
    const CATEGORY: &'static str = "order";
    type Event = Placed;
    type Command = ();
    type Error = Infallible;

    fn decide(&self, (): ()) -> Result<Vec<Placed>, Infallible> {
        Ok(vec![Placed])
    }
    fn evolve(&mut self, _: &Placed) {}
}

#[derive(Clone, Debug, Default)]
struct Tally(u64);

impl Aggregate for Tally {
    const CATEGORY: &'static str = "tally";
    type Event = Counted;
    type Command = ();
    type Error = Infallible;

    fn decide(&self, (): ()) -> Result<Vec<Counted>, Infallible> {
        Ok(vec![Counted])
    }
    fn evolve(&mut self, _: &Counted) {
        self.0 += 1;
    }
}

fn count_orders() -> Reactor {
    let reactor = Reactor::named("count-orders", Start::Beginning);
    reactor.on(|_: &Recorded<Placed>| Reaction::to::<Tally>("all", ())).build().unwrap()
}

async fn place(store: &GappedStore, id: &str) -> Token {
    let orders = Repository::<Orders>::new(Arc::new(store.clone()));
    orders.execute(id, (), annals_aggregate::Cause::new()).await.unwrap().token
}

#[tokio::test]
async fn a_reactor_goes_on_after_an_append_whose_answer_was_cut_off() {
    let store = GappedStore::new();
    let first = place(&store, "1").await;
    let slow = slow(&store);
    let server = Server::start_to_restart(slow.store()).await;
    let (address, client) = (server.address, server.client().await);
    let tallies = Repository::<Tally>::new(Arc::new(client));
    let worker = ReactorWorker::new(tallies, count_orders(), Options::default());
    let (handle, stop) = (worker.handle(), CancellationToken::new());
    let running = tokio::spawn(worker.run(stop.clone()));
    slow.arrived().await;
    server.kill().await;

    let _server = Server::start_at(address, Arc::new(store.clone())).await;
    handle.wait_for(first, PATIENCE).await.expect("it takes the repeat for its own append");
    let second = place(&store, "2").await;
    handle.wait_for(second, PATIENCE).await.expect("it goes on");
    stop.cancel();
    running.await.unwrap().unwrap();
    let tally = Repository::<Tally>::new(Arc::new(store.clone())).load("all").await.unwrap();
    assert_eq!(tally.state.0, 2, "each order is counted once");
    let mark = MarkName::new("reactor/count-orders").unwrap();
    assert!(store.mark(&mark).await.unwrap().is_some_and(|mark| second.is_covered_by(mark)));
}
