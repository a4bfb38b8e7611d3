//! What runs before the hypervisor's main: image header, relocation, stack, early MMU.
#![no_std]

