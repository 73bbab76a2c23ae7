use annals::Event;

#[derive(Event)]
struct Placed {
    order_id: String,
}

fn main() {}
