//! A layer-2 switch between the VMs of this machine.
//!
//! Each port has one address, given by whoever attaches it, and only frames from
//! that address are taken from it. So the switch knows where everybody is and
//! learns nothing from what guests say: there is no table to fill or to poison,
//! and no frame for one VM is ever shown to another. Frames to a group, and to
//! all, go to every other port.
//!
//! What does not fit into a port's memory is dropped: a VM that does not take
//! its frames holds up nobody.

use core::fmt;

use crate::backend::{Fill, Take};
use crate::net::{HEAD, MAX_FRAME, Mac};
use crate::{Broken, ring::Ring};

/// Ports of a switch at most.
pub const MAX_PORTS: usize = 64;
/// Bytes of memory a port should have: some frames of the largest size.
pub const PORT_STORAGE: usize = 256 << 10;

/// In the first byte of an address: a group, not one station.
const GROUP: u8 = 1;

/// A port of a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortId(u8);

impl PortId {
    /// Its number, below [`MAX_PORTS`].
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// What went over a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortCounters {
    /// Frames it sent.
    pub sent: u64,
    /// Frames it was given.
    pub received: u64,
    /// Frames for it that its memory had no room for.
    pub full: u64,
    /// Frames from it with a source address that is not its own.
    pub spoofed: u64,
    /// Frames from it to an address that nobody has.
    pub unknown: u64,
}

impl fmt::Display for PortCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames sent, {} received; lost: {} for want of room, {} from a foreign address, {} to nobody",
            self.sent, self.received, self.full, self.spoofed, self.unknown
        )
    }
}

#[derive(Debug)]
struct Port<'a> {
    mac: Mac,
    ring: Ring<'a>,
    counters: PortCounters,
}

/// The switch.
#[derive(Debug)]
pub struct Switch<'a> {
    ports: [Option<Port<'a>>; MAX_PORTS],
    /// Ports that frames came to since somebody asked.
    woken: u64,
}

impl Default for Switch<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Switch<'a> {
    /// A switch that nothing is attached to.
    pub const fn new() -> Self {
        Self {
            ports: [const { None }; MAX_PORTS],
            woken: 0,
        }
    }

    /// Attaches a VM with this address and memory for the frames that wait for
    /// it. Gives the memory back if all ports are taken, the address is a
    /// group's, or somebody has it.
    pub fn attach(&mut self, mac: Mac, memory: &'a mut [u8]) -> Result<PortId, &'a mut [u8]> {
        if is_group(&mac) || self.owner(&mac).is_some() {
            return Err(memory);
        }
        let free = self
            .ports
            .iter_mut()
            .zip(0..)
            .find(|(port, _)| port.is_none());
        let Some((slot, number)) = free else {
            return Err(memory);
        };
        *slot = Some(Port {
            mac,
            ring: Ring::new(memory),
            counters: PortCounters::default(),
        });
        Ok(PortId(number))
    }

    /// Detaches a VM; frames that wait for it are lost. Gives its memory back.
    pub fn detach(&mut self, port: PortId) -> Option<&'a mut [u8]> {
        self.woken &= !bit(port.index());
        let port = self.ports.get_mut(port.index())?.take()?;
        Some(port.ring.into_bytes())
    }

    /// What went over a port.
    pub fn counters(&self, port: PortId) -> PortCounters {
        let port = self.ports.get(port.index()).and_then(Option::as_ref);
        port.map_or_else(PortCounters::default, |port| port.counters)
    }

    /// Ports that frames came to since this was last asked, as a set of bits.
    pub fn take_woken(&mut self) -> u64 {
        core::mem::take(&mut self.woken)
    }

    /// Sends a frame from `port`, as [`crate::Wire::send`] says.
    pub fn send(
        &mut self,
        port: PortId,
        head: &[u8; HEAD],
        rest: usize,
        fill: &mut Fill<'_>,
    ) -> Result<(), Broken> {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, ..] = *head;
        let to = [d0, d1, d2, d3, d4, d5];
        let target = self.owner(&to);
        let Some(sender) = self.port(port.index()) else {
            return Ok(());
        };
        if sender.mac != [s0, s1, s2, s3, s4, s5] {
            sender.counters.spoofed += 1;
            return Ok(());
        }
        let nobody = target.is_none() && !is_group(&to);
        if nobody || rest > MAX_FRAME - HEAD {
            sender.counters.unknown += 1;
            return Ok(());
        }
        sender.counters.sent += 1;
        let mut fill = |frame: &mut [u8]| {
            let Some((first, rest)) = frame.split_first_chunk_mut::<HEAD>() else {
                return Ok(());
            };
            *first = *head;
            fill(rest)
        };
        let length = HEAD + rest;
        match target {
            // To itself: no port gives a frame back to where it came from.
            Some(target) if target == port.index() => Ok(()),
            Some(target) => self.give(target, length, &mut fill).map(|_| ()),
            None => self.flood(port.index(), length, &mut fill),
        }
    }

    /// Shows `port` its oldest frame, as [`crate::Wire::receive`] says.
    pub fn receive(&mut self, port: PortId, take: &mut Take<'_>) -> Result<bool, Broken> {
        let Some(port) = self.port(port.index()) else {
            return Ok(false);
        };
        let Some(frame) = port.ring.oldest() else {
            return Ok(false);
        };
        let taken = take(frame)?;
        if taken {
            port.ring.pop();
            port.counters.received += 1;
        }
        Ok(taken)
    }

    fn port(&mut self, index: usize) -> Option<&mut Port<'a>> {
        self.ports.get_mut(index)?.as_mut()
    }

    fn owner(&self, mac: &Mac) -> Option<usize> {
        let is_owner = |port: &Option<Port<'_>>| port.as_ref().is_some_and(|p| p.mac == *mac);
        self.ports.iter().position(is_owner)
    }

    /// Puts a frame into a port's memory; false if it is full.
    fn give(&mut self, to: usize, length: usize, fill: &mut Fill<'_>) -> Result<bool, Broken> {
        let Some(port) = self.port(to) else {
            return Ok(false);
        };
        let given = port.ring.push(length, fill)?;
        if given {
            self.woken |= bit(to);
        } else {
            port.counters.full += 1;
        }
        Ok(given)
    }

    /// Puts a frame into every port's memory but the sender's. It is read out of
    /// the sender once, and copied from there.
    fn flood(&mut self, from: usize, length: usize, fill: &mut Fill<'_>) -> Result<(), Broken> {
        let mut source = None;
        for to in (0..MAX_PORTS).filter(|&to| to != from) {
            match source {
                None if self.give(to, length, fill)? => source = Some(to),
                None => {}
                Some(source) => self.copy(source, to, length)?,
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, length: usize) -> Result<(), Broken> {
        let Ok([Some(from), Some(port)]) = self.ports.get_disjoint_mut([from, to]) else {
            return Ok(());
        };
        let Some(frame) = from.ring.newest() else {
            return Ok(());
        };
        let given = port.ring.push(length, &mut |place| {
            place.copy_from_slice(frame);
            Ok(())
        })?;
        if given {
            self.woken |= bit(to);
        } else {
            port.counters.full += 1;
        }
        Ok(())
    }
}

fn is_group(mac: &Mac) -> bool {
    let [first, ..] = mac;
    first & GROUP != 0
}

const fn bit(port: usize) -> u64 {
    1 << (port % MAX_PORTS)
}
