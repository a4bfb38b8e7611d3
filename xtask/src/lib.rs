//! The one door to building, running and testing Suzerain, as a library so
//! that the machine tests drive the same code as `cargo xtask`.
//!
//! `cmd` has one file per command; `board` alone knows QEMU's flags; `session`
//! owns a running machine and judges how it ended.
pub mod bare;
pub mod bench;
pub mod board;
pub mod board_fvp;
pub mod bootargs;
pub mod build;
pub mod cmd;
pub mod diagnosis;
pub mod exit;
pub mod firmware;
pub mod image;
pub mod lint;
pub mod os;
pub mod paths;
pub mod progress;
pub mod provision;
pub mod session;
pub mod summary;
pub mod torn;
pub mod trace;
pub mod verdict;
pub mod vm;
