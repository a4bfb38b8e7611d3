//! Function identifiers of RMI 2.0: two ranges, of which the second begins
//! where other interfaces' identifiers end.

use crate::v1_0;

/// The function identifier of the first command.
pub const FID_BASE: u32 = 0xc400_0150;
/// SMCCC's hint that the caller has no live SVE state; legal on every call.
pub const SVE_HINT: u32 = 1 << 16;

/// Whether `fid` is one that an RMM answers, known here or not. The last of
/// the first range belongs to EL3.
pub const fn is_rmi(fid: u32) -> bool {
    matches!(fid & !SVE_HINT, 0xc400_0150..=0xc400_018e | 0xc400_01d0..=0xc400_02cf)
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $offset:literal, $text:literal;)*) => {
        /// A command of RMI 2.0 that one of its flavours implements.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Command {
            $($(#[$doc])* $name = $offset,)*
        }

        impl Command {
            /// Every command, in order of its function identifier.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The command with function identifier `fid`; the SVE hint is ignored.
            pub const fn from_fid(fid: u32) -> Option<Self> {
                match (fid & !SVE_HINT).wrapping_sub(FID_BASE) {
                    $($offset => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The specification's name without its `RMI_` prefix.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

commands! {
    /// Negotiates the interface revision.
    Version = 0x00, "VERSION";
    /// Puts a measured page into a new Realm.
    RttDataMapInit = 0x03, "RTT_DATA_MAP_INIT";
    /// Makes a Realm runnable and freezes its initial measurement.
    RealmActivate = 0x07, "REALM_ACTIVATE";
    /// Creates a Realm.
    RealmCreate = 0x08, "REALM_CREATE";
    /// Destroys a terminated Realm that owns nothing any more.
    RealmDestroy = 0x09, "REALM_DESTROY";
    /// Creates a REC.
    RecCreate = 0x0a, "REC_CREATE";
    /// Destroys a REC.
    RecDestroy = 0x0b, "REC_DESTROY";
    /// Runs a REC until it exits.
    RecEnter = 0x0c, "REC_ENTER";
    /// Creates an RTT.
    RttCreate = 0x0d, "RTT_CREATE";
    /// Destroys an RTT without live entries.
    RttDestroy = 0x0e, "RTT_DESTROY";
    /// Reads an RTT entry.
    RttReadEntry = 0x11, "RTT_READ_ENTRY";
    /// Confirms a Realm's view of device memory.
    RttDevValidate = 0x13, "RTT_DEV_VALIDATE";
    /// Completes a PSCI call that named another REC.
    PsciComplete = 0x14, "PSCI_COMPLETE";
    /// Reads a feature register.
    Features = 0x15, "FEATURES";
    /// Replaces a homogeneous RTT by one entry of its parent.
    RttFold = 0x16, "RTT_FOLD";
    /// Sets RIPAS to RAM before activation.
    RttInitRipas = 0x18, "RTT_INIT_RIPAS";
    /// Changes RIPAS as the Realm asked.
    RttSetRipas = 0x19, "RTT_SET_RIPAS";
    /// Creates a virtual SMMU.
    VsmmuCreate = 0x1a, "VSMMU_CREATE";
    /// Destroys a virtual SMMU.
    VsmmuDestroy = 0x1b, "VSMMU_DESTROY";
    /// Configures the RMM before it is activated.
    RmmConfigSet = 0x1e, "RMM_CONFIG_SET";
    /// Reports an interrupt of a physical SMMU.
    PsmmuIrqNotify = 0x1f, "PSMMU_IRQ_NOTIFY";
    /// Renews the platform's attestation token.
    AttestPlatTokenRefresh = 0x20, "ATTEST_PLAT_TOKEN_REFRESH";
    /// Aborts what a physical device was told.
    PdevAbort = 0x24, "PDEV_ABORT";
    /// Exchanges messages with a physical device.
    PdevCommunicate = 0x25, "PDEV_COMMUNICATE";
    /// Creates a physical device.
    PdevCreate = 0x26, "PDEV_CREATE";
    /// Destroys a physical device.
    PdevDestroy = 0x27, "PDEV_DESTROY";
    /// Reads the state of a physical device.
    PdevGetState = 0x28, "PDEV_GET_STATE";
    /// Renews a stream's keys.
    PdevStreamKeyRefresh = 0x2a, "PDEV_STREAM_KEY_REFRESH";
    /// Gives a physical device's public key.
    PdevSetPubkey = 0x2b, "PDEV_SET_PUBKEY";
    /// Stops a physical device.
    PdevStop = 0x2c, "PDEV_STOP";
    /// Creates an RTT of an auxiliary plane.
    RttAuxCreate = 0x2d, "RTT_AUX_CREATE";
    /// Destroys an RTT of an auxiliary plane.
    RttAuxDestroy = 0x2e, "RTT_AUX_DESTROY";
    /// Folds an RTT of an auxiliary plane.
    RttAuxFold = 0x2f, "RTT_AUX_FOLD";
    /// Maps private memory for an auxiliary plane (early flavour).
    RttAuxMapProtected = 0x30, "RTT_AUX_MAP_PROTECTED";
    /// Maps shared memory for an auxiliary plane (early flavour).
    RttAuxMapUnprotected = 0x31, "RTT_AUX_MAP_UNPROTECTED";
    /// Unmaps private memory of an auxiliary plane (early flavour).
    RttAuxUnmapProtected = 0x33, "RTT_AUX_UNMAP_PROTECTED";
    /// Unmaps shared memory of an auxiliary plane (early flavour).
    RttAuxUnmapUnprotected = 0x34, "RTT_AUX_UNMAP_UNPROTECTED";
    /// Aborts what a virtual device was told.
    VdevAbort = 0x35, "VDEV_ABORT";
    /// Exchanges messages with a virtual device.
    VdevCommunicate = 0x36, "VDEV_COMMUNICATE";
    /// Creates a virtual device.
    VdevCreate = 0x37, "VDEV_CREATE";
    /// Destroys a virtual device.
    VdevDestroy = 0x38, "VDEV_DESTROY";
    /// Reads the state of a virtual device.
    VdevGetState = 0x39, "VDEV_GET_STATE";
    /// Unlocks a virtual device.
    VdevUnlock = 0x3a, "VDEV_UNLOCK";
    /// Changes access permissions as the Realm asked.
    RttSetS2ap = 0x3b, "RTT_SET_S2AP";
    /// Completes a request about a virtual device (early flavour).
    VdevComplete = 0x3e, "VDEV_COMPLETE";
    /// Reads a virtual device's interface report.
    VdevGetInterfaceReport = 0x80, "VDEV_GET_INTERFACE_REPORT";
    /// Reads a virtual device's measurements.
    VdevGetMeasurements = 0x81, "VDEV_GET_MEASUREMENTS";
    /// Locks a virtual device.
    VdevLock = 0x82, "VDEV_LOCK";
    /// Starts a virtual device.
    VdevStart = 0x83, "VDEV_START";
    /// Handles an event of a virtual SMMU.
    VsmmuEventHandle = 0x86, "VSMMU_EVENT_HANDLE";
    /// Activates a physical SMMU.
    PsmmuActivate = 0x87, "PSMMU_ACTIVATE";
    /// Deactivates a physical SMMU.
    PsmmuDeactivate = 0x88, "PSMMU_DEACTIVATE";
    /// Creates a level 2 stream table.
    PsmmuStL2Create = 0x8b, "PSMMU_ST_L2_CREATE";
    /// Destroys a level 2 stream table.
    PsmmuStL2Destroy = 0x8c, "PSMMU_ST_L2_DESTROY";
    /// Creates a level 0 device permission table.
    DptL0Create = 0x8d, "DPT_L0_CREATE";
    /// Destroys a level 0 device permission table.
    DptL0Destroy = 0x8e, "DPT_L0_DESTROY";
    /// Creates a level 1 device permission table.
    DptL1Create = 0x8f, "DPT_L1_CREATE";
    /// Destroys a level 1 device permission table.
    DptL1Destroy = 0x90, "DPT_L1_DESTROY";
    /// Reads how memory is tracked.
    GranuleTrackingGet = 0x91, "GRANULE_TRACKING_GET";
    /// Changes how memory is tracked.
    GranuleTrackingSet = 0x93, "GRANULE_TRACKING_SET";
    /// Reads the RMM's configuration.
    RmmConfigGet = 0x9c, "RMM_CONFIG_GET";
    /// Reads the RMM's state (late flavour).
    RmmStateGet = 0x9e, "RMM_STATE_GET";
    /// Takes an event of a physical SMMU.
    PsmmuEventConsume = 0xa0, "PSMMU_EVENT_CONSUME";
    /// Moves granules from the Non-secure to the Realm PAS.
    GranuleRangeDelegate = 0xa1, "GRANULE_RANGE_DELEGATE";
    /// Moves delegated granules back to the Non-secure PAS.
    GranuleRangeUndelegate = 0xa2, "GRANULE_RANGE_UNDELEGATE";
    /// Creates a level 1 granule protection table.
    GptL1Create = 0xa3, "GPT_L1_CREATE";
    /// Destroys a level 1 granule protection table.
    GptL1Destroy = 0xa4, "GPT_L1_DESTROY";
    /// Gives a Realm private memory.
    RttDataMap = 0xa5, "RTT_DATA_MAP";
    /// Takes private memory back.
    RttDataUnmap = 0xa6, "RTT_DATA_UNMAP";
    /// Maps device memory.
    RttDevMap = 0xa7, "RTT_DEV_MAP";
    /// Unmaps device memory.
    RttDevUnmap = 0xa8, "RTT_DEV_UNMAP";
    /// Maps an architectural device.
    RttArchDevMap = 0xa9, "RTT_ARCH_DEV_MAP";
    /// Unmaps an architectural device.
    RttArchDevUnmap = 0xaa, "RTT_ARCH_DEV_UNMAP";
    /// Shares host memory with a Realm.
    RttUnprotMap = 0xab, "RTT_UNPROT_MAP";
    /// Ends the sharing of host memory.
    RttUnprotUnmap = 0xac, "RTT_UNPROT_UNMAP";
    /// Maps private memory for an auxiliary plane (late flavour).
    RttAuxProtMap = 0xad, "RTT_AUX_PROT_MAP";
    /// Unmaps private memory of an auxiliary plane (late flavour).
    RttAuxProtUnmap = 0xae, "RTT_AUX_PROT_UNMAP";
    /// Maps shared memory for an auxiliary plane (late flavour).
    RttAuxUnprotMap = 0xaf, "RTT_AUX_UNPROT_MAP";
    /// Unmaps shared memory of an auxiliary plane (late flavour).
    RttAuxUnprotUnmap = 0xb0, "RTT_AUX_UNPROT_UNMAP";
    /// Ends a Realm for good, before it can be destroyed.
    RealmTerminate = 0xb1, "REALM_TERMINATE";
    /// Activates the RMM.
    RmmActivate = 0xb2, "RMM_ACTIVATE";
    /// Continues a stateful operation.
    OpContinue = 0xb3, "OP_CONTINUE";
    /// Connects a stream.
    PdevStreamConnect = 0xb4, "PDEV_STREAM_CONNECT";
    /// Disconnects a stream.
    PdevStreamDisconnect = 0xb5, "PDEV_STREAM_DISCONNECT";
    /// Completes a change of a stream.
    PdevStreamComplete = 0xb6, "PDEV_STREAM_COMPLETE";
    /// Forgets a stream's keys.
    PdevStreamKeyPurge = 0xb7, "PDEV_STREAM_KEY_PURGE";
    /// Gives memory to a stateful operation.
    OpMemDonate = 0xb8, "OP_MEM_DONATE";
    /// Takes memory back from a stateful operation.
    OpMemReclaim = 0xb9, "OP_MEM_RECLAIM";
    /// Asks a stateful operation to undo what it did.
    OpCancel = 0xba, "OP_CANCEL";
    /// Reads the features of virtual SMMUs.
    VsmmuFeatures = 0xbb, "VSMMU_FEATURES";
    /// Takes a command of a virtual SMMU.
    VsmmuCmdGet = 0xbc, "VSMMU_CMD_GET";
    /// Completes a command of a virtual SMMU.
    VsmmuCmdComplete = 0xbd, "VSMMU_CMD_COMPLETE";
    /// Reads what a physical SMMU is.
    PsmmuInfo = 0xbe, "PSMMU_INFO";
    /// Deactivates the RMM.
    RmmDeactivate = 0xbf, "RMM_DEACTIVATE";
    /// Reads what a stream is.
    PdevStreamInfo = 0xc0, "PDEV_STREAM_INFO";
    /// Reads how granule protection tables are laid out.
    GptInfo = 0xc1, "GPT_INFO";
}

impl Command {
    /// The function identifier.
    pub const fn fid(self) -> u32 {
        FID_BASE + self as u32
    }

    /// The command of RMI 1.0 with the same name, if there is one.
    pub const fn in_v1_0(self) -> Option<v1_0::Command> {
        use v1_0::Command as Old;
        Some(match self {
            Self::Version => Old::Version,
            Self::RealmActivate => Old::RealmActivate,
            Self::RealmCreate => Old::RealmCreate,
            Self::RealmDestroy => Old::RealmDestroy,
            Self::RecCreate => Old::RecCreate,
            Self::RecDestroy => Old::RecDestroy,
            Self::RecEnter => Old::RecEnter,
            Self::RttCreate => Old::RttCreate,
            Self::RttDestroy => Old::RttDestroy,
            Self::RttReadEntry => Old::RttReadEntry,
            Self::PsciComplete => Old::PsciComplete,
            Self::Features => Old::Features,
            Self::RttFold => Old::RttFold,
            Self::RttInitRipas => Old::RttInitRipas,
            Self::RttSetRipas => Old::RttSetRipas,
            _ => return None,
        })
    }
}
