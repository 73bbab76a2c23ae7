use annals::Table;

#[derive(Clone, PartialEq, Table)]
#[table(name = "sales")]
struct Sales {
    #[table(primary)]
    day: String,
}

#[derive(Clone, PartialEq, Table)]
#[table(name = "stock")]
struct Stock {
    #[table(key, index)]
    article: String,
}

fn main() {}
