//! Lookups: what one event makes known, later events find, however the log is cut into batches.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use annals_derive::{Event, Table};
use annals_event::Recorded;
use annals_projection::{Fold, FoldControl, GenerationId, Lookup, ModelError, Origin, ReadModel, Until};
use annals_projection_sqlite::testing::{given_model, given_rows};
use support::{PATIENCE, World, append_to};

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "order.placed", version = 1)]
struct Placed {
    order: String,
    customer: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "payment.captured", version = 1)]
struct Captured {
    orders: Vec<String>,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "order.withdrawn", version = 1)]
struct Withdrawn {
    order: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(crate = annals_event, type = "order.rated", version = 1)]
struct Rated {
    order: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "customer")]
struct Customer {
    #[table(key)]
    id: String,
    cents: i64,
}

/// A row with a key of two columns.
#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "rating")]
struct Rating {
    #[table(key)]
    customer: String,
    #[table(key)]
    digit: u32,
    count: u32,
}

/// A customer who withdrew an order.
#[derive(Clone, Debug, PartialEq, Table)]
#[table(crate = annals_projection, name = "loss")]
struct Loss {
    #[table(key)]
    customer: String,
}

fn customer(id: &str, cents: i64) -> Customer {
    Customer { id: id.into(), cents }
}

fn placed(order: &str, customer: &str) -> Placed {
    Placed { order: order.into(), customer: customer.into() }
}

fn captured(orders: &[&str], cents: i64) -> Captured {
    Captured { orders: orders.iter().map(|order| (*order).to_owned()).collect(), cents }
}

fn customer_of() -> Lookup<String, String> {
    Lookup::<String, String>::named("customer_of_order")
        .remember(|e: &Recorded<Placed>| (e.order.clone(), e.customer.clone()))
}

fn customers(customer_of: &Lookup<String, String>) -> Fold<Customer> {
    Fold::<Customer>::new()
        .upsert(|e: &Recorded<Placed>| e.customer.clone(), |e| customer(&e.customer, 0), |_, _| ())
        .update_via(customer_of, |e: &Recorded<Captured>| e.orders.clone(), |row, e| row.cents += e.cents)
        .delete_via(customer_of, |e: &Recorded<Withdrawn>| e.order.clone())
}

/// Which row of [`Rating`] an order belongs to: its customer and the last digit of its name.
fn rating_of() -> Lookup<String, (String, u32)> {
    Lookup::named("rating_of_order").remember(|e: &Recorded<Placed>| {
        let digit = e.order.chars().last()?.to_digit(10)?;
        Some((e.order.clone(), (e.customer.clone(), digit)))
    })
}

fn ratings(rating_of: &Lookup<String, (String, u32)>) -> Fold<Rating> {
    Fold::<Rating>::new().upsert_via(
        rating_of,
        |e: &Recorded<Rated>| e.order.clone(),
        |(customer, digit), _| Rating { customer: customer.clone(), digit: *digit, count: 0 },
        |row, _| row.count += 1,
    )
}

fn model_of(customer_of: &Lookup<String, String>) -> ReadModel {
    ReadModel::named("customers").table(customers(customer_of)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_finds_its_row_by_what_an_earlier_one_had() {
    given_rows(customers(&customer_of()))
        .events("order-1", [placed("o1", "ann"), placed("o2", "bob"), placed("o3", "ann")])
        .event("payment-1", captured(&["o1", "o2"], 5))
        .event("payment-1", captured(&["o3"], 7))
        .event("order-1", placed("o1", "ann"))
        .then([customer("ann", 12), customer("bob", 5)])
        .await
        .event("order-1", Withdrawn { order: "o3".into() })
        .then([customer("bob", 5)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_tells_rows_whose_keys_have_several_columns() {
    let rated = |order: &str| Rated { order: Some(order.into()) };
    let rating = |digit, count| Rating { customer: "ann".into(), digit, count };
    given_rows(ratings(&rating_of()))
        .events(
            "order-1",
            [placed("o1", "ann"), placed("o2", "ann"), placed("p1", "ann"), placed("?", "ann")],
        )
        .events("rating-1", [rated("o1"), rated("o2"), rated("p1"), Rated { order: None }])
        .then([rating(1, 2), rating(2, 1)])
        .await
        .event("rating-1", rated("?"))
        .then_error("lookup \"rating_of_order\" has nothing for '?'")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_there_yet_is_an_error_that_names_lookup_and_key() {
    let given = given_rows(customers(&customer_of())).event("order-1", placed("o1", "ann"));
    given
        .event("payment-1", captured(&["o1", "o2"], 5))
        .event("order-1", placed("o2", "ann"))
        .then_error("lookup \"customer_of_order\" has nothing for 'o2'")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_other_value_for_a_key_is_an_error_that_names_both() {
    let given = given_rows(customers(&customer_of()));
    given
        .events("order-1", [placed("o1", "ann"), placed("o1", "bob")])
        .then_error("lookup \"customer_of_order\" has 'ann' for 'o1' and keeps it; the event says 'bob'")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_folds_ask_one_lookup_which_is_one_table() {
    let customer_of = customer_of();
    let losses = Fold::<Loss>::new().on_via(
        &customer_of,
        |e: &Recorded<Withdrawn>| e.order.clone(),
        |row, customer, _| *row = Some(Loss { customer: customer.clone() }),
    );
    let model = ReadModel::named("customers");
    let model = model.table(customers(&customer_of)).table(losses).build().unwrap();
    given_model(&model)
        .events("order-1", [placed("o1", "ann"), placed("o2", "bob")])
        .event("order-1", Withdrawn { order: "o1".into() })
        .then_rows([customer("bob", 0)])
        .await
        .then_rows([Loss { customer: "ann".into() }])
        .await;
}

#[test]
fn a_lookup_that_is_made_twice_or_remembers_nothing_is_refused_by_name() {
    let model = ReadModel::named("customers").table(customers(&customer_of()));
    let twice = model
        .table(Fold::<Loss>::new().delete_via(&customer_of(), |e: &Recorded<Withdrawn>| e.order.clone()));
    assert_eq!(twice.build().unwrap_err(), ModelError::RepeatedLookup("customer_of_order".to_owned()));
    let empty = Lookup::<String, String>::named("nothing");
    let empty = ReadModel::named("customers").table(customers(&empty)).build();
    assert_eq!(empty.unwrap_err(), ModelError::NothingRemembered("nothing".to_owned()));
    let clash = Lookup::<String, String>::named("customer").remember(|_: &Recorded<Placed>| None);
    let clash = ReadModel::named("customers").table(customers(&clash)).build();
    assert_eq!(clash.unwrap_err(), ModelError::RepeatedTable("customer".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_in_the_schema_and_in_the_comparison_of_generations() {
    let wrong = Lookup::<String, String>::named("customer_of_order")
        .remember(|e: &Recorded<Placed>| (e.order.clone(), e.customer.to_uppercase()));
    let renamed = Lookup::<String, String>::named("orders_customer")
        .remember(|e: &Recorded<Placed>| (e.order.clone(), e.customer.clone()));
    assert_ne!(model_of(&customer_of()).schema_hash(), model_of(&renamed).schema_hash());

    let world = World::new();
    let running = world.start(&model_of(&customer_of())).await;
    let head = append_to(&world.store, "order-1", &[placed("o1", "ann"), placed("o2", "bob")]).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let model = ReadModel::named("customers").fold_version(2).table(customers(&wrong)).build().unwrap();
    let generations = world.generations(&model).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Empty).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    let found = generations.verify(id, FoldControl::default()).await.unwrap().unwrap();
    assert_eq!((found.added, found.removed, found.changed), (0, 0, 2));
    let sample = &found.samples[0];
    assert_eq!((sample.table.as_str(), sample.key.as_str()), ("customer_of_order", "key='o1'"));
    assert_eq!(sample.live.as_deref(), Some("value='ann'"));
    assert_eq!(sample.candidate.as_deref(), Some("value='ANN'"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_begins_with_a_snapshot_knows_what_was_remembered_before_it() {
    let world = World::new();
    let model = model_of(&customer_of());
    let generations = world.generations(&model).await;
    let running = world.start(&model).await;
    let head = append_to(&world.store, "order-1", &[placed("o1", "ann"), placed("o2", "bob")]).await;
    running.handle.wait_for(head, PATIENCE).await.unwrap();
    let snapshot = generations.take_snapshot().await.unwrap();
    let head = append_to(&world.store, "payment-1", &[captured(&["o1", "o2"], 5)]).await;
    let id = GenerationId::generate();
    generations.create(id, Origin::Snapshot(snapshot.name)).await.unwrap();
    generations.fold_to(id, Until::Head, FoldControl::default()).await.unwrap();
    generations.promote(id).await.unwrap();
    let mut reader = running.handle.wait_for(head, PATIENCE).await.unwrap();
    assert_eq!(reader.generation(), id);
    assert_eq!(reader.all::<Customer>().await.unwrap(), [customer("ann", 5), customer("bob", 5)]);
    drop(reader);
    running.stop().await;
}
