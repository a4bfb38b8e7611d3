//! The VMs as commands name them.

/// The VMs by name. Their numbers are places in the list of VMs, from zero.
pub trait Roster {
    /// How many there are.
    fn count(&self) -> usize;

    /// The name of a VM.
    fn name(&self, vm: usize) -> Option<&str>;

    /// The VM of a name.
    fn find(&self, name: &str) -> Option<usize> {
        (0..self.count()).find(|vm| self.name(*vm) == Some(name))
    }
}
