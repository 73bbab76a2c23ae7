use annals::Table;

#[derive(Clone, PartialEq, Table)]
#[table(name = "customer value; drop table")]
struct CustomerValue {
    #[table(key)]
    customer_id: String,
}

#[derive(Clone, PartialEq, Table)]
#[table(name = "sales")]
struct Sales {
    #[table(key)]
    day: String,
    annals_sequence: u64,
}

#[derive(Clone, PartialEq, Table)]
#[table(name = "stock")]
struct Stock {
    #[table(key)]
    article: String,
    #[table(column = "article")]
    items: u64,
}

fn main() {}
