//! What a service answers before all of it is there.
//!
//! What always holds: once the address is taken, `/health` is answered, and says that the service is not ready. All else is refused
//! with 503, until the service's own routes are there; from then on they answer everything.

use crate::{
    HttpLimits, Problem, finish,
    health::{Condition, Health, Probe},
};
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};
use tower::ServiceExt;

/// Lets requests through once there is somebody who answers them. Cloning it gives another handle.
#[derive(Clone)]
pub(super) struct Gate {
    before: Router,
    open: Arc<OnceLock<Router>>,
    starting: Probe,
}

impl Gate {
    pub(super) fn new(health: &Health, limits: &HttpLimits) -> Self {
        let starting = health.probe("the service");
        starting.set(Condition::NotReady("it is starting".to_owned()));
        let before = health.routes().route("/", any(not_yet)).route("/{*rest}", any(not_yet));
        Self { before: finish(before, limits, super::running::HINT), open: Arc::default(), starting }
    }

    /// What is to be served.
    pub(super) fn routes(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// From now on these routes answer.
    pub(super) fn open(&self, routes: Router) {
        let _ = self.open.set(routes);
        self.starting.set(Condition::Well);
    }
}

async fn answer(State(gate): State<Gate>, request: Request) -> Response {
    let routes = gate.open.get().unwrap_or(&gate.before).clone();
    let answered: Result<Response, Infallible> = routes.oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

async fn not_yet() -> Problem {
    Problem::unavailable("the service is starting; GET /health/ready says what it waits for")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        body::Body,
        http::{StatusCode, header},
        routing::get,
    };

    async fn ask(gate: &Gate, path: &str) -> Response {
        gate.routes().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_health_is_answered_until_the_routes_are_there() {
        let health = Health::new();
        let gate = Gate::new(&health, &HttpLimits::default());
        assert_eq!(ask(&gate, "/health/live").await.status(), StatusCode::OK);
        assert_eq!(ask(&gate, "/health/ready").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        for path in ["/", "/orders/1"] {
            let refused = ask(&gate, path).await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(refused.headers().contains_key(header::RETRY_AFTER));
        }
        let told = health.report().await.not_ready;
        assert_eq!(told, ["the event store has not been reached yet", "the service: it is starting"]);
        gate.open(Router::new().route("/orders/{id}", get(async || "an order")));
        assert_eq!(ask(&gate, "/orders/1").await.status(), StatusCode::OK);
        assert_eq!(ask(&gate, "/health/ready").await.status(), StatusCode::NOT_FOUND);
        assert_eq!(health.report().await.not_ready, ["the event store has not been reached yet"]);
    }
}
