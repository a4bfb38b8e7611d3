//! The hypervisor's verdict: the line `SUZERAIN-SUMMARY nonce length crc32 json`.
//!
//! Guests write to the same serial line, so a line counts only if it carries
//! the nonce of this run (which no guest ever sees), the right length and the
//! right checksum. Schema 1; fields are only ever added.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// What a summary line starts with.
pub const MARKER: &str = "SUZERAIN-SUMMARY ";

/// A secret of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Draws a fresh one.
    pub fn draw() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        let mut source = std::fs::File::open("/dev/urandom")?;
        std::io::Read::read_exact(&mut source, &mut bytes)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// A known one, for tests.
    #[cfg(test)]
    pub fn fixed(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// How a VM ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It powered off.
    Off,
    /// It reset, and may not restart again.
    Reset,
    /// It could not go on.
    Crashed,
    /// The deadline passed.
    Killed,
    /// The operator ended it.
    Stopped,
    /// It was never started.
    Skipped,
    /// A word of a newer hypervisor.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Off => "powered off",
            Self::Reset => "reset",
            Self::Crashed => "crashed",
            Self::Killed => "killed at the deadline",
            Self::Stopped => "ended by the operator",
            Self::Skipped => "skipped",
            Self::Unknown => "ended in a way this xtask does not know",
        })
    }
}

/// One VM's part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Vm {
    /// Name in the VM file.
    pub name: String,
    /// `realm` or `normal`.
    pub kind: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Initial measurement as the host computes it.
    #[serde(default)]
    pub rim: Option<String>,
    /// Initial measurement as the Realm reports it.
    #[serde(default)]
    pub rim_reported: Option<String>,
    /// Exits by reason.
    #[serde(default)]
    pub exits: BTreeMap<String, u64>,
    /// RMI calls by command.
    #[serde(default)]
    pub rmi_calls: BTreeMap<String, u64>,
}

/// What became of the granules handed to the RMM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Granules {
    /// Delegated over the run.
    pub delegated: u64,
    /// Given back over the run.
    pub undelegated: u64,
    /// Still with the RMM at the end, by the hypervisor's ledger.
    pub outstanding: u64,
    /// Still Realm at the end, by the monitor's own tables; only the embedded
    /// monitor counts.
    #[serde(default)]
    pub realm_pas_at_off: Option<u64>,
}

/// Bytes that the hypervisor has in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Memory {
    /// RAM, before the first VM was built.
    pub ram_before: u64,
    /// RAM, after the last was taken down.
    pub ram_after: u64,
    /// The heap's, before.
    pub heap_before: u64,
    /// The heap's, after.
    pub heap_after: u64,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// Version of the layout.
    pub schema: u32,
    /// Whether the hypervisor got to its end.
    pub complete: bool,
    /// `embedded`, `external` or `none`.
    pub firmware: String,
    /// Whether the CPU has RME.
    pub rme: bool,
    /// The RMM's interface version.
    #[serde(default)]
    pub rmi_version: Option<String>,
    /// RMI calls by command over the run.
    #[serde(default)]
    pub rmi_calls: BTreeMap<String, u64>,
    /// The VMs.
    pub vms: Vec<Vm>,
    /// The granules.
    pub granules: Granules,
    /// Memory in use before and after all VMs.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// Figures of `xtask bench`.
    #[serde(default)]
    pub bench: Option<Value>,
}

/// Why a line with the marker is no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// It does not carry this run's nonce: somebody else wrote it.
    Forged,
    /// It ends early or has not the announced length.
    Truncated {
        /// Announced bytes.
        announced: usize,
        /// Bytes there.
        found: usize,
    },
    /// The checksum does not fit.
    Checksum {
        /// Announced.
        announced: u32,
        /// Computed.
        computed: u32,
    },
    /// The framing or the JSON is not as agreed.
    Malformed(String),
    /// A layout this program does not know.
    Schema(u32),
}

impl fmt::Display for Reject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forged => write!(out, "a summary line without this run's nonce (ignored)"),
            Self::Truncated { announced, found } => {
                write!(out, "the summary has {found} of {announced} bytes")
            }
            Self::Checksum {
                announced,
                computed,
            } => write!(
                out,
                "the summary's checksum is {computed:08x}, not {announced:08x}"
            ),
            Self::Malformed(why) => write!(out, "the summary cannot be read: {why}"),
            Self::Schema(schema) => {
                write!(out, "the summary has schema {schema}, this xtask reads 1")
            }
        }
    }
}

/// A verdict together with the JSON it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The verdict.
    pub summary: Summary,
    /// Everything the hypervisor sent, fields unknown here included.
    pub raw: Value,
}

/// Reads one line; `None` if it is no summary line at all.
pub fn parse(line: &str, nonce: &Nonce) -> Option<Result<Verified, Reject>> {
    let own = format!("{MARKER}{nonce} ");
    if let Some(start) = line.find(&own) {
        return Some(verify(
            line[start + own.len()..].trim_end_matches(['\r', '\n']),
        ));
    }
    line.contains(MARKER).then_some(Err(Reject::Forged))
}

fn verify(framed: &str) -> Result<Verified, Reject> {
    let malformed = |what: &str| Reject::Malformed(what.to_owned());
    let (length, rest) = framed
        .split_once(' ')
        .ok_or_else(|| malformed("no length"))?;
    let (checksum, json) = rest
        .split_once(' ')
        .ok_or_else(|| malformed("no checksum"))?;
    let announced: usize = length.parse().map_err(|_| malformed("bad length"))?;
    if json.len() != announced {
        return Err(Reject::Truncated {
            announced,
            found: json.len(),
        });
    }
    let announced =
        u32::from_str_radix(checksum, 16).map_err(|_| malformed("bad checksum field"))?;
    let computed = crc32fast::hash(json.as_bytes());
    if computed != announced {
        return Err(Reject::Checksum {
            announced,
            computed,
        });
    }
    let raw: Value =
        serde_json::from_str(json).map_err(|error| Reject::Malformed(error.to_string()))?;
    let summary =
        Summary::deserialize(&raw).map_err(|error| Reject::Malformed(error.to_string()))?;
    if summary.schema != 1 {
        return Err(Reject::Schema(summary.schema));
    }
    Ok(Verified { summary, raw })
}

/// What stands in for a verdict when none came.
pub fn incomplete(firmware: &str, rme: bool) -> Value {
    serde_json::json!({
        "schema": 1,
        "complete": false,
        "firmware": firmware,
        "rme": rme,
        "rmi_version": null,
        "rmi_calls": {},
        "vms": [],
        "granules": {
            "delegated": null,
            "undelegated": null,
            "outstanding": null,
            "realm_pas_at_off": null,
        },
    })
}

/// Frames a JSON text as the hypervisor does, for tests.
#[cfg(test)]
pub fn frame(nonce: &Nonce, json: &str) -> String {
    let checksum = crc32fast::hash(json.as_bytes());
    format!("{MARKER}{nonce} {} {checksum:08x} {json}", json.len())
}

#[cfg(test)]
pub mod tests;
