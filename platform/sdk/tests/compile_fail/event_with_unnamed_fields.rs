use annals::Event;

#[derive(Event)]
enum OrderEvent {
    #[event(type = "order.placed", version = 1)]
    Placed(String, u64),
}

fn main() {}
