//! A device: registers, configuration, queues and model.

use crate::block::Block;
use crate::chain::Chain;
use crate::net::{Mac, Net};
use crate::queue::Queue;
use crate::transport::{CONFIG, Effect, Transport};
use crate::{Backend, Broken, GuestMemory, block, console, entropy, net};

/// Chains handled in one call at most.
const CHAINS: u32 = 256;
/// Bytes moved in one call at most, give or take the last chain.
const BYTES: u64 = 4 << 20;

/// What came of looking at a device's queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Served {
    /// Everything there was is done.
    Done,
    /// There is more: call again, when others have had their turn.
    More,
    /// The device has just stopped until its driver resets it.
    Broke(Broken),
}

/// What a call may still do.
pub struct Budget {
    chains: u32,
    bytes: u64,
}

impl Budget {
    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.chains == 0 || self.bytes == 0
    }

    /// Takes a chain that moved `bytes`.
    pub fn spend(&mut self, bytes: u64) {
        self.chains = self.chains.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// What a chain came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Bytes written for the driver, counted from the first.
    pub written: u32,
    /// Bytes moved either way, for the budget.
    pub bytes: u64,
}

#[derive(Clone, Debug)]
enum Model {
    Console,
    Entropy,
    Net(Net),
    Block(Block),
}

/// A virtio device behind MMIO.
#[derive(Clone, Debug)]
pub struct Device {
    transport: Transport,
    model: Model,
    /// Whether it was said that it is broken.
    told: bool,
}

impl Device {
    /// A console with one port.
    pub fn console() -> Self {
        Self::new(Transport::new(console::ID, 2, 0), Model::Console)
    }

    /// A source of entropy.
    pub fn entropy() -> Self {
        Self::new(Transport::new(entropy::ID, 1, 0), Model::Entropy)
    }

    /// A network card with this address.
    pub fn net(mac: Mac) -> Self {
        let transport = Transport::new(net::ID, 2, net::FEATURES);
        Self::new(transport, Model::Net(Net::new(mac)))
    }

    /// Disk `index` of [`crate::Storage`], of `sectors` times [`crate::SECTOR`]
    /// bytes.
    pub fn block(index: usize, sectors: u64, read_only: bool) -> Self {
        let block = Block::new(index, sectors, read_only);
        Self::new(
            Transport::new(block::ID, 1, block.features()),
            Model::Block(block),
        )
    }

    fn new(transport: Transport, model: Model) -> Self {
        Self {
            transport,
            model,
            told: false,
        }
    }

    /// Back to the state after power-on.
    pub fn reset(&mut self) {
        self.transport.reset();
        self.told = false;
    }

    /// Whether a driver has started it, and it is not broken.
    pub fn is_running(&self) -> bool {
        self.transport.is_running()
    }

    /// The interrupt line, active high.
    pub fn interrupt(&self) -> bool {
        self.transport.interrupt()
    }

    /// Frames that came from the guest or were for it and could not be used.
    pub fn dropped(&self) -> u64 {
        match &self.model {
            Model::Net(net) => net.dropped(),
            Model::Console | Model::Entropy | Model::Block(_) => 0,
        }
    }

    /// Reads `bytes` bytes at `offset`. Registers are read by words; any other
    /// width reads zero there.
    pub fn read(&self, offset: u64, bytes: u64) -> u64 {
        if offset < CONFIG {
            return match bytes {
                4 => self.transport.read(offset).into(),
                _ => 0,
            };
        }
        let mut value = [0; 8];
        let from = usize::try_from(offset - CONFIG).unwrap_or(usize::MAX);
        let config = self.config();
        let config = config.get(from..).unwrap_or_default();
        for (to, from) in value.iter_mut().zip(config).take(bytes as usize) {
            *to = *from;
        }
        u64::from_le_bytes(value)
    }

    /// Writes at `offset`; whether [`Device::serve`] has something to do now.
    pub fn write(&mut self, offset: u64, bytes: u64, value: u64) -> bool {
        // No model has configuration that a driver may write.
        if offset >= CONFIG || bytes != 4 {
            return false;
        }
        match self.transport.write(offset, value as u32) {
            Effect::None => false,
            Effect::Notified => true,
            Effect::Reset => {
                self.told = false;
                false
            }
        }
    }

    fn config(&self) -> [u8; block::CONFIG_SIZE] {
        match &self.model {
            Model::Console | Model::Entropy => [0; block::CONFIG_SIZE],
            Model::Net(net) => net.config(),
            Model::Block(block) => block.config(),
        }
    }

    /// Does what the queues ask for and what the host's side has for the guest:
    /// call it after [`Device::write`] said so, and when input or a frame came.
    pub fn serve(&mut self, memory: &mut dyn GuestMemory, backend: &mut dyn Backend) -> Served {
        if self.transport.is_running() {
            match self.work(memory, backend) {
                Ok(false) => {}
                Ok(true) => return Served::More,
                Err(why) => self.transport.break_down(why),
            }
        }
        match self.transport.broken() {
            Some(why) if !core::mem::replace(&mut self.told, true) => Served::Broke(why),
            _ => Served::Done,
        }
    }

    fn work(
        &mut self,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
    ) -> Result<bool, Broken> {
        let mut budget = Budget {
            chains: CHAINS,
            bytes: BYTES,
        };
        let mergeable = self.transport.has(net::MERGEABLE);
        let [first, second] = self.transport.queues();
        let more = match &mut self.model {
            Model::Console => {
                let printed = console::print(second, memory, backend, &mut budget)?;
                console::input(first, memory, backend)? | printed
            }
            Model::Entropy => entropy::fill(first, memory, backend, &mut budget)?,
            Model::Net(net) => {
                let sent = net.send(second, memory, backend, &mut budget)?;
                net.receive(first, memory, backend, &mut budget, mergeable)? | sent
            }
            Model::Block(block) => block.work(first, memory, backend, &mut budget)?,
        };
        let interrupt = first.interrupts(memory)? | second.interrupts(memory)?;
        if interrupt {
            self.transport.signal();
        }
        Ok(more)
    }
}

/// Takes chain after chain, has `handle` work on each and gives it back;
/// whether there are more than the budget allows.
pub fn drain(
    queue: &mut Queue,
    memory: &mut dyn GuestMemory,
    budget: &mut Budget,
    handle: &mut dyn FnMut(&mut dyn GuestMemory, &Chain) -> Result<Moved, Broken>,
) -> Result<bool, Broken> {
    let mut chain = Chain::default();
    loop {
        while queue.pop(memory, &mut chain)? {
            if budget.is_spent() {
                queue.untake(1);
                return Ok(true);
            }
            let moved = handle(memory, &chain)?;
            queue.give_back(memory, chain.head, moved.written)?;
            queue.publish(memory)?;
            budget.spend(moved.bytes);
        }
        if !queue.wait(memory)? {
            return Ok(false);
        }
    }
}
