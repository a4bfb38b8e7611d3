//! The host's side of a VM's virtio devices.

use core::fmt;

use devices::Board;
use heapless::Vec;
use virtio::{
    Broken, Device, Entropy, Fill, HEAD, Media, PORT_STORAGE, SECTOR, Storage, Take, Terminal, Wire,
};
use vm_config::{Devices, Disk, MAX_DISKS, Mac, map};

use crate::arch::random::{self, Source};
use crate::memory::{Ram, SharedRam};
use crate::network::{self, Port};

/// What a VM's devices hold of the host. A reset of the VM changes nothing of
/// it.
#[derive(Default)]
pub struct Holdings {
    disks: Vec<Contents, MAX_DISKS>,
    /// The address of its card, if it was on the switch.
    mac: Option<Mac>,
    port: Option<Port>,
    random: Option<Source>,
}

/// A disk's contents.
enum Contents {
    /// Where they lie in the bundle.
    Bundle(&'static [u8]),
    /// In RAM of the VM's own.
    Ram {
        /// There.
        memory: &'static mut [u8],
        /// What is in it at the start; nothing if it is blank.
        from: Option<&'static [u8]>,
    },
}

/// A device that this machine cannot provide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// There is neither FEAT_RNG nor a TRNG in firmware.
    Random,
    /// The disk is not in the bundle, or there is no RAM to write it in.
    Disk {
        /// Its index.
        index: usize,
    },
    /// No RAM for frames, no port of the switch, or the address is taken.
    Net {
        /// The address of the card.
        mac: Mac,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str(
                "no source of entropy: the CPU lacks FEAT_RNG and the firmware a TRNG; the guest does without",
            ),
            Self::Disk { index } => write!(
                f,
                "no disk {index}: its contents are not in the bundle, or there is no RAM to write them in"
            ),
            Self::Net { mac } => write!(
                f,
                "no network card: another VM has the address {mac}, or RAM or ports have run out"
            ),
        }
    }
}

impl Holdings {
    /// Puts the devices that a VM's description asks for into the slots of its
    /// board. What this machine cannot provide is told to `missing`, and its
    /// slot stays empty.
    pub fn plug(
        board: &mut Board<'_>,
        devices: &Devices,
        bundle: &'static [u8],
        ram: &mut Ram,
        missing: &mut dyn FnMut(Missing),
    ) -> Self {
        let mut holdings = Self::default();
        if devices.console {
            board.plug(map::VIRTIO_CONSOLE, Device::console());
        }
        if devices.entropy {
            holdings.random = random::source();
            match holdings.random {
                Some(_) => _ = board.plug(map::VIRTIO_ENTROPY, Device::entropy()),
                None => missing(Missing::Random),
            }
        }
        if let Some(mac) = devices.net {
            holdings.mac = Some(mac);
            holdings.port = network::join(mac.0, || ram.table(PORT_STORAGE));
            match holdings.port {
                Some(_) => _ = board.plug(map::VIRTIO_NET, Device::net(mac.0)),
                None => missing(Missing::Net { mac }),
            }
        }
        for (index, disk) in devices.disks.iter().enumerate() {
            match Contents::new(disk, bundle, ram) {
                Some(contents) => {
                    let sectors = disk.size / SECTOR;
                    let device = Device::block(holdings.disks.len(), sectors, disk.readonly);
                    board.plug(map::VIRTIO_DISK + index, device);
                    // As many fit as a description can have.
                    let _ = holdings.disks.push(contents);
                }
                None => missing(Missing::Disk { index }),
            }
        }
        holdings
    }

    /// Leaves the switch: the VM has come to its end.
    pub fn leave(&mut self) {
        if let Some(port) = self.port.take() {
            port.leave();
        }
    }

    /// Makes it as it was at the first start: a new life of the VM begins.
    pub fn renew(&mut self, ram: SharedRam) {
        self.disks.iter_mut().for_each(Contents::renew);
        if let (Some(mac), None) = (self.mac, &self.port) {
            let memory = || ram.with(|ram| ram.table(PORT_STORAGE))?;
            // What was its own before is free, unless another VM has it now: then
            // it does without, as at the first start.
            self.port = network::join(mac.0, memory);
        }
    }

    /// Its connection to the switch, if it has one.
    pub fn port(&self) -> Option<&Port> {
        self.port.as_ref()
    }

    /// All of it, for a call of `Board::serve`.
    pub fn with<'h, T: Terminal>(&'h mut self, terminal: &'h mut T) -> Host<'h, T> {
        Host {
            holdings: self,
            terminal,
        }
    }
}

impl Contents {
    fn new(disk: &Disk, bundle: &'static [u8], ram: &mut Ram) -> Option<Self> {
        let size = usize::try_from(disk.size).ok()?;
        let from = match disk.offset {
            Some(offset) => {
                let rest = bundle.get(usize::try_from(offset).ok()?..)?;
                Some(rest.get(..size)?)
            }
            None => None,
        };
        if let (Some(bytes), true) = (from, disk.readonly) {
            return Some(Self::Bundle(bytes));
        }
        let memory = ram.table::<u8>(size)?;
        let mut contents = Self::Ram { memory, from };
        contents.renew();
        Some(contents)
    }

    /// Puts in what is there at the start of the VM.
    fn renew(&mut self) {
        match self {
            Self::Bundle(_) => {}
            Self::Ram {
                memory,
                from: Some(bytes),
            } => memory.copy_from_slice(bytes),
            Self::Ram { memory, from: None } => memory.fill(0),
        }
    }
}

/// What `Board::serve` reaches: [`Holdings`], and the VM's console.
pub struct Host<'h, T> {
    holdings: &'h mut Holdings,
    terminal: &'h mut T,
}

impl<T: Terminal> Terminal for Host<'_, T> {
    fn print(&mut self, bytes: &[u8]) {
        self.terminal.print(bytes);
    }

    fn has_input(&mut self) -> bool {
        self.terminal.has_input()
    }

    fn input(&mut self, to: &mut [u8]) -> usize {
        self.terminal.input(to)
    }
}

impl<T> Entropy for Host<'_, T> {
    fn entropy(&mut self, to: &mut [u8]) -> usize {
        self.holdings.random.map_or(0, |source| source.fill(to))
    }
}

impl<T> Storage for Host<'_, T> {
    fn disk(&mut self, index: usize) -> Option<Media<'_>> {
        Some(match self.holdings.disks.get_mut(index)? {
            Contents::Bundle(bytes) => Media::ReadOnly(bytes),
            Contents::Ram { memory, .. } => Media::Writable(memory),
        })
    }
}

impl<T> Wire for Host<'_, T> {
    fn send(&mut self, head: &[u8; HEAD], rest: usize, fill: &mut Fill<'_>) -> Result<(), Broken> {
        match &self.holdings.port {
            Some(port) => port.send(head, rest, fill),
            None => Ok(()),
        }
    }

    fn receive(&mut self, take: &mut Take<'_>) -> Result<bool, Broken> {
        match &self.holdings.port {
            Some(port) => port.receive(take),
            None => Ok(false),
        }
    }
}
