//! The guest's memory as devices see it.

use addr::Ipa;

/// An address at which a device may not touch the guest's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inaccessible {
    /// The address, as the guest gave it.
    pub ipa: Ipa,
}

/// Memory of one guest, as far as a device may reach it.
///
/// Another CPU of the guest may write the same bytes at the same time. Naturally
/// aligned accesses of 2, 4 and 8 bytes are one access each; larger ones may be
/// seen in parts.
pub trait GuestMemory {
    /// Reads `to.len()` bytes from `ipa`.
    ///
    /// Fails if one of them is not the guest's RAM, or not shared with the host;
    /// what `to` holds then is of no meaning.
    fn read(&mut self, ipa: Ipa, to: &mut [u8]) -> Result<(), Inaccessible>;

    /// Writes `from` to `ipa`.
    ///
    /// Fails as [`GuestMemory::read`] does; some of the bytes may be written.
    fn write(&mut self, ipa: Ipa, from: &[u8]) -> Result<(), Inaccessible>;
}

/// Reads a little-endian 16-bit value.
pub fn read_u16(memory: &mut dyn GuestMemory, ipa: Ipa) -> Result<u16, Inaccessible> {
    let mut bytes = [0; 2];
    memory.read(ipa, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

/// Writes a little-endian 16-bit value.
pub fn write_u16(memory: &mut dyn GuestMemory, ipa: Ipa, value: u16) -> Result<(), Inaccessible> {
    memory.write(ipa, &value.to_le_bytes())
}
