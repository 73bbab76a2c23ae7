//! Asks the same questions over and over, over HTTP, and checks every answer. As long as nothing is sold meanwhile,
//! an answer that differs from the one before would be a mix, an empty table or a step back.

use crate::orders::read_models::ReadModels;
use crate::orders::read_models::customer_value::CustomerValue;
use crate::shop::Shop;
use annals::event::Sequence;
use annals::store::{EventStore, Filter, ReadLog};
use anyhow::{Context, Result, anyhow, bail};
use reqwest::Client;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How many customers are asked about in turn.
const CUSTOMERS: u32 = 20;

/// A running loop of questions.
pub struct QueryLoop {
    stop: CancellationToken,
    asking: JoinHandle<Result<u64>>,
}

/// A question and its answer.
struct Question {
    url: String,
    expected: CustomerValue,
}

impl QueryLoop {
    /// Begins to ask.
    pub async fn start(shop: &Shop) -> Result<Self> {
        let http = Client::builder().no_proxy().build()?;
        let stop = CancellationToken::new();
        let (store, since) = (shop.store.events(), shop.store.events().head().await?.last);
        let questions = questions(shop).await?;
        let sales = ReadModels::new()?.customer_value.filter().clone();
        let asking = tokio::spawn(Asker { http, questions, store, since, sales }.ask(stop.clone()));
        Ok(Self { stop, asking })
    }

    /// Ends, and says how many questions were answered rightly. An answer that was wrong is an error.
    pub async fn stop(self) -> Result<u64> {
        self.stop.cancel();
        self.asking.await.context("the queries crashed")?
    }
}

async fn questions(shop: &Shop) -> Result<Vec<Question>> {
    let page = shop.queries.customers(None, CUSTOMERS).await.map_err(|problem| anyhow!(problem.detail))?;
    let question = |expected: CustomerValue| {
        let url = format!("{}/customers/{}", shop.url(), expected.customer_id);
        Question { url, expected }
    };
    Ok(page.rows.into_iter().map(question).collect())
}

struct Asker {
    http: Client,
    questions: Vec<Question>,
    store: Arc<dyn EventStore>,
    /// Where the log was before the first question.
    since: Sequence,
    /// What changes the answers.
    sales: Filter,
}

impl Asker {
    async fn ask(mut self, stop: CancellationToken) -> Result<u64> {
        let mut answered = 0;
        while !self.questions.is_empty() && !stop.is_cancelled() {
            for Question { url, expected } in &mut self.questions {
                let answer: CustomerValue =
                    self.http.get(url.as_str()).send().await?.error_for_status()?.json().await?;
                if answer != *expected && !sold(self.store.as_ref(), self.since, &self.sales).await? {
                    bail!(
                        "a query was answered wrongly during the replay: {answer:?} instead of {expected:?}"
                    );
                }
                *expected = answer;
                answered += 1;
            }
        }
        Ok(answered)
    }
}

/// Whether anything was sold, or taken back, after this place.
async fn sold(store: &dyn EventStore, since: Sequence, sales: &Filter) -> Result<bool> {
    let mut read = ReadLog::filtered(since.next(), sales.clone());
    loop {
        let page = store.read_log(read.clone()).await?;
        if !page.events.is_empty() || page.is_last() {
            return Ok(!page.events.is_empty());
        }
        read.from = page.through.next();
    }
}
