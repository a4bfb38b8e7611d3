//! RAM: who owns it, and how an address becomes a pointer.

mod heap;
pub mod phys;
mod ram;

pub use ram::Ram;
