//! RAM: who owns it, and how an address becomes a pointer.

mod heap;
pub mod phys;
mod ram;
mod run_page;

pub use ram::{Ram, SharedRam};
pub use run_page::RunPage;
