use super::*;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
    routing::post,
};
use tower::ServiceExt;

async fn caller(headers: &[(&str, &str)]) -> Result<Caller, Problem> {
    caller_at("/orders/1", headers).await
}

async fn caller_at(path: &str, headers: &[(&str, &str)]) -> Result<Caller, Problem> {
    let request =
        headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    Caller::from_request_parts(&mut parts, &()).await
}

#[tokio::test]
async fn a_key_names_a_request_of_one_path_and_tenant() {
    let key = (IDEMPOTENCY_KEY, "k-1");
    let id = caller(&[key]).await.unwrap().request_id;
    assert!(id.is_some());
    assert_eq!(caller(&[key]).await.unwrap().request_id, id);
    assert_ne!(caller(&[(IDEMPOTENCY_KEY, "k-2")]).await.unwrap().request_id, id);
    assert_ne!(caller_at("/orders/2", &[key]).await.unwrap().request_id, id);
    assert_ne!(caller(&[key, (TENANT, "acme")]).await.unwrap().request_id, id);
    assert_eq!(caller(&[]).await, Ok(Caller::default()));
}

#[tokio::test]
async fn what_a_caller_says_is_stored_with_the_events() {
    let id = "01930000-0000-7000-8000-000000000001";
    let caller = caller(&[(CORRELATION_ID, id), (TENANT, "acme")]).await.unwrap();
    let cause = Cause::from(caller);
    assert_eq!(cause.metadata.correlation_id.map(|id| id.to_string()).as_deref(), Some(id));
    assert_eq!(cause.metadata.tenant.as_deref(), Some("acme"));
}

#[tokio::test]
async fn an_id_of_a_chain_that_is_no_uuid_stands_for_one() {
    let id = async |text| caller(&[(CORRELATION_ID, text)]).await.unwrap().correlation_id;
    let of_proxy = id("1-67891233-abcdef012345678912345678").await;
    assert!(of_proxy.is_some());
    assert_eq!(id("1-67891233-abcdef012345678912345678").await, of_proxy);
    assert_ne!(id("1-67891233-abcdef012345678912345679").await, of_proxy);
}

#[tokio::test]
async fn one_key_names_two_requests_to_two_nested_routers() {
    let ids = || {
        let id = async |caller: Caller| caller.request_id.map(|id| id.to_string()).unwrap_or_default();
        Router::new().route("/{id}", post(id))
    };
    let routes = Router::new().nest("/deposits", ids()).nest("/refunds", ids());
    let ask = async |path: &str| {
        let request = Request::post(path).header(IDEMPOTENCY_KEY, "k-1").body(Body::empty()).unwrap();
        let body = routes.clone().oneshot(request).await.unwrap().into_body();
        String::from_utf8(to_bytes(body, 64).await.unwrap().to_vec()).unwrap()
    };
    let deposit = ask("/deposits/7").await;
    assert!(!deposit.is_empty());
    assert_eq!(ask("/deposits/7").await, deposit);
    assert_ne!(ask("/refunds/7").await, deposit);
    let alone = caller_at("/deposits/7", &[(IDEMPOTENCY_KEY, "k-1")]).await.unwrap();
    assert_eq!(alone.request_id.unwrap().to_string(), deposit);
}

#[tokio::test]
async fn a_header_that_cannot_be_used_is_named() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    for (name, value) in [(CORRELATION_ID, ""), (IDEMPOTENCY_KEY, ""), (TENANT, long.as_str())] {
        let refused = caller(&[(name, value)]).await.unwrap_err();
        assert!(refused.status == 400 && refused.detail.contains(name), "{refused:?}");
    }
}

#[tokio::test]
async fn a_header_that_stands_twice_is_refused_by_name() {
    for name in [IDEMPOTENCY_KEY, TENANT, CORRELATION_ID] {
        let refused = caller(&[(name, "a"), (name, "a")]).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.detail),
            (400, format!("the header {name} stands more than once"))
        );
    }
}
