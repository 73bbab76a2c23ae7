use annals::Event;

#[derive(Event)]
enum OrderEvent {
    #[event(type = "order.placed", version = 1)]
    Placed { order_id: String },
    Paid,
    #[event(type = "order.shipped")]
    Shipped,
}

fn main() {}
