//! Function identifiers and return codes of RSI 1.0 (DEN0137 B5).

/// The function identifier of the first command.
pub const FID_BASE: u32 = 0xc400_0190;
/// Function numbers reserved for RSI.
pub const FID_COUNT: u32 = 0x20;
/// RSI 1.0 as `RSI_VERSION` encodes it.
pub const VERSION_1_0: u64 = 0x1_0000;

/// Flag of `RSI_IPA_STATE_SET`: memory the host destroyed may change too.
pub const IPA_STATE_CHANGE_DESTROYED: u64 = 1 << 0;
/// The host accepted a change of IPA state.
pub const RESPONSE_ACCEPT: u64 = 0;
/// The host rejected a change of IPA state.
pub const RESPONSE_REJECT: u64 = 1;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $offset:literal, $text:literal;)*) => {
        /// A command of RSI 1.0.
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
                match (fid & !(1 << 16)).wrapping_sub(FID_BASE) {
                    $($offset => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The specification's name without its `RSI_` prefix.
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
    /// Reads a feature register.
    Features = 0x01, "FEATURES";
    /// Reads the RIM (slot 0) or a REM (slots 1 to 4).
    MeasurementRead = 0x02, "MEASUREMENT_READ";
    /// Extends a REM.
    MeasurementExtend = 0x03, "MEASUREMENT_EXTEND";
    /// Begins to produce an attestation token.
    AttestTokenInit = 0x04, "ATTEST_TOKEN_INIT";
    /// Continues to produce an attestation token.
    AttestTokenContinue = 0x05, "ATTEST_TOKEN_CONTINUE";
    /// Reads the Realm's configuration.
    RealmConfig = 0x06, "REALM_CONFIG";
    /// Asks for a change of RIPAS.
    IpaStateSet = 0x07, "IPA_STATE_SET";
    /// Reads RIPAS.
    IpaStateGet = 0x08, "IPA_STATE_GET";
    /// Calls the host.
    HostCall = 0x09, "HOST_CALL";
}

impl Command {
    /// The function identifier.
    pub const fn fid(self) -> u32 {
        FID_BASE + self as u32
    }
}

/// What x0 of an RSI command says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The command did what it was asked.
    Success,
    /// A value or an alignment was wrong.
    ErrorInput,
    /// The state does not allow the command.
    ErrorState,
    /// Call again to go on.
    Incomplete,
    /// Something failed that the caller cannot mend.
    ErrorUnknown,
    /// The function is not implemented: this is no Realm, or an old RMM.
    NotSupported,
    /// A value this guest does not know.
    Unknown {
        /// x0 as it came.
        raw: u64,
    },
}

impl Status {
    /// Decodes x0.
    pub const fn from_raw(raw: u64) -> Self {
        match raw {
            0 => Self::Success,
            1 => Self::ErrorInput,
            2 => Self::ErrorState,
            3 => Self::Incomplete,
            4 => Self::ErrorUnknown,
            u64::MAX => Self::NotSupported,
            _ => Self::Unknown { raw },
        }
    }

    /// Encodes x0.
    pub const fn raw(self) -> u64 {
        match self {
            Self::Success => 0,
            Self::ErrorInput => 1,
            Self::ErrorState => 2,
            Self::Incomplete => 3,
            Self::ErrorUnknown => 4,
            Self::NotSupported => u64::MAX,
            Self::Unknown { raw } => raw,
        }
    }
}
