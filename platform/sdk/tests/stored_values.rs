//! What `execute` accepts is loaded unchanged; what could not be read back is refused.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "tests")]

use annals::aggregate::{ExecuteError, Executed, Repository};
use annals::event::{Append, EventType, ExpectedVersion, NewEvent, RequestId, StreamName, Version};
use annals::prelude::*;
use annals::store::{AppendError, EventStore as _};
use annals_store::GappedStore;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::{convert::Infallible, sync::Arc};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Amount {
    amount: u128,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(Option<u32>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Reading {
    Real(f64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: Vec<f32>,
    by: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.real", version = 1)]
struct Real {
    value: f64,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.reals", version = 1)]
struct Reals {
    values: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.maybe", version = 1)]
struct Maybe {
    value: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.sample", version = 1)]
struct Sampled {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.reading", version = 1)]
struct Read(Reading);

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.nested", version = 1)]
struct Nested {
    tree: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.flat", version = 1)]
struct Flat {
    #[serde(flatten)]
    inner: Amount,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.twice", version = 1)]
struct Twice {
    value: Option<Option<u32>>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.wrapped", version = 1)]
struct Wraps {
    value: Option<Wrapped>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.clash", version = 1)]
struct Clash {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.written", version = 1)]
struct Written {
    #[serde(skip_deserializing)]
    value: u32,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.wide", version = 2)]
#[upcast(1, default(unit = "mm"))]
struct Wide {
    amount: u128,
    delta: i128,
    real: f64,
    unit: String,
}

#[derive(Clone, Debug, PartialEq, Event)]
#[event(type = "sensor.unordered", version = 1)]
struct Unordered {
    set: HashSet<u32>,
    map: HashMap<u64, String>,
}

#[derive(Clone, Debug, PartialEq, Event)]
enum Measured {
    Real(Real),
    Reals(Reals),
    Maybe(Maybe),
    Sampled(Sampled),
    Read(Read),
    Nested(Nested),
    Flat(Flat),
    Twice(Twice),
    Wraps(Wraps),
    Clash(Clash),
    Written(Written),
    Wide(Wide),
    Unordered(Unordered),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Sensor {
    measured: Vec<Measured>,
}

impl Aggregate for Sensor {
    const CATEGORY: &'static str = "sensor";
    type Event = Measured;
    type Command = Measured;
    type Error = Infallible;

    fn decide(&self, measured: Measured) -> Result<Vec<Measured>, Infallible> {
        Ok(vec![measured])
    }
    fn evolve(&mut self, event: &Measured) {
        self.measured.push(event.clone());
    }
}

fn sensors(store: &GappedStore) -> Repository<Sensor> {
    Repository::new(Arc::new(store.clone()))
}

/// `[[...0...]]`, this many arrays deep.
fn tree(depth: usize) -> serde_json::Value {
    (0..depth).fold(serde_json::Value::from(0), |inner, _| serde_json::Value::Array(vec![inner]))
}

fn wide(amount: u128, delta: i128, real: f64) -> Measured {
    Measured::Wide(Wide { amount, delta, real, unit: "mm".into() })
}

/// Executes the command on a sensor of its own, and returns what is loaded.
async fn stored(measured: Measured) -> Vec<Measured> {
    let sensors = sensors(&GappedStore::new());
    sensors.execute("1", measured, Cause::new()).await.unwrap();
    sensors.load("1").await.unwrap().state.measured
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused_by_type_and_field_not_written() {
    let sample = |x| Sample { at: vec![0.5, x], by: BTreeMap::new() };
    let named = |x| Sample { at: vec![], by: BTreeMap::from([("x y".to_owned(), x)]) };
    let rest = BTreeMap::from([("name".to_owned(), "b".to_owned())]);
    let refused = [
        (Measured::Real(Real { value: f64::NAN }), "\"sensor.real\": field value: NaN"),
        (
            Measured::Reals(Reals { values: vec![0.0, f64::INFINITY] }),
            "\"sensor.reals\": field values[1]: inf",
        ),
        (Measured::Maybe(Maybe { value: Some(f64::NEG_INFINITY) }), "\"sensor.maybe\": field value: -inf"),
        (
            Measured::Sampled(Sampled { samples: vec![sample(0.0), sample(f32::NAN)] }),
            "field samples[1].at[1]: NaN",
        ),
        (Measured::Sampled(Sampled { samples: vec![named(f64::NAN)] }), "field samples[0].by[\"x y\"]: NaN"),
        (Measured::Read(Read(Reading::Real(f64::NAN))), "\"sensor.reading\": the payload: NaN"),
        (Measured::Nested(Nested { tree: tree(200) }), "\"sensor.nested\": field tree[0][0]"),
        (Measured::Nested(Nested { tree: tree(127) }), "127 levels"),
        (Measured::Flat(Flat { inner: Amount { amount: 1 } }), "\"sensor.flat\""),
        (Measured::Twice(Twice { value: Some(None) }), "\"sensor.twice\": field value: "),
        (Measured::Wraps(Wraps { value: Some(Wrapped(None)) }), "\"sensor.wrapped\": field value: "),
        (Measured::Clash(Clash { name: "a".into(), rest }), "\"sensor.clash\""),
        (Measured::Written(Written { value: 1 }), "\"sensor.written\": field value"),
    ];
    for (measured, expected) in refused {
        let store = GappedStore::new();
        let executed = sensors(&store).execute("1", measured.clone(), Cause::new()).await;
        let error = executed.expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected} expected in: {error}");
        assert_eq!(sensors(&store).load("1").await.unwrap().version, Version::ZERO, "{error}");
    }
}

#[tokio::test]
async fn what_can_be_read_back_is_not_refused() {
    let set: HashSet<u32> = (0..100).collect();
    let map: HashMap<u64, String> = (0..100).map(|n| (u64::MAX - n, n.to_string())).collect();
    let taken = [
        Measured::Nested(Nested { tree: tree(126) }),
        Measured::Twice(Twice { value: None }),
        Measured::Twice(Twice { value: Some(Some(0)) }),
        Measured::Wraps(Wraps { value: Some(Wrapped(Some(1))) }),
        Measured::Wraps(Wraps { value: None }),
        Measured::Read(Read(Reading::Real(0.999_999_999_999_999_9))),
        Measured::Read(Read(Reading::Text("\u{0}1".into()))),
        Measured::Unordered(Unordered { set, map }),
        Measured::Maybe(Maybe { value: None }),
    ];
    for measured in taken {
        assert_eq!(stored(measured.clone()).await, [measured]);
    }
}

/// This many finite numbers with random bits, and those at the edges.
fn reals(count: u64) -> Vec<f64> {
    let edges = [
        0.999_999_999_999_999_9,
        0.1 + 0.2,
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::from_bits(0x000f_ffff_ffff_ffff),
        -0.0,
        0.0,
        9_007_199_254_740_993.0,
        u64::MAX as f64,
        i64::MIN as f64,
        1e23,
    ];
    let mut random = fastrand::Rng::with_seed(count);
    let random = (0..count).map(move |_| f64::from_bits(random.u64(..)));
    edges.into_iter().chain(random).filter(|real| real.is_finite()).collect()
}

#[tokio::test]
async fn every_finite_number_comes_back_with_the_same_bits() {
    let mut seen = 0;
    for values in reals(100_000).chunks(20_000) {
        let back = stored(Measured::Reals(Reals { values: values.to_vec() })).await;
        let [Measured::Reals(Reals { values: back })] = back.as_slice() else { panic!("{back:?}") };
        let differ = values.iter().zip(back).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        assert_eq!((differ, back.len()), (0, values.len()), "numbers that came back changed");
        seen += back.len();
    }
    assert!(seen > 99_000, "{seen}");
}

#[tokio::test]
async fn the_ends_of_128_bits_come_back() {
    for (amount, delta) in [(u128::MAX, i128::MIN), (u128::from(u64::MAX) + 1, i128::MAX), (0, -1)] {
        assert_eq!(stored(wide(amount, delta, 0.5)).await, [wide(amount, delta, 0.5)]);
    }
}

/// A measurement in the first version, which had no unit.
async fn write_first_version(store: &GappedStore, json: String) {
    let event = NewEvent::json(EventType::new("sensor.wide").unwrap(), json);
    let stream = StreamName::new("sensor-1").unwrap();
    store.append(Append::to(stream, ExpectedVersion::Any, vec![event])).await.unwrap();
}

#[tokio::test]
async fn numbers_are_exact_through_an_upcast() {
    let store = GappedStore::new();
    let mut expected = Vec::new();
    for (n, real) in reals(2_000).into_iter().enumerate() {
        let delta = i128::MIN + n as i128;
        let amount = u128::MAX - n as u128;
        let json = format!("{{\"amount\":{amount},\"delta\":{delta},\"real\":{real:e}}}");
        write_first_version(&store, json).await;
        expected.push(wide(amount, delta, real));
    }
    assert_eq!(sensors(&store).load("1").await.unwrap().state.measured, expected);
}

async fn ask(sensors: &Repository<Sensor>, measured: Measured) -> Result<Executed<Sensor>, AppendError> {
    let request = Cause::new().request(RequestId::from_name("request"));
    match sensors.execute("1", measured, request).await {
        Ok(executed) => Ok(executed),
        Err(ExecuteError::Append { cause, .. }) => Err(cause),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn commands_that_differ_in_a_single_bit_are_different_requests() {
    let first = wide(u128::MAX, i128::MIN, 0.3);
    let others = [
        wide(u128::MAX - 1, i128::MIN, 0.3),
        wide(u128::MAX, i128::MIN + 1, 0.3),
        wide(u128::MAX, i128::MIN, 0.1 + 0.2),
    ];
    let sensors = sensors(&GappedStore::new());
    assert!(!ask(&sensors, first.clone()).await.unwrap().repeated);
    assert!(ask(&sensors, first).await.unwrap().repeated);
    for other in others {
        let asked = ask(&sensors, other.clone()).await;
        assert!(matches!(asked, Err(AppendError::RequestIdReused { .. })), "{other:?}: {asked:?}");
    }
}
