//! One at a time has the right to build candidates of a read model.

use super::{
    Catalog,
    fixture::{Handle, at_once, model, open, until},
};
use crate::backend::Lease;

/// How many want the lease at once.
const TAKERS: usize = 8;

/// Takes the lease once whoever had it is found to have given it up.
async fn take(on: &Handle, name: &str) -> Lease {
    let model = model(name);
    until("the lease is given up", async || on.try_lease(&model).await.unwrap()).await
}

pub async fn a_lease_is_held_by_one_at_a_time(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let name = model("till");
    let held = on.try_lease(&name).await.unwrap();
    assert!(held.is_some());
    for handle in [&on, &other] {
        assert!(handle.try_lease(&name).await.unwrap().is_none(), "two hold it");
    }
    drop(held);
    let held = take(&other, "till").await;
    for handle in [&on, &other] {
        assert!(handle.try_lease(&name).await.unwrap().is_none(), "two hold it");
    }
    drop(held);
    drop(take(&on, "till").await);
}

pub async fn each_read_model_has_a_lease_of_its_own(catalog: Catalog) {
    let (on, other) = (open(&catalog).await, open(&catalog).await);
    let names = ["till", "Till", "till 2", "it's", "../till"];
    let mut held = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let by = if at % 2 == 0 { &on } else { &other };
        held.push(by.try_lease(&model(name)).await.unwrap().unwrap());
    }
    for name in names {
        assert!(on.try_lease(&model(name)).await.unwrap().is_none(), "{name}");
    }
}

pub async fn of_8_that_want_a_lease_exactly_one_gets_it(catalog: Catalog) {
    let handles = [open(&catalog).await, open(&catalog).await];
    for round in 0..5 {
        let name = model(&format!("till {round}"));
        let tried = at_once(TAKERS, |index| {
            let (on, name) = (handles[index % handles.len()].clone(), name.clone());
            async move { on.try_lease(&name).await.unwrap() }
        });
        let held: Vec<_> = tried.await.into_iter().flatten().collect();
        assert_eq!(held.len(), 1);
    }
}

pub async fn a_handle_that_is_dropped_gives_its_leases_up(catalog: Catalog) {
    let other = open(&catalog).await;
    {
        let on = open(&catalog).await;
        let held = on.try_lease(&model("till")).await.unwrap();
        assert!(held.is_some());
        assert!(other.try_lease(&model("till")).await.unwrap().is_none());
    }
    drop(take(&other, "till").await);
}
