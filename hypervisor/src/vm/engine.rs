//! What runs a vCPU: `REC_ENTER` in one of the dialects of RMI, or EL1 itself.

use addr::GranuleAddr;
use alloc::boxed::Box;
use plain::psci::Start;
use rmi::client::{Rmi, RmiError};

use crate::arch::guest::PlainVcpu;
use crate::arch::ich::VirtualInterface;
use crate::arch::smc::SmcConduit;
use crate::calls::Calls;
use crate::memory::RunPage;
use crate::rmm::{Counter, Dialect};

/// How a vCPU is entered. Between `attach` and `detach` this CPU's registers are
/// the vCPU's as far as they outlast an exit.
pub trait Engine: Psci {
    /// Brings the vCPU's registers into this CPU.
    fn attach(&mut self);

    /// Takes them out of it.
    fn detach(&mut self);

    /// Runs the vCPU until it exits.
    fn enter(&mut self, page: &mut RunPage) -> Result<(), RmiError>;
}

/// The part in PSCI that an RMM takes over for its RECs.
pub trait Psci {
    /// Where the vCPU shall start that the last exit wants turned on; `None` where
    /// that is the RMM's business.
    fn wanted_start(&self) -> Option<Start> {
        None
    }

    /// Completes the PSCI call of the last exit with what the guest finds in x0.
    fn complete(&mut self, _x0: u64) {}
}

/// A REC.
#[derive(Debug)]
pub struct Rec<B> {
    /// Counts this vCPU's calls.
    rmm: B,
    granule: GranuleAddr,
    /// Its interrupts, where not the RMM but this host puts them into the CPU.
    interface: VirtualInterface,
}

impl<B: Dialect> Rec<B> {
    /// The REC at `granule`.
    pub fn new(rmm: B, granule: GranuleAddr) -> Self {
        Self {
            rmm,
            granule,
            interface: VirtualInterface::new(),
        }
    }
}

impl<B: Dialect> Engine for Rec<B> {
    fn attach(&mut self) {
        if B::PROGRAMS_GIC {
            self.interface.attach();
        }
    }

    fn detach(&mut self) {
        if B::PROGRAMS_GIC {
            self.interface.detach();
        }
    }

    #[inline(always)]
    fn enter(&mut self, page: &mut RunPage) -> Result<(), RmiError> {
        // The constant keeps all of it out of the loop of RMI 1.0.
        if B::PROGRAMS_GIC {
            self.interface.load(&page.get().enter);
        }
        self.rmm.enter(self.granule, page.granule())?;
        if B::PROGRAMS_GIC {
            self.interface.save(&mut page.get().exit);
        }
        Ok(())
    }
}

impl<B> Psci for Rec<B> {}

impl Engine for PlainVcpu {
    fn attach(&mut self) {
        Self::attach(self);
    }

    fn detach(&mut self) {
        Self::detach(self);
    }

    #[inline(always)]
    fn enter(&mut self, page: &mut RunPage) -> Result<(), RmiError> {
        Self::enter(self, page.get());
        Ok(())
    }
}

impl Psci for PlainVcpu {
    fn wanted_start(&self) -> Option<Start> {
        Self::wanted_start(self)
    }

    fn complete(&mut self, x0: u64) {
        Self::complete(self, x0);
    }
}

/// What runs a vCPU, by kind.
pub enum Engines {
    /// Nothing yet.
    None,
    /// A REC, by RMI 1.0.
    V1_0(Rec<Rmi<SmcConduit>>),
    /// A REC, by RMI 2.0.
    V2_0(Rec<realm::v2_0::Host<SmcConduit>>),
    /// EL1 itself. It is a large state.
    Plain(Box<PlainVcpu>),
}

impl Engines {
    /// Adds the calls made to `calls`.
    pub fn count(&self, calls: &mut Calls) {
        match self {
            Self::None | Self::Plain(_) => {}
            Self::V1_0(rec) => rec.rmm.count(calls),
            Self::V2_0(rec) => rec.rmm.count(calls),
        }
    }
}
