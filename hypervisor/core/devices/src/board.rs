//! From an exit to the next entry.

use addr::Ipa;
use rmi::v1_0::{RecEnter, RecExit, RecRun};
use vcpu::{Action, Counters, Exit, Mmio, Policy, Stop, Width, enter, timer};
use vgic::{Cpu, Vgic};
use virtio::{Backend, Device, GuestMemory, Served};
use vm_config::map;

use crate::calls;
use crate::slots::{self, Slots};
use crate::{Asked, Pl011, PowerKey};

/// What a guest's devices and host calls reach on the host's side.
pub trait Host {
    /// A byte for the console, by the UART or by a host call.
    fn write(&mut self, byte: u8);

    /// A byte from the console for a guest that asks by a host call.
    fn read(&mut self) -> Option<u8> {
        None
    }

    /// The guest marks a point in time.
    fn mark(&mut self, _number: u64) {}

    /// The guest reports its initial measurement as it got it from the RMM.
    fn rim(&mut self, _rim: &[u8]) {}
}

/// What a board is made of.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How exits are answered.
    pub policy: Policy,
    /// List registers that may be used.
    pub list_registers: u8,
    /// Priority bits that the virtual CPU interface implements.
    pub priority_bits: u8,
}

/// What an exit asks of the loop that runs virtual CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Nothing: enter again.
    Resume,
    /// Take the physical interrupt.
    Interrupted,
    /// Put memory behind a protected address.
    Populate(Ipa),
    /// Map shared memory behind an address of the unprotected half, or have the
    /// guest take an external abort (`vcpu::enter::inject_sea`).
    Share(Ipa),
    /// Wait until [`Board::wakes`].
    Wait,
    /// Carry out a change of RIPAS, or refuse it (`vcpu::enter::reject_ripas`).
    ConvertRipas {
        /// First address.
        base: Ipa,
        /// First address past the end.
        top: Ipa,
        /// RIPAS asked for, as encoded.
        value: u8,
    },
    /// Do not enter this virtual CPU until another one turns it on.
    CpuOff,
    /// Complete `CPU_ON`, before either is entered again.
    CpuOn {
        /// Index of the virtual CPU to turn on.
        target: usize,
    },
    /// Complete `AFFINITY_INFO`, before the caller is entered again.
    AffinityInfo {
        /// Index of the virtual CPU asked about.
        target: usize,
    },
    /// Call [`Board::serve`] for this virtio slot.
    Device {
        /// The slot, below `vm_config::map::VIRTIO_SLOTS`.
        slot: usize,
    },
    /// The VM ends.
    Stop(Stop),
}

/// Accesses to addresses without a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unknown {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Option<Mmio>,
}

/// One VM's devices.
#[derive(Debug)]
pub struct Board<'a> {
    /// Exits so far.
    pub counters: Counters,
    /// Accesses that no device answered.
    pub unknown: Unknown,
    vgic: Vgic<'a>,
    uart: Pl011,
    power_key: PowerKey,
    slots: Slots,
    policy: Policy,
}

impl<'a> Board<'a> {
    /// The devices after a reset, with an interface for each of `cpus`.
    pub fn new(cpus: &'a mut [Cpu], config: Config) -> Self {
        Self {
            counters: Counters::default(),
            unknown: Unknown::default(),
            vgic: Vgic::new(
                cpus,
                vgic::Config {
                    list_registers: config.list_registers,
                    priority_bits: config.priority_bits,
                },
            ),
            uart: Pl011::default(),
            power_key: PowerKey::default(),
            slots: Slots::default(),
            policy: config.policy,
        }
    }

    /// Brings the devices back to their reset state; the counters go on.
    pub fn reset(&mut self) {
        self.vgic.reset();
        self.uart = Pl011::default();
        self.power_key = PowerKey::default();
        self.slots.reset();
    }

    /// Puts a device into a virtio slot, in its state after power-on; an empty
    /// slot reads as zero. False if there is no such slot.
    pub fn plug(&mut self, slot: usize, device: Device) -> bool {
        self.slots.plug(slot, device)
    }

    /// The device in a virtio slot, for its counters.
    pub fn device(&self, slot: usize) -> Option<&Device> {
        self.slots.get(slot)
    }

    /// Has the device in a virtio slot do what its queues ask for and take what
    /// `backend` has for it. To be called for a [`Request::Device`], and when
    /// input or a frame came for the guest; an interrupt that comes of it is
    /// pending afterwards. What one call may do is bounded: see
    /// [`Board::unfinished`].
    pub fn serve(
        &mut self,
        slot: usize,
        memory: &mut dyn GuestMemory,
        backend: &mut dyn Backend,
    ) -> Served {
        let Some(device) = self.slots.get_mut(slot) else {
            return Served::Done;
        };
        let served = device.serve(memory, backend);
        let level = device.interrupt();
        self.slots.set_unfinished(slot, served == Served::More);
        self.vgic.set_spi(slots::intid(slot), level);
        served
    }

    /// A virtio slot whose device had more to do than one call may: its driver
    /// need not notify again, so somebody has to call [`Board::serve`] again,
    /// once others have had their turn.
    pub fn unfinished(&self) -> Option<usize> {
        self.slots.unfinished()
    }

    /// Takes in an exit of virtual CPU `vcpu` and does what the devices can do
    /// about it. Always inlined: a loop per dialect calls it, and a call in
    /// between would cost each exit a tenth.
    #[inline(always)]
    pub fn after_exit(&mut self, vcpu: usize, run: &mut RecRun, host: &mut impl Host) -> Request {
        let RecRun { enter, exit } = run;
        let lines = timer::lines(exit);
        let timers = [lines.virtual_, lines.physical];
        self.vgic
            .exited(vcpu, &exit.gicv3_lrs, exit.gicv3_hcr, timers);
        enter::begin(enter);
        let reason = vcpu::decode(exit, self.policy.shared_bit);
        self.counters.count(&reason);
        self.perform(vcpu, &reason, enter, exit, host)
    }

    #[inline(always)]
    fn perform(
        &mut self,
        vcpu: usize,
        reason: &Exit,
        enter: &mut RecEnter,
        exit: &RecExit,
        host: &mut impl Host,
    ) -> Request {
        match vcpu::step(reason, &self.policy) {
            Action::HostCall { imm } => calls::answer(imm, enter, exit, host),
            Action::Emulate(access) => match access.write {
                None => {
                    let value = self.load(access.ipa, access.width);
                    enter::load_done(enter, value & access.width.mask());
                }
                Some(value) => {
                    enter::store_done(enter);
                    if let Some(slot) = self.store(access.ipa, access.width, value, host) {
                        return Request::Device { slot: slot.into() };
                    }
                }
            },
            Action::Resume => return Request::Resume,
            Action::Interrupted => return Request::Interrupted,
            Action::Populate(ipa) => return Request::Populate(ipa),
            Action::Share(ipa) => return Request::Share(ipa),
            Action::InjectSea => enter::inject_sea(enter),
            Action::Wait if self.vgic.has_pending(vcpu, exit.gicv3_vmcr) => {}
            Action::Wait => return Request::Wait,
            Action::SendSgi { value, group } => self.vgic.send_sgi(vcpu, value, group),
            Action::Deactivate { intid } => self.vgic.deactivate(vcpu, intid),
            Action::ReadAs(value) => enter::register_read(enter, value),
            Action::ConvertRipas { base, top, value } => {
                return Request::ConvertRipas { base, top, value };
            }
            Action::CpuOff => return Request::CpuOff,
            Action::CpuOn { target } => return Request::CpuOn { target },
            Action::AffinityInfo { target } => return Request::AffinityInfo { target },
            Action::Stop(stop) => return Request::Stop(stop),
        }
        Request::Resume
    }

    /// Writes what the next entry of the virtual CPU needs beside the answer to
    /// its exit: the list registers, if they change.
    #[inline(always)]
    pub fn before_enter(&mut self, vcpu: usize, enter: &mut RecEnter) {
        if self.vgic.needs_load(vcpu) {
            enter.gicv3_hcr = self.vgic.load(vcpu, &mut enter.gicv3_lrs);
        }
    }

    /// The virtual CPUs, but for `own`, that have an interrupt to look at since
    /// the last call, a bit for each. They may be running, or waiting.
    #[inline(always)]
    pub fn attention(&mut self, own: usize) -> u64 {
        self.vgic.take_attention(own)
    }

    /// Whether a virtual CPU that waits since `exit` has an interrupt to take at
    /// tick `now`, timers that have come due since included.
    pub fn wakes(&mut self, vcpu: usize, exit: &RecExit, now: u64) -> bool {
        let due = timer::due(exit, now);
        self.vgic.set_timers(vcpu, due.virtual_, due.physical);
        self.vgic.has_pending(vcpu, exit.gicv3_vmcr)
    }

    /// How the private interrupts of a virtual CPU stand, for reports: see
    /// [`Vgic::private`].
    pub fn private_interrupts(&self, vcpu: usize) -> Option<[u32; 4]> {
        self.vgic.private(vcpu)
    }

    /// A byte from the host for the UART; `false` if it has no room now.
    pub fn receive(&mut self, byte: u8) -> bool {
        let taken = self.uart.room() > 0 && self.uart.receive(byte);
        self.vgic.set_spi(map::UART_INTID, self.uart.interrupt());
        taken
    }

    /// Presses the power key: see [`PowerKey::press`].
    pub fn press_power_key(&mut self, now: u64, second: u64, patience: u64) {
        self.power_key.press(now, second, patience);
        self.wire_gpio();
    }

    /// Looks after the power key: see [`PowerKey::attend`].
    pub fn attend_power_key(&mut self, now: u64) -> Asked {
        let asked = self.power_key.attend(now);
        self.wire_gpio();
        asked
    }

    /// Brings the level of the GPIO controller's interrupt to where it goes.
    fn wire_gpio(&mut self) {
        let level = self.power_key.interrupt();
        self.vgic.set_spi(map::GPIO_INTID, level);
    }

    #[inline(always)]
    fn load(&mut self, ipa: Ipa, width: Width) -> u64 {
        let bytes = width.bytes();
        match self.locate(ipa) {
            Place::Distributor(offset) => self.vgic.distributor_read(offset, bytes),
            Place::Redistributor(offset) => self.vgic.redistributor_read(offset, bytes),
            Place::Uart(offset) => {
                let value = self.uart.read(offset);
                if offset == 0 {
                    self.vgic.set_spi(map::UART_INTID, self.uart.interrupt());
                }
                u64::from(value)
            }
            Place::Elsewhere => self.load_elsewhere(ipa, width),
        }
    }

    /// Performs a store; returns the virtio slot whose device has work to do. Not
    /// a [`Request`], which would come back through memory and stay there on
    /// the way of every exit.
    #[inline(never)]
    fn store(&mut self, ipa: Ipa, width: Width, value: u64, host: &mut impl Host) -> Option<u8> {
        let bytes = width.bytes();
        match self.locate(ipa) {
            Place::Distributor(offset) => self.vgic.distributor_write(offset, bytes, value),
            Place::Redistributor(offset) => self.vgic.redistributor_write(offset, bytes, value),
            Place::Uart(offset) => {
                if let Some(byte) = self.uart.write(offset, value as u32) {
                    host.write(byte);
                }
                self.vgic.set_spi(map::UART_INTID, self.uart.interrupt());
            }
            Place::Elsewhere => return self.store_elsewhere(ipa, width, value),
        }
        None
    }

    /// A load from a virtio slot, from the GPIO controller, or from nowhere.
    #[inline(never)]
    fn load_elsewhere(&mut self, ipa: Ipa, width: Width) -> u64 {
        if let Some((slot, offset)) = slots::locate(ipa) {
            let device = self.slots.get(slot);
            device.map_or(0, |device| device.read(offset, width.bytes()))
        } else if let Some(offset) = within(ipa, map::GPIO_BASE, map::GPIO_SIZE) {
            self.power_key.read(offset).into()
        } else {
            self.note(ipa, width, None);
            0
        }
    }

    /// A store to a virtio slot, to the GPIO controller, or to nowhere.
    fn store_elsewhere(&mut self, ipa: Ipa, width: Width, value: u64) -> Option<u8> {
        let Some((slot, offset)) = slots::locate(ipa) else {
            match within(ipa, map::GPIO_BASE, map::GPIO_SIZE) {
                Some(offset) => {
                    self.power_key.write(offset, value as u8);
                    self.wire_gpio();
                }
                None => self.note(ipa, width, Some(value)),
            }
            return None;
        };
        let device = self.slots.get_mut(slot)?;
        let has_work = device.write(offset, width.bytes(), value);
        let level = device.interrupt();
        self.vgic.set_spi(slots::intid(slot), level);
        has_work.then_some(slot as u8)
    }

    #[inline(always)]
    fn locate(&self, ipa: Ipa) -> Place {
        let redistributors = || map::GICR_STRIDE * self.vgic.cpus() as u64;
        if let Some(offset) = within(ipa, map::GICD_BASE, map::GICD_SIZE) {
            Place::Distributor(offset)
        } else if let Some(offset) = within(ipa, map::UART_BASE, map::UART_SIZE) {
            Place::Uart(offset)
        } else if let Some(offset) = within(ipa, map::GICR_BASE, redistributors()) {
            Place::Redistributor(offset)
        } else {
            Place::Elsewhere
        }
    }

    fn note(&mut self, ipa: Ipa, width: Width, write: Option<u64>) {
        self.unknown.count = self.unknown.count.wrapping_add(1);
        let access = Mmio { ipa, width, write };
        self.unknown.first.get_or_insert(access);
    }
}

/// How far `ipa` lies behind `base`, if less than `size`.
#[inline(always)]
fn within(ipa: Ipa, base: Ipa, size: u64) -> Option<u64> {
    ipa.offset_from(base).filter(|&at| at < size)
}

enum Place {
    Distributor(u64),
    Redistributor(u64),
    Uart(u64),
    /// A virtio slot, the GPIO controller, or nothing.
    Elsewhere,
}
