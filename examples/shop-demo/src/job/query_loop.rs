//! Asks the same questions over and over, over HTTP, and checks every answer. As long as nothing is sold meanwhile,
//! an answer that differs from the one before would be a mix, an empty table or a step back.

use crate::shop::Shop;
use annals::event::Sequence;
use annals::read_model::ReadModel;
use annals::store::{EventStore, Filter, ReadLog};
use annals_shop::orders::queries::Page;
use annals_shop::orders::read_models::{customer_value::CustomerValue, customer_values};
use anyhow::{Context, Result, bail};
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
    path: String,
    expected: CustomerValue,
}

impl QueryLoop {
    /// Begins to ask.
    pub async fn start(shop: &Shop) -> Result<Self> {
        let (shop, stop) = (shop.clone(), CancellationToken::new());
        let (since, questions) = (shop.store.head().await?.last, questions(&shop).await?);
        let sales = ReadModel::named("customer_value").table(customer_values()).build()?.filter().clone();
        let asking = tokio::spawn(Asker { shop, questions, since, sales }.ask(stop.clone()));
        Ok(Self { stop, asking })
    }

    /// Ends, and says how many questions were answered rightly. An answer that was wrong is an error.
    pub async fn stop(self) -> Result<u64> {
        self.stop.cancel();
        self.asking.await.context("the queries crashed")?
    }
}

async fn questions(shop: &Shop) -> Result<Vec<Question>> {
    let page: Page<CustomerValue> = shop.get(&format!("/customers?limit={CUSTOMERS}")).await?;
    let question = |expected: CustomerValue| {
        let path = format!("/customers/{}", expected.customer_id);
        Question { path, expected }
    };
    Ok(page.rows.into_iter().map(question).collect())
}

struct Asker {
    shop: Shop,
    questions: Vec<Question>,
    /// Where the log was before the first question.
    since: Sequence,
    /// What changes the answers.
    sales: Filter,
}

impl Asker {
    async fn ask(mut self, stop: CancellationToken) -> Result<u64> {
        let mut answered = 0;
        while !self.questions.is_empty() && !stop.is_cancelled() {
            for Question { path, expected } in &mut self.questions {
                let answer: CustomerValue = self.shop.get(path).await?;
                if answer != *expected && !sold(&*self.shop.store, self.since, &self.sales).await? {
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
