use super::*;
use axum::http::Request;

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
async fn a_header_that_cannot_be_used_is_named() {
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    for (name, value) in [(CORRELATION_ID, "seven"), (IDEMPOTENCY_KEY, ""), (TENANT, long.as_str())] {
        let refused = caller(&[(name, value)]).await.unwrap_err();
        assert!(refused.status == 400 && refused.detail.contains(name), "{refused:?}");
    }
}
