// The files of the guide's service: what its pages build on.
pub mod booking {
    include!("booking.rs");
}
pub mod http {
    include!("http.rs");
}
pub mod members {
    include!("members.rs");
}
pub mod members_http {
    include!("members_http.rs");
}
pub mod mended {
    include!("mended.rs");
}
pub mod questions {
    include!("questions.rs");
}
pub mod reactions {
    include!("reactions.rs");
}
pub mod rooms {
    include!("rooms.rs");
}
pub mod usage {
    include!("usage.rs");
}
