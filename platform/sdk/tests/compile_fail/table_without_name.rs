use annals::Table;

#[derive(Clone, PartialEq, Table)]
struct CustomerValue {
    #[table(key)]
    customer_id: String,
}

fn main() {}
