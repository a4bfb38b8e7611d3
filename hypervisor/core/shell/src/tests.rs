//! The console as an operator and a hostile guest see it.
mod answers;
mod commands;
mod editing;
mod screens;

use std::string::String;
use std::vec::Vec;

use crate::Sink;

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What was written, and nothing of it again.
fn take(out: &mut Vec<u8>) -> String {
    String::from_utf8_lossy(&std::mem::take(out)).into_owned()
}
