//! Where Realms get their memory from.

use crate::{Granules, Undelegated};
use addr::{GRANULE_SIZE, GranuleAddr};

/// The hypervisor's physical memory, as far as Realms need it.
///
/// Only RAM of the platform's device tree, and nothing the hypervisor itself
/// uses, may come out of it.
pub trait Memory {
    /// A run of `count` granules (a power of two), aligned to its own size.
    fn alloc(&mut self, count: usize) -> Option<Granules<Undelegated>>;

    /// As [`alloc`](Self::alloc), with all bytes zero: for memory shared with a
    /// guest, which must not carry anybody's old data.
    fn alloc_zeroed(&mut self, count: usize) -> Option<Granules<Undelegated>>;

    /// Takes granules back; the run may be any part or join of runs given out.
    fn free(&mut self, granules: Granules<Undelegated>);

    /// Takes granules back that the RMM does not accept. They serve other
    /// purposes, and never come out of [`alloc`](Self::alloc) again.
    fn set_aside(&mut self, granules: Granules<Undelegated>);

    /// Writes a page that came out of [`alloc`](Self::alloc) and is undelegated.
    fn write(&mut self, page: GranuleAddr, bytes: &[u8; GRANULE_SIZE as usize]);

    /// Writes word `index` of such a page.
    fn put(&mut self, page: GranuleAddr, index: usize, word: u64);

    /// Reads word `index` of such a page, once: the RMM writes it too.
    fn get(&self, page: GranuleAddr, index: usize) -> u64;
}
