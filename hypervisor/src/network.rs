//! The switch that joins the VMs of this machine.

use heapless::Vec;
use virtio::{Broken, Fill, HEAD, MAX_PORTS, Mac, PortCounters, PortId, Switch, Take};

use crate::sync::{Mutex, rank};

struct Network {
    switch: Switch<'static>,
    /// Memory of ports that VMs have left.
    spare: Vec<&'static mut [u8], MAX_PORTS>,
}

static NETWORK: Mutex<Network, { rank::SWITCH }> = Mutex::new(Network {
    switch: Switch::new(),
    spare: Vec::new(),
});

/// A VM's connection to the switch.
#[derive(Debug)]
#[must_use = "a port that is not left stays taken"]
pub struct Port(PortId);

/// Connects a VM with this address. None if there is no RAM for its frames, no
/// port left, or another VM with this address.
///
/// `allocate` gives memory for a port if there is none left from another; it is
/// never given back, but used for the next port.
pub fn join(mac: Mac, allocate: impl FnOnce() -> Option<&'static mut [u8]>) -> Option<Port> {
    let spare = NETWORK.lock().spare.pop();
    let memory = match spare {
        Some(memory) => memory,
        None => allocate()?,
    };
    let mut network = NETWORK.lock();
    match network.switch.attach(mac, memory) {
        Ok(port) => Some(Port(port)),
        Err(memory) => {
            // As many fit as there are ports.
            let _ = network.spare.push(memory);
            None
        }
    }
}

/// Which ports frames came to since this was last asked, as a set of bits by
/// [`Port::index`]: their VMs want `Board::serve` for the slot of their card.
pub fn take_woken() -> u64 {
    NETWORK.lock().switch.take_woken()
}

impl Port {
    /// Its bit in [`take_woken`].
    pub fn index(&self) -> usize {
        self.0.index()
    }

    /// What went over it.
    pub fn counters(&self) -> PortCounters {
        NETWORK.lock().switch.counters(self.0)
    }

    /// Sends a frame: `virtio::Wire::send`.
    pub fn send(&self, head: &[u8; HEAD], rest: usize, fill: &mut Fill<'_>) -> Result<(), Broken> {
        NETWORK.lock().switch.send(self.0, head, rest, fill)
    }

    /// Shows the oldest frame that waits: `virtio::Wire::receive`.
    pub fn receive(&self, take: &mut Take<'_>) -> Result<bool, Broken> {
        NETWORK.lock().switch.receive(self.0, take)
    }

    /// Leaves the switch.
    pub fn leave(self) {
        let mut network = NETWORK.lock();
        if let Some(memory) = network.switch.detach(self.0) {
            let _ = network.spare.push(memory);
        }
    }
}
