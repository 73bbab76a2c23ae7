//! The HTTP APIs of the shop, in memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use annals::event::Sequence;
use annals::service::{Answer, TestService};
use annals::store::ReadLog;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn shop() -> TestService {
    TestService::start(annals_shop::build).await.unwrap()
}

/// An order of two CDs under this id.
fn order(id: &str, total_cents: i64) -> Value {
    json!({
        "order_id": id, "customer_id": "0001", "ordered_on": "1997-01-18", "items": 2, "total_cents": total_cents,
    })
}

trait Asserts {
    fn assert_ok(&self) -> &Value;
    fn assert_problem(&self, status: StatusCode, detail: &str);
}

impl Asserts for Answer {
    #[track_caller]
    fn assert_ok(&self) -> &Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        &self.body
    }

    #[track_caller]
    fn assert_problem(&self, status: StatusCode, detail: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status.as_u16());
        let told = self.body["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{told}");
    }
}

#[tokio::test]
async fn an_order_is_placed_once_and_a_repeat_gets_the_original_token() {
    let shop = shop().await;
    let first = shop.post("/orders", &order("o-1", 2_933)).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.body["order_id"], "o-1");
    shop.idle().await;
    let again = shop.post("/orders", &order("o-1", 2_933)).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.body, first.body, "also after the order went on");
    let other = shop.post("/orders", &order("o-1", 2_934)).await;
    other.assert_problem(StatusCode::CONFLICT, "order o-1 was placed before with other content");
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn an_order_without_an_id_gets_one_and_can_be_read_with_its_token() {
    let shop = shop().await;
    let mut wish = order("", 100);
    wish.as_object_mut().unwrap().remove("order_id");
    let placed = shop.post("/orders", &wish).await;
    let (id, token) = (placed.body["order_id"].as_str().unwrap(), &placed.body["token"]);
    let summary = shop.get(&format!("/orders/{id}?wait_for={token}")).await;
    assert_eq!(summary.assert_ok()["total_cents"], 100);
    let customer = shop.get(&format!("/customers/0001?wait_for={token}")).await;
    let expected = json!({
        "customer_id": "0001", "orders": 1, "items": 2, "revenue_cents": 100,
        "first_purchase": "1997-01-18", "last_purchase": "1997-01-18",
    });
    assert_eq!(customer.assert_ok(), &expected);
    let sales = shop.get(&format!("/sales/1997-01-18?wait_for={token}")).await;
    assert_eq!(sales.assert_ok()["revenue_cents"], 100);
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_paid_order_is_shipped_delivered_and_refunded() {
    let shop = shop().await;
    shop.post("/orders", &order("o-1", 2_933)).await.assert_ok();
    shop.post("/orders", &order("o-2", 1_000)).await.assert_ok();
    shop.idle().await;
    let state = async |shop: &TestService| {
        let body = shop.get("/orders/o-1").await.body;
        (body["payment"].as_str().unwrap().to_owned(), body["parcel"].as_str().unwrap().to_owned())
    };
    assert_eq!(state(&shop).await, ("paid".to_owned(), "shipped".to_owned()));
    shop.post("/shipments/o-1/delivery", &Value::Null).await.assert_ok();
    shop.post("/payments/o-1/refund", &Value::Null).await.assert_ok();
    shop.idle().await;
    assert_eq!(state(&shop).await, ("refunded".to_owned(), "delivered".to_owned()));
    assert_eq!(shop.get("/payments/o-1").await.assert_ok()["status"], "refunded");
    assert_eq!(shop.get("/shipments/o-1").await.assert_ok()["status"], "delivered");
    let totals = json!({"orders": 2, "customers": 1, "items": 4, "revenue_cents": 1_000});
    assert_eq!(shop.get("/totals").await.assert_ok(), &totals);
    assert_eq!(shop.get("/sales/1997-01-18").await.assert_ok()["revenue_cents"], 1_000);
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_refused_payment_takes_the_sale_back_and_ships_nothing() {
    let shop = shop().await;
    shop.post("/orders", &order("dear", 1_000_001)).await.assert_ok();
    shop.idle().await;
    let summary = shop.get("/orders/dear").await;
    assert_eq!((&summary.body["payment"], &summary.body["parcel"]), (&json!("refused"), &json!("pending")));
    let payment = shop.get("/payments/dear").await;
    assert_eq!(payment.assert_ok()["status"], "refused");
    assert!(payment.body["reason"].as_str().unwrap().contains("limit"));
    shop.get("/shipments/dear").await.assert_problem(StatusCode::NOT_FOUND, "no shipment");
    let refund = shop.post("/payments/dear/refund", &Value::Null).await;
    refund.assert_problem(StatusCode::CONFLICT, "nothing was charged");
    let totals = json!({"orders": 0, "customers": 0, "items": 0, "revenue_cents": 0});
    assert_eq!(shop.get("/totals").await.assert_ok(), &totals);
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_free_order_is_paid_and_shipped() {
    let shop = shop().await;
    shop.post("/orders", &order("gift", 0)).await.assert_ok();
    shop.idle().await;
    let summary = shop.get("/orders/gift").await;
    assert_eq!((&summary.body["payment"], &summary.body["parcel"]), (&json!("paid"), &json!("shipped")));
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_done_gets_a_problem_that_says_what_to_change() {
    let shop = shop().await;
    let changed = |field: &str, value: Value| {
        let mut wish = order("o-1", 100);
        wish[field] = value;
        wish
    };
    let (bad, rule) = (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY);
    for (field, value, status, detail) in [
        ("items", json!(0), rule, "an order has 1 to"),
        ("total_cents", json!(-1), rule, "an order costs 0 to"),
        ("total_cents", json!(29.33), bad, "total_cents"),
        ("ordered_on", json!("1997-02-29"), bad, "YYYY-MM-DD"),
        ("order_id", json!("../../etc"), bad, "is not an order id"),
        ("customer_id", json!("'; drop table customer_value"), bad, "is not a customer id"),
        ("price", json!(1), bad, "unknown field `price`"),
    ] {
        shop.post("/orders", &changed(field, value)).await.assert_problem(status, detail);
    }
    let array = json!([null, "0001", "1997-01-18", 1, 1_499]);
    shop.post("/orders", &array).await.assert_problem(bad, "the body must be an object");
    shop.get("/orders/nobody").await.assert_problem(StatusCode::NOT_FOUND, "there is no order nobody");
    shop.get("/customers/9999").await.assert_problem(StatusCode::NOT_FOUND, "customer 9999");
    shop.get("/sales/yesterday").await.assert_problem(StatusCode::BAD_REQUEST, "YYYY-MM-DD");
    shop.get("/orders?limit=0").await.assert_problem(StatusCode::BAD_REQUEST, "1 to 500");
    shop.get("/orders?limit=501").await.assert_problem(StatusCode::BAD_REQUEST, "1 to 500");
    shop.get("/orders?page=2").await.assert_problem(StatusCode::BAD_REQUEST, "unknown field `page`");
    shop.get("/customers/0001?wait_for=soon").await.assert_problem(StatusCode::BAD_REQUEST, "wait_for");
    shop.post("/payments/nobody/refund", &Value::Null)
        .await
        .assert_problem(StatusCode::NOT_FOUND, "no payment");
    let delivery = shop.post("/shipments/nobody/delivery", &Value::Null).await;
    delivery.assert_problem(StatusCode::NOT_FOUND, "no shipment");
    shop.get("/nothing").await.assert_problem(StatusCode::NOT_FOUND, "/nothing");
    shop.post("/health", &json!({})).await.assert_problem(StatusCode::METHOD_NOT_ALLOWED, "POST");
    shop.idle().await;
    assert_eq!(shop.get("/health").await.assert_ok()["status"], "ok");
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_never_given_is_refused_instead_of_waited_for() {
    let shop = shop().await;
    let answer = shop.get("/customers/0001?wait_for=1000000").await;
    answer.assert_problem(StatusCode::BAD_REQUEST, "never given");
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_list_is_read_page_by_page_in_the_order_of_its_keys() {
    let shop = shop().await;
    for id in ["c", "a", "e", "b", "d"] {
        shop.post("/orders", &order(id, 100)).await.assert_ok();
    }
    shop.idle().await;
    let ids = |body: &Value| -> Vec<String> {
        let rows = body["rows"].as_array().unwrap().iter();
        rows.map(|row| row["order_id"].as_str().unwrap().to_owned()).collect()
    };
    let first = shop.get("/orders?limit=3&customer_id=0001").await;
    assert_eq!(
        (ids(&first.body), &first.body["more"]),
        (vec!["a".into(), "b".into(), "c".into()], &json!(true))
    );
    let rest = shop.get("/orders?limit=3&after=c").await;
    assert_eq!((ids(&rest.body), &rest.body["more"]), (vec!["d".into(), "e".into()], &json!(false)));
    assert_eq!(ids(&shop.get("/orders?customer_id=0002").await.body), Vec::<String>::new());
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn first_and_last_purchase_are_days_whatever_order_the_orders_come_in() {
    let shop = shop().await;
    for (id, day) in [("b", "1997-06-15"), ("c", "1998-02-01"), ("a", "1997-01-18")] {
        let mut wish = order(id, 1_000);
        wish["ordered_on"] = json!(day);
        shop.post("/orders", &wish).await.assert_ok();
    }
    shop.idle().await;
    let expected = json!({
        "customer_id": "0001", "orders": 3, "items": 6, "revenue_cents": 3_000,
        "first_purchase": "1997-01-18", "last_purchase": "1998-02-01",
    });
    assert_eq!(shop.get("/customers/0001").await.assert_ok(), &expected);
    let days = shop.get("/sales?after=1997-01-18&limit=1").await;
    let row = json!({"day": "1997-06-15", "orders": 1, "items": 2, "revenue_cents": 1_000});
    assert_eq!(days.assert_ok(), &json!({"rows": [row], "more": true}));
    let customers = shop.get("/customers").await;
    assert_eq!(customers.assert_ok(), &json!({"rows": [expected], "more": false}));
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn a_repeat_is_recognised_by_its_key_also_without_an_order_id() {
    let shop = shop().await;
    let mut wish = order("", 100);
    wish.as_object_mut().unwrap().remove("order_id");
    let keyed = async |wish: &Value| {
        let request = Request::post("/orders").header("content-type", "application/json");
        let request = request.header("idempotency-key", "k-1").body(Body::from(wish.to_string()));
        let (parts, body) = shop.oneshot(request.unwrap()).await.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    let (status, first) = keyed(&wish).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    shop.idle().await;
    assert_eq!(keyed(&wish).await, (StatusCode::OK, first));
    wish["items"] = json!(3);
    let (status, other) = keyed(&wish).await;
    assert_eq!(status, StatusCode::CONFLICT, "{other}");
    assert_eq!(shop.get("/totals").await.assert_ok()["orders"], 1);
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn the_shop_lists_what_it_answers_and_each_event_names_its_service() {
    let shop = shop().await;
    shop.get("/").await.assert_ok();
    shop.post("/orders", &order("o-1", 100)).await.assert_ok();
    shop.idle().await;
    let page = shop.app().store().read_log(ReadLog::from(Sequence::FIRST)).await.unwrap();
    let services = page.events.iter().map(|event| {
        let category = event.stream().split('-').next().unwrap().to_owned();
        (category, event.metadata().unwrap().headers["service"].clone())
    });
    let expected = [("order", "orders"), ("payment", "payments"), ("shipment", "shipping")];
    let expected = expected.map(|(category, service)| (category.to_owned(), service.to_owned()));
    assert_eq!(services.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    shop.stop().await.unwrap();
}
