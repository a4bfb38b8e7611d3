//! Answers to commands, as plain data and in two forms.
//!
//! The shell fills in a structure; [`Answer::write`] makes aligned text or one
//! line of JSON of it. Field names of the JSON are those of the structures, sizes
//! are in bytes, times in microseconds; fields are only ever added.

mod host;
mod json;
mod table;
mod vm;

use core::fmt::{self, Write};

use crate::command::Form;

pub use host::{CpuRow, Cpus, LedgerInfo, MemInfo, NoRmm, RmmInfo};
pub use vm::{ExitRow, Exits, NotARealm, RealmInfo, VcpuRow, VmInfo, VmList, VmRow};

/// Something that can be said in both forms.
pub trait Answer {
    /// As lines of text.
    fn text(&self, out: &mut dyn Write) -> fmt::Result;

    /// As JSON, without a line end.
    fn json(&self, out: &mut dyn Write) -> fmt::Result;

    /// In the form that is wanted, with a line end.
    fn write(&self, form: Form, out: &mut dyn Write) -> fmt::Result {
        match form {
            Form::Text => self.text(out),
            Form::Json => {
                self.json(out)?;
                out.write_str("\n")
            }
        }
    }
}
