//! The state of 32 interrupts, a bit each.

/// Interrupts 32n to 32n+31.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    /// Group 1 rather than 0.
    group: u32,
    enabled: u32,
    /// Edge-triggered rather than level-sensitive.
    edge: u32,
    /// Pending apart from the level of a line: an edge that came, a software
    /// interrupt, or a write to `ISPENDR`.
    latch: u32,
    /// Levels of the input lines.
    line: u32,
    active: u32,
    /// In a list register.
    listed: u32,
    /// Pending in that list register.
    held: u32,
    priority: [u8; 32],
    /// Interrupts whose trigger cannot be changed.
    fixed: u32,
}

/// A 32-bit register of a bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
    /// Priorities of four interrupts from this one.
    Priority(u32),
    /// Triggers of the lower or the upper 16.
    ConfigLow,
    ConfigHigh,
}

/// Whether an interrupt in a list register is still pending, still active.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub pending: bool,
    pub active: bool,
}

const SGIS: u32 = 0xffff;

impl Bank {
    /// SGIs and PPIs.
    pub const fn private() -> Self {
        Self {
            edge: SGIS,
            // A guest that made its timer's interrupt an edge would lose its ticks.
            fixed: u32::MAX,
            ..Self::shared()
        }
    }

    /// SPIs.
    pub const fn shared() -> Self {
        Self {
            group: 0,
            enabled: 0,
            edge: 0,
            latch: 0,
            line: 0,
            active: 0,
            listed: 0,
            held: 0,
            priority: [0; 32],
            fixed: 0,
        }
    }

    /// The levels of the lines in `mask`.
    #[inline]
    pub const fn lines(&self, mask: u32) -> u32 {
        self.line & mask
    }

    /// Sets the levels of the lines in `mask`; rising edges are latched.
    #[inline]
    pub const fn set_lines(&mut self, mask: u32, levels: u32) {
        let rising = levels & mask & !self.line;
        self.latch |= rising & self.edge;
        self.line = (self.line & !mask) | (levels & mask);
    }

    /// Makes software interrupts pending, those of group 1 or those of group 0.
    pub const fn raise(&mut self, mask: u32, group_one: bool) {
        let group = if group_one { self.group } else { !self.group };
        self.latch |= mask & group;
    }

    const fn pending(&self) -> u32 {
        self.latch | (self.line & !self.edge)
    }

    /// Pending interrupts that `groups` (`GICD_CTLR`) lets through, active
    /// ones left out unless they may be pending and active at once.
    #[inline]
    pub const fn deliverable(&self, groups: u32) -> u32 {
        self.through(self.pending(), groups) & !(self.active & !self.edge)
    }

    /// The same, with those that wait in a list register.
    pub const fn waiting(&self, groups: u32) -> u32 {
        self.through(self.pending() | self.held, groups) & !self.active
    }

    #[inline]
    const fn through(&self, pending: u32, groups: u32) -> u32 {
        let one = if groups & 2 != 0 { self.group } else { 0 };
        let zero = if groups & 1 != 0 { !self.group } else { 0 };
        pending & self.enabled & (one | zero)
    }

    /// Active interrupts.
    #[inline]
    pub const fn active(&self) -> u32 {
        self.active
    }

    /// Interrupts that may be pending, are active or are listed.
    #[inline]
    pub const fn busy(&self) -> u32 {
        self.latch | self.line | self.active | self.listed
    }

    /// Interrupts in list registers.
    pub const fn listed(&self) -> u32 {
        self.listed
    }

    /// Ends an interrupt.
    pub const fn deactivate(&mut self, bit: u32) {
        self.active &= !bit;
    }

    /// The priority of an interrupt of this bank.
    #[inline]
    pub fn priority(&self, index: u32) -> u8 {
        self.priority.get(index as usize).copied().unwrap_or(0)
    }

    /// Whether an interrupt is of group 1.
    #[inline]
    pub const fn is_group_one(&self, bit: u32) -> bool {
        self.group & bit != 0
    }

    /// Whether an interrupt is level-sensitive.
    #[inline]
    pub const fn is_level(&self, bit: u32) -> bool {
        self.edge & bit == 0
    }

    /// Puts an interrupt into a list register and says in which state. An edge
    /// moves there, so that another one can come meanwhile.
    #[inline]
    pub const fn list(&mut self, bit: u32, groups: u32) -> Progress {
        let pending = self.deliverable(groups) & bit != 0;
        let active = self.active & bit != 0;
        self.listed |= bit;
        if pending {
            self.held |= bit;
            self.latch &= !(bit & self.edge);
        }
        Progress { pending, active }
    }

    /// Takes an interrupt out of its list register.
    #[inline]
    pub const fn unlist(&mut self, bit: u32) {
        self.latch |= self.held & bit & self.edge;
        self.held &= !bit;
        self.listed &= !bit;
    }

    /// Notes how far the guest has come with an interrupt in a list register.
    /// One that is neither pending nor active there has left it.
    #[inline]
    pub const fn update(&mut self, bit: u32, now: Progress) {
        if now.active {
            self.active |= bit;
        } else {
            self.active &= !bit;
        }
        if !now.pending && self.held & bit != 0 {
            self.held &= !bit;
            // The guest took it: what was written to ISPENDR is used up.
            self.latch &= !(bit & !self.edge);
        }
        if !now.pending && !now.active {
            self.listed &= !bit;
        }
    }

    /// Reads a register.
    pub fn read(&self, word: Word) -> u32 {
        match word {
            Word::Group => self.group,
            Word::SetEnable | Word::ClearEnable => self.enabled,
            Word::SetPending | Word::ClearPending => self.pending() | self.held,
            Word::SetActive | Word::ClearActive => self.active,
            Word::Priority(first) => {
                let byte = |n: u32| u32::from(self.priority(first + n)) << (8 * n);
                byte(0) | byte(1) | byte(2) | byte(3)
            }
            Word::ConfigLow => spread(self.edge),
            Word::ConfigHigh => spread(self.edge >> 16),
        }
    }

    /// Writes a register; `mask` has the priority bits that are implemented.
    pub fn write(&mut self, word: Word, value: u32, mask: u8) {
        match word {
            Word::Group => self.group = value,
            Word::SetEnable => self.enabled |= value,
            Word::ClearEnable => self.enabled &= !value,
            Word::SetPending => self.latch |= value,
            Word::ClearPending => {
                self.latch &= !value;
                self.held &= !value;
            }
            Word::SetActive => self.active |= value,
            Word::ClearActive => self.active &= !value,
            Word::Priority(first) => {
                for (index, byte) in (first..).zip(value.to_le_bytes()) {
                    self.set_priority(index, byte & mask);
                }
            }
            Word::ConfigLow => self.set_edges(0xffff, gather(value)),
            Word::ConfigHigh => self.set_edges(0xffff_0000, gather(value) << 16),
        }
    }

    /// Sets one priority, already cut to the bits that are implemented.
    pub fn set_priority(&mut self, index: u32, priority: u8) {
        if let Some(slot) = self.priority.get_mut(index as usize) {
            *slot = priority;
        }
    }

    const fn set_edges(&mut self, mask: u32, edges: u32) {
        let mask = mask & !self.fixed;
        self.edge = (self.edge & !mask) | (edges & mask);
    }
}

/// Sixteen bits to the upper bits of sixteen two-bit fields, as `ICFGR` has them.
const fn spread(bits: u32) -> u32 {
    let mut word = 0;
    let mut index = 0;
    while index < 16 {
        word |= (bits >> index & 1) << (2 * index + 1);
        index += 1;
    }
    word
}

/// The reverse of [`spread`].
const fn gather(word: u32) -> u32 {
    let mut bits = 0;
    let mut index = 0;
    while index < 16 {
        bits |= (word >> (2 * index + 1) & 1) << index;
        index += 1;
    }
    bits
}
