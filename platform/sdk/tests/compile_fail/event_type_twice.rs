use annals::Event;

#[derive(Event)]
enum OrderEvent {
    #[event(type = "order.placed", version = 1)]
    PlacedOnce { order_id: String },
    #[event(type = "order.placed", version = 2)]
    Placed { order_id: String, currency: String },
}

fn main() {}
