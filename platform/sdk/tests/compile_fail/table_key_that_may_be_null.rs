use annals::Table;

#[derive(Clone, PartialEq, Table)]
#[table(name = "sales")]
struct Sales {
    #[table(key)]
    day: Option<String>,
}

fn main() {}
