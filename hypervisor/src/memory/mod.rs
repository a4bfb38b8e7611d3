//! RAM: who owns it, and how an address becomes a pointer.

mod guest;
mod heap;
pub mod phys;
mod ram;
mod run_page;

pub use guest::{OfGuest, Window};
pub use ram::{Ram, SharedRam};
pub use run_page::RunPage;
