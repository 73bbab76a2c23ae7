use annals::Event;

#[derive(Event)]
enum OrderEvent {
    #[event(type = "", version = 1)]
    Placed,
    #[event(type = "order.paid", version = 0)]
    Paid,
    #[event(name = "order.shipped", version = 1)]
    Shipped,
    #[event(type = "order.closed", version = 1, version = 2)]
    Closed,
}

fn main() {}
