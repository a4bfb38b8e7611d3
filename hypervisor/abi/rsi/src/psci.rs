//! PSCI as a guest calls it (DEN0022) and the SMCCC calls around it (DEN0028).

/// `PSCI_VERSION`.
pub const VERSION: u32 = 0x8400_0000;
/// `CPU_SUSPEND`, 32 bit.
pub const CPU_SUSPEND_32: u32 = 0x8400_0001;
/// `CPU_SUSPEND`, 64 bit.
pub const CPU_SUSPEND_64: u32 = 0xc400_0001;
/// `CPU_OFF`.
pub const CPU_OFF: u32 = 0x8400_0002;
/// `CPU_ON`, 32 bit.
pub const CPU_ON_32: u32 = 0x8400_0003;
/// `CPU_ON`, 64 bit.
pub const CPU_ON_64: u32 = 0xc400_0003;
/// `AFFINITY_INFO`, 32 bit.
pub const AFFINITY_INFO_32: u32 = 0x8400_0004;
/// `AFFINITY_INFO`, 64 bit.
pub const AFFINITY_INFO_64: u32 = 0xc400_0004;
/// `MIGRATE_INFO_TYPE`.
pub const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
/// `SYSTEM_OFF`.
pub const SYSTEM_OFF: u32 = 0x8400_0008;
/// `SYSTEM_RESET`.
pub const SYSTEM_RESET: u32 = 0x8400_0009;
/// `PSCI_FEATURES`.
pub const FEATURES: u32 = 0x8400_000a;
/// `SMCCC_VERSION`.
pub const SMCCC_VERSION: u32 = 0x8000_0000;
/// `SMCCC_ARCH_FEATURES`.
pub const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;

/// PSCI 1.1 as `PSCI_VERSION` encodes it.
pub const VERSION_1_1: u64 = 0x1_0001;
/// SMCCC 1.2 as `SMCCC_VERSION` encodes it.
pub const SMCCC_VERSION_1_2: u64 = 0x1_0002;

/// `SUCCESS`.
pub const SUCCESS: i64 = 0;
/// `NOT_SUPPORTED`.
pub const NOT_SUPPORTED: i64 = -1;
/// `INVALID_PARAMETERS`.
pub const INVALID_PARAMETERS: i64 = -2;
/// `DENIED`.
pub const DENIED: i64 = -3;
/// `ALREADY_ON`.
pub const ALREADY_ON: i64 = -4;
/// `ON_PENDING`.
pub const ON_PENDING: i64 = -5;
/// `INTERNAL_FAILURE`.
pub const INTERNAL_FAILURE: i64 = -6;
/// `INVALID_ADDRESS`.
pub const INVALID_ADDRESS: i64 = -9;

/// `AFFINITY_INFO`: the CPU is on.
pub const AFFINITY_ON: u64 = 0;
/// `AFFINITY_INFO`: the CPU is off.
pub const AFFINITY_OFF: u64 = 1;
