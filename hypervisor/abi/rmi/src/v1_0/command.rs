//! Function identifiers (DEN0137 B4.3).

/// The function identifier of the first command.
pub const FID_BASE: u32 = 0xc400_0150;
/// Function numbers reserved for RMI; the last belongs to EL3.
pub const FID_COUNT: u32 = 0x40;
/// SMCCC's hint that the caller has no live SVE state; legal on every call.
pub const SVE_HINT: u32 = 1 << 16;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $offset:literal, $text:literal;)*) => {
        /// A command of RMI 1.0.
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
    /// Moves a granule from the Non-secure to the Realm PAS.
    GranuleDelegate = 0x01, "GRANULE_DELEGATE";
    /// Moves a delegated granule back to the Non-secure PAS.
    GranuleUndelegate = 0x02, "GRANULE_UNDELEGATE";
    /// Creates a data granule with contents from a Non-secure page.
    DataCreate = 0x03, "DATA_CREATE";
    /// Creates a data granule with contents the Realm cannot rely on.
    DataCreateUnknown = 0x04, "DATA_CREATE_UNKNOWN";
    /// Destroys a data granule.
    DataDestroy = 0x05, "DATA_DESTROY";
    /// Makes a Realm runnable and freezes its initial measurement.
    RealmActivate = 0x07, "REALM_ACTIVATE";
    /// Creates a Realm.
    RealmCreate = 0x08, "REALM_CREATE";
    /// Destroys a Realm that owns nothing any more.
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
    /// Maps a Non-secure page or block into the unprotected half.
    RttMapUnprotected = 0x0f, "RTT_MAP_UNPROTECTED";
    /// Reads an RTT entry.
    RttReadEntry = 0x11, "RTT_READ_ENTRY";
    /// Removes a mapping from the unprotected half.
    RttUnmapUnprotected = 0x12, "RTT_UNMAP_UNPROTECTED";
    /// Completes a PSCI call that named another REC.
    PsciComplete = 0x14, "PSCI_COMPLETE";
    /// Reads a feature register.
    Features = 0x15, "FEATURES";
    /// Replaces a homogeneous RTT by one entry of its parent.
    RttFold = 0x16, "RTT_FOLD";
    /// Tells how many auxiliary granules a REC of the Realm needs.
    RecAuxCount = 0x17, "REC_AUX_COUNT";
    /// Sets RIPAS to RAM before activation.
    RttInitRipas = 0x18, "RTT_INIT_RIPAS";
    /// Changes RIPAS as the Realm asked.
    RttSetRipas = 0x19, "RTT_SET_RIPAS";
}

impl Command {
    /// The function identifier.
    pub const fn fid(self) -> u32 {
        FID_BASE + self as u32
    }
}
