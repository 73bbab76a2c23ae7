//! Asks the same questions over and over, over HTTP, and checks every answer. Nothing is ordered meanwhile, so an
//! answer that differs from the first one would be a mix, an empty table or a step back.

use crate::orders::read_models::customer_value::CustomerValue;
use crate::shop::Shop;
use anyhow::{Context, Result, anyhow, bail};
use reqwest::Client;
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
        let questions = questions(shop).await?;
        let http = Client::builder().no_proxy().build()?;
        let stop = CancellationToken::new();
        let asking = tokio::spawn(ask(http, questions, stop.clone()));
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

async fn ask(http: Client, questions: Vec<Question>, stop: CancellationToken) -> Result<u64> {
    let mut answered = 0;
    for Question { url, expected } in questions.iter().cycle() {
        let answer: CustomerValue = http.get(url).send().await?.error_for_status()?.json().await?;
        if answer != *expected {
            bail!("a query was answered wrongly during the replay: {answer:?} instead of {expected:?}");
        }
        answered += 1;
        if stop.is_cancelled() {
            break;
        }
    }
    Ok(answered)
}
