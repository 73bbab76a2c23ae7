use annals::Table;

#[derive(Clone, PartialEq, Table)]
#[table(name = "customer_value")]
struct CustomerValue {
    customer_id: String,
}

fn main() {}
