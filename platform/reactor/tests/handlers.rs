//! A reactor that is put together from handlers: of several event types, for aggregates of several types, in one append.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use annals_aggregate::{Aggregate, FolderSnapshots, LoadError, Repositories, Repository};
use annals_event::{
    Append, CodecError, Event, EventId, EventType, ExpectedVersion, InvalidName, NewEvent, Recorded,
    StreamName,
};
use annals_reactor::{
    OnRefused, Options, Reaction, Reactor, ReactorBuilder, ReactorError, ReactorWorker, Start,
    testing::given_reactor,
};
use annals_store::{EventStore, GappedStore};
use bytes::Bytes;
use common::troubled::{Trouble, Troubled};
use common::{
    Account, Charge, Charged, OrderPlaced, append_all, events, mark, order, place_orders, repository,
    run_until, start, writing,
};
use std::{convert::Infallible, panic::catch_unwind, sync::Arc};

/// Counts what it is told.
#[derive(Clone, Debug, Default)]
struct Tally(u64);

#[derive(Debug)]
struct Counted;

impl Event for Counted {
    const TYPES: &'static [(&'static str, u32)] = &[("tally.counted", 1)];
    fn event_type(&self) -> &'static str {
        "tally.counted"
    }
    fn schema_version(&self) -> u32 {
        1
    }
    fn encode(&self) -> Result<Bytes, CodecError> {
        Ok("{}".into())
    }
    fn decode(event_type: &str, _: &[u8]) -> Result<Option<Self>, CodecError> {
        Ok((event_type == "tally.counted").then_some(Self))
    }
}

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

/// Another view of what is an [`Account`].
#[derive(Clone, Debug, Default)]
struct Twin;

impl Aggregate for Twin {
    const CATEGORY: &'static str = Account::CATEGORY;
    type Event = Charged;
    type Command = u64;
    type Error = Infallible;

    fn decide(&self, cents: u64) -> Result<Vec<Charged>, Infallible> {
        Ok(vec![Charged { cents, note: "twin".into() }])
    }
    fn evolve(&mut self, _: &Charged) {}
}

fn named() -> ReactorBuilder {
    Reactor::named("charge-orders", Start::Beginning)
}

fn charge(placed: &Recorded<OrderPlaced>) -> Reaction {
    Reaction::to::<Account>(&placed.customer, Charge { cents: placed.cents, note: String::new() })
}

fn count(_: &Recorded<OrderPlaced>) -> Reaction {
    Reaction::to::<Tally>("orders", ())
}

fn working(store: &Arc<dyn EventStore>, reactor: ReactorBuilder) -> ReactorWorker {
    let repositories = Repositories::new(store.clone()).service("accounts");
    ReactorWorker::new(repositories, reactor.build().unwrap(), Options::default())
}

fn store() -> Arc<dyn EventStore> {
    Arc::new(GappedStore::new())
}

async fn tally(store: &Arc<dyn EventStore>) -> u64 {
    Repository::<Tally>::new(store.clone()).load("orders").await.unwrap().state.0
}

#[tokio::test]
async fn one_event_tells_aggregates_of_two_types_in_one_append_with_the_mark() {
    let store = store();
    let through = append_all(&*store, [order(1, "ada", 5), order(2, "bob", 6)]).await;
    let counting = Troubled::not(store.clone());
    let reactor = named().on(|placed| vec![charge(placed), count(placed)]);
    run_until(working(&counting.store(), reactor), through).await;

    let appends = writing(counting.appends());
    assert_eq!(appends.len(), 1);
    let streams: Vec<_> = appends[0].writes.iter().map(|write| write.stream.as_str()).collect();
    assert_eq!(streams, ["account-ada", "tally-orders", "account-bob"]);
    assert_eq!((appends[0].event_count(), appends[0].marks[0].value), (4, through));
    assert_eq!(tally(&store).await, 2);
    // Ids count over all outputs of the event, of whichever aggregate.
    let first = EventId::from_name("order-1");
    let of_first: Vec<_> = [0, 1].map(|index| EventId::derived("charge-orders", first, index)).into();
    let ids: Vec<_> = appends[0].writes.iter().map(|write| write.events[0].id).collect();
    assert_eq!(ids[..2], of_first);
    let signed = events(&*store, "tally").await;
    assert!(signed.iter().all(|event| event.event.metadata.headers["service"] == "accounts"));
}

#[tokio::test]
async fn killed_at_any_call_it_tells_each_aggregate_once() {
    let undisturbed = {
        let store = store();
        let through = place_orders(&*store).await;
        let counting = Troubled::not(store.clone());
        run_until(working(&counting.store(), named().on(charge).on(count)), through).await;
        counting.calls().len()
    };
    for trouble in Trouble::CRASHES {
        for call in 0..undisturbed {
            let store = store();
            let through = place_orders(&*store).await;
            let troubled = Troubled::at(store.clone(), call, trouble);
            let (handle, _stop, task) = start(working(&troubled.store(), named().on(charge).on(count)));
            tokio::select! {
                () = troubled.hit() => {}
                reached = handle.wait_for(through, common::PATIENCE) => drop(reached.unwrap()),
            }
            task.abort();
            let _ = task.await;
            run_until(working(&store, named().on(charge).on(count)), through).await;
            let charged = events(&*store, "account").await.len();
            assert_eq!((charged, tally(&store).await), (12, 12), "{trouble:?} at call {call}");
        }
    }
}

#[tokio::test]
async fn handlers_follow_their_types_and_run_in_the_order_they_were_added() {
    let reactor = named()
        .on(|placed: &Recorded<OrderPlaced>| (placed.cents > 5).then(|| charge(placed)))
        .on(|_: &Recorded<Charged>| Vec::<Reaction>::new())
        .on(count)
        .build()
        .unwrap();
    let types: Vec<_> = reactor.filter().event_types.iter().map(ToString::to_string).collect();
    assert_eq!(types, ["order.placed", "account.charged"]);
    let placed = |cents| OrderPlaced { customer: "ada".into(), cents };
    given_reactor(reactor)
        .event("order-1", placed(6))
        .then_tells::<Account>("ada", |command| command.cents == 6)
        .then_tells::<Tally>("orders", |()| true)
        .event("order-2", placed(5))
        .event("account-ada", Charged { cents: 6, note: String::new() })
        .then_tells::<Tally>("orders", |()| true)
        .then_nothing();
}

#[tokio::test]
async fn each_type_of_aggregate_has_its_own_policy_for_refusals() {
    let too_much = || order(1, "bob", common::LIMIT_CENTS + 1);
    let (skipping, stopping) = (store(), store());
    let through = append_all(&*skipping, [too_much()]).await;
    let reactor = || named().on(charge).on(count);
    let skips = reactor().on_refused::<Account>(|command, error| {
        let known = command.cents > common::LIMIT_CENTS && error.to_string().contains("limit");
        if known { OnRefused::Skip } else { OnRefused::Stop }
    });
    run_until(working(&skipping, skips), through).await;
    assert_eq!(tally(&skipping).await, 1, "the other command counts");

    append_all(&*stopping, [too_much()]).await;
    let stops = reactor().on_refused::<Twin>(|_, _| OnRefused::Skip);
    let error = working(&stopping, stops).run(Default::default()).await.unwrap_err();
    assert!(matches!(&error, ReactorError::Rejected { id, .. } if id == "bob"), "{error}");
    assert_eq!((tally(&stopping).await, stopping.mark(&mark()).await.unwrap()), (0, None));
}

#[tokio::test]
async fn what_comes_before_an_aggregate_that_cannot_be_loaded_is_handled() {
    let store = store();
    let unreadable = NewEvent::json(EventType::new("account.charged").unwrap(), "17");
    let eve = StreamName::of("account", "eve").unwrap();
    store.append(Append::to(eve, ExpectedVersion::NoStream, vec![unreadable])).await.unwrap();
    let healthy = append_all(&*store, [order(1, "ada", 1), order(2, "bob", 2)]).await;
    let placed = append_all(&*store, [order(3, "eve", 3)]).await;
    append_all(&*store, [order(4, "ada", 4)]).await;

    let error = working(&store, named().on(charge).on(count)).run(Default::default()).await.unwrap_err();
    let ReactorError::NotLoaded { sequence, stream, id, cause } = &error else {
        panic!("{error}");
    };
    assert!(matches!(**cause, LoadError::Fold(_)), "{cause}");
    assert_eq!((*sequence, stream.as_str(), id.as_str()), (placed, "order-3", "eve"));
    assert!(!error.is_retryable() && error.to_string().contains("account.charged"), "{error}");
    assert_eq!((tally(&store).await, store.mark(&mark()).await.unwrap()), (2, Some(healthy)));
}

#[test]
fn a_second_policy_for_refusals_of_one_type_is_an_error() {
    let skip = |_: &Charge, _: &_| OnRefused::Skip;
    let twice = named().on(charge).on_refused::<Account>(skip).on_refused::<Account>(skip).build();
    let error = twice.unwrap_err();
    assert!(
        matches!(&error, ReactorError::RefusalsTwice { category, .. } if *category == Account::CATEGORY),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_two_types_take_turns_at_goes_into_several_appends() {
    let store = store();
    let through = append_all(&*store, (1..5).map(|n| order(n, "ada", n as u64))).await;
    let reactor = named().on(|placed: &Recorded<OrderPlaced>| match placed.cents % 2 {
        0 => Reaction::to::<Twin>("ada", placed.cents),
        _ => charge(placed),
    });
    run_until(working(&store, reactor), through).await;
    let cents: Vec<_> = common::charges(&*store).await.iter().map(|charge| charge.charged.cents).collect();
    assert_eq!(cents, [1, 2, 3, 4]);

    let both =
        named().on(charge).on(|placed: &Recorded<OrderPlaced>| Reaction::to::<Twin>("eve", placed.cents));
    let placed = append_all(&*store, [order(9, "eve", 9)]).await;
    let error = working(&store, both).run(Default::default()).await.unwrap_err();
    assert!(
        matches!(&error, ReactorError::TwoTypes { sequence, id, .. } if *sequence == placed && id == "eve"),
        "{error}"
    );
}

#[tokio::test]
async fn a_reactor_of_one_repository_has_its_snapshots_and_its_name() {
    let (store, folder) = (store(), tempfile::tempdir().unwrap());
    let snapshots = Arc::new(FolderSnapshots::open(folder.path()).unwrap());
    let accounts = repository(store.clone()).snapshots(snapshots, 1);
    let reactor = named().on(charge).build().unwrap();
    for n in 1..3 {
        let placed = append_all(&*store, [order(n, "ada", 5)]).await;
        let worker = ReactorWorker::new(accounts.clone(), reactor.clone(), Options::default());
        run_until(worker, placed).await;
    }
    assert!(folder.path().read_dir().unwrap().count() > 0, "the second one found an event since the last");
    let charged = events(&*store, "account").await;
    assert!(charged.iter().all(|event| event.event.metadata.headers["service"] == "accounts"));
}

#[test]
fn a_reactor_that_is_none_is_not_built() {
    let refused = |name: &str| Reactor::named(name, Start::Now).on(count).build().unwrap_err();
    assert!(matches!(refused(""), ReactorError::InvalidName(InvalidName::Empty { .. })));
    assert!(matches!(refused(&"x".repeat(300)), ReactorError::InvalidName(InvalidName::TooLong { .. })));
    let error = named().build().unwrap_err();
    assert!(matches!(&error, ReactorError::NoHandlers { name } if name == "charge-orders"), "{error}");
}

#[test]
fn a_command_for_an_aggregate_of_another_type_is_shown() {
    let told = given_reactor(named().on(count).build().unwrap())
        .event("order-1", OrderPlaced { customer: "ada".into(), cents: 5 });
    let told = std::panic::AssertUnwindSafe(told);
    let panic = catch_unwind(move || drop({ told }.0.then_tells::<Account>("orders", |_| true))).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("account-orders") && message.contains("tally-orders"), "{message}");
}
