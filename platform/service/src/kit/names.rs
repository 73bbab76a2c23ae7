//! What stands once in a service.
//!
//! What always holds: no two reactors, read models or tasks of a service have one name, also where it is made of several parts; no
//! two read models have one table; and no route of the service's own is one that the platform answers.

use super::{app::App, error::ServiceError, service::Service};
use crate::config::ReadModelConfig;
use annals_projection::ReadModel;
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    middleware::{self, Next},
    response::Response,
};
use std::{collections::HashSet, convert::Infallible};
use tower::ServiceExt;

/// The platform's routes outside of `/_annals/`.
const PLATFORM: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

/// Why a service cannot be put together.
#[derive(Debug, thiserror::Error)]
enum Clash {
    #[error(
        "two reactors are named {0:?}; give each its own name, or make one of them with the handlers of both"
    )]
    Reactors(String),
    #[error(
        "two read models are named {0:?}; give each its own name, or make one of them with the tables of both"
    )]
    ReadModels(String),
    #[error("two tables of the service's read models are named {0:?}; give each its own name")]
    Tables(String),
    #[error("two tasks are named {0:?}; give each its own name")]
    Tasks(String),
    #[error("the platform itself answers {0}; give the service's own route another path")]
    Route(&'static str),
}

/// Whether all of it can stand side by side.
pub(super) async fn check(
    service: &Service,
    models: &[(ReadModel, ReadModelConfig)],
) -> Result<(), ServiceError> {
    let reactors = service.reactors.iter().map(|(_, reactor)| reactor.name());
    let names = models.iter().map(|(model, _)| model.name().as_str());
    let tables = models.iter().flat_map(|(model, _)| model.table_names());
    let tasks = service.tasks.iter().map(|(name, _)| *name);
    let clash = twice(reactors).map(Clash::Reactors).or_else(|| twice(names).map(Clash::ReadModels));
    let clash = clash.or_else(|| twice(tables).map(Clash::Tables)).or_else(|| twice(tasks).map(Clash::Tasks));
    let clash = match clash {
        None => shadowed(&service.app, &service.routes).await.map(Clash::Route),
        clash => clash,
    };
    clash.map_or(Ok(()), |clash| Err(ServiceError::Build(clash.into())))
}

fn twice<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name)).map(str::to_owned)
}

/// The first route of the platform that the service has, too. No handler is called. A route for all paths is none of them.
async fn shadowed(app: &App, routes: &Router<App>) -> Option<&'static str> {
    let matched = middleware::from_fn(async |request: Request, _: Next| {
        let mut answer = Response::new(Body::empty());
        if let Some(path) = request.extensions().get::<MatchedPath>() {
            answer.extensions_mut().insert(path.clone());
        }
        answer
    });
    let routes: Router = routes.clone().layer(matched).with_state(app.clone());
    for path in PLATFORM {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().ok()?;
        let answered: Result<Response, Infallible> = routes.clone().oneshot(request).await;
        let answer = answered.unwrap_or_else(|never| match never {});
        if answer.extensions().get::<MatchedPath>().is_some_and(|matched| matched.as_str() == path) {
            return Some(path);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{super::parts::tests::model, *};
    use crate::{BuildError, TestService};
    use axum::routing::{get, post};

    /// Why the service is refused.
    async fn refused(build: impl AsyncFnOnce(Service) -> Result<Service, BuildError>) -> String {
        TestService::start(build).await.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn what_stands_twice_is_refused_by_name() {
        let told = refused(async |it| Ok(it.read_model(model("a")).read_model(model("a")))).await;
        assert!(told.contains("two read models are named \"a\""), "{told}");
        let told = refused(async |it| Ok(it.read_model(model("a")).read_model(model("b")))).await;
        assert!(told.contains("two tables of the service's read models are named \"notes\""), "{told}");
        let task = |it: Service| it.task("mail", |_, _| async { Ok(()) });
        let told = refused(async |it| Ok(task(task(it)))).await;
        assert!(told.contains("two tasks are named \"mail\""), "{told}");
        let part = async |it| Ok(task(it));
        let told = refused(async |it: Service| it.part("a", part).await?.part("b", part).await).await;
        assert!(told.contains("two tasks are named \"mail\""), "{told}");
    }

    #[tokio::test]
    async fn a_route_of_the_platform_is_refused_and_one_for_all_paths_is_not() {
        let own = async |it: Service, path: &str| Ok(it.routes(Router::new().route(path, post(async || ()))));
        let told = refused(async |it| own(it, "/health").await).await;
        assert!(told.contains("the platform itself answers /health;"), "{told}");
        let nested = Router::new().nest("/health", Router::new().route("/live", get(async || ())));
        let told = refused(async |it| Ok(it.routes(nested))).await;
        assert!(told.contains("the platform itself answers /health/live;"), "{told}");
        for path in ["/{page}", "/{*page}"] {
            TestService::start(async |it| own(it, path).await).await.unwrap().stop().await.unwrap();
        }
    }
}
