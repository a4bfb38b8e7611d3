//! One file per command.

pub mod bench;
pub mod doctor;
pub mod fvp;
pub mod guests;
pub mod image;
pub mod lint;
pub mod rim;
pub mod run;
pub mod test;
