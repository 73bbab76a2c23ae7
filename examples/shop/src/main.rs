//! Runs the shop.

fn main() {}
