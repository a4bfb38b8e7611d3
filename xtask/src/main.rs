//! The one door to building, running and testing Suzerain.
fn main() {}
