//! The RMM there is: which RMI it speaks.

use conduit::{Conduit, Regs};
use contract::case::Dialect;
use rmi::v1_0::Command as Old;
use rmi::v2_0::Command as New;

use crate::machine::Smc;

/// Finds out which RMI is spoken, and activates an RMM of 2.0.
///
/// # Panics
///
/// If it is neither, or is not activated.
pub fn agree() -> Dialect {
    let version = |raw| Smc.call(Regs::call(Old::Version.fid(), &[raw])).0[0];
    if version(0x2_0000) != 0 {
        assert!(version(0x1_0000) == 0, "the RMM serves neither RMI");
        return Dialect::V1_0;
    }
    let Regs([x0, ..]) = Smc.call(Regs::call(New::RmmActivate.fid(), &[]));
    assert!(x0 == 0, "RMM_ACTIVATE: {x0:#x}");
    Dialect::V2_0
}
