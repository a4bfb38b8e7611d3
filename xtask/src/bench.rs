//! What is measured, what a Linux KVM host with kvmtool on TF-RMM 1.0 needs for
//! it, and how ours compares.

use serde::Serialize;
use serde_json::Value;

use crate::image::Flat;

pub mod growth;
pub mod linux;
pub mod pair;
pub mod virtio;

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What is counted.
    pub name: String,
    /// The reference's figure.
    pub reference: Option<u64>,
    /// What ours may be at most.
    pub bar: Option<u64>,
    /// Ours; none if it was not measured.
    pub ours: Option<u64>,
}

impl Row {
    fn new(
        name: impl Into<String>,
        reference: Option<u64>,
        bar: Option<u64>,
        ours: Option<u64>,
    ) -> Self {
        Self {
            name: name.into(),
            reference,
            bar,
            ours,
        }
    }

    /// Whether it keeps its bar, or has none.
    pub fn is_met(&self) -> bool {
        match (self.bar, self.ours) {
            (Some(bar), Some(ours)) => ours <= bar,
            (bar, _) => bar.is_none(),
        }
    }

    /// The row as a line of the table.
    pub fn line(&self) -> String {
        let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), grouped);
        format!(
            "{:52} {:>15} {:>13} {:>15}  {}",
            self.name,
            number(self.reference),
            number(self.bar),
            self.ours.map_or_else(|| "not measured".to_owned(), grouped),
            self.remark()
        )
    }

    fn remark(&self) -> String {
        match (self.ours, self.bar) {
            (Some(ours), Some(bar)) if ours <= bar => "met".to_owned(),
            (Some(ours), Some(bar)) => {
                format!("missed by {}", grouped(ours - bar))
            }
            _ => String::new(),
        }
    }
}

/// The table's head.
pub fn head() -> String {
    format!(
        "{:52} {:>15} {:>13} {:>15}",
        "instructions, calls or bytes", "KVM + kvmtool", "at most", "ours"
    )
}

/// Medians of the host's instructions per exit, from the payload that repeats
/// each kind.
pub fn exits(payload: &Value) -> Vec<Row> {
    const EXITS: [(&str, &str, u64, u64); 6] = [
        ("exit: RSI_HOST_CALL", "host_call_nop", 1_028, 200),
        ("exit: MMIO read of a GICD register", "gic_read", 1_351, 270),
        (
            "exit: MMIO read of the UART's status",
            "uart_status",
            2_580,
            400,
        ),
        ("exit: timer interrupt", "timer", 1_401, 280),
        ("exit: end of a timer interrupt", "irq", 1_401, 280),
        (
            "exit: fault on protected RAM, per 4 KiB",
            "populate_per_4k",
            2_469,
            500,
        ),
    ];
    EXITS
        .iter()
        .map(|(name, class, reference, bar)| {
            let median = payload.pointer(&format!("/bench/exits/{class}/median"));
            Row::new(
                *name,
                Some(*reference),
                Some(*bar),
                median.and_then(Value::as_u64),
            )
        })
        .collect()
}

/// What a plain VM's exits take there and back, as its payload tells on the console.
pub fn plain(log: &str) -> Vec<Row> {
    const FIGURES: [(&str, &str, Option<u64>, Option<u64>); 6] = [
        ("plain VM: null HVC", "null_hvc", Some(1_043), Some(150)),
        ("plain VM: PSCI_VERSION", "psci_version", None, None),
        ("plain VM: host call by HVC", "host_call", None, None),
        (
            "plain VM: MMIO read of a GICD register",
            "gic_read",
            Some(1_806),
            Some(400),
        ),
        (
            "plain VM: MMIO read of the UART's status",
            "uart_status",
            Some(6_099),
            Some(400),
        ),
        (
            "plain VM: fault on RAM, per 4 KiB",
            "fault_per_4k",
            None,
            None,
        ),
    ];
    FIGURES
        .iter()
        .map(|(name, key, reference, bar)| Row::new(*name, *reference, *bar, figure(log, key)))
        .collect()
}

/// The figure that a payload calls `key`: the last of a line `figure KEY NUMBER`.
fn figure(log: &str, key: &str) -> Option<u64> {
    log.lines().rev().find_map(|line| {
        let (_, figure) = line.split_once("figure ")?;
        let mut words = figure.split_whitespace();
        (words.next() == Some(key)).then(|| words.next()?.parse().ok())?
    })
}

/// Instructions of SHA-256 per 64-byte block, with the SHA-2 instructions.
const PER_BLOCK: u64 = 256;
/// Blocks hashed per measured granule: its content with padding, and the 256
/// bytes that extend the measurement, with padding.
const BLOCKS_PER_GRANULE: u64 = 65 + 5;

/// What the hypervisor logs of a table that the RMM does not fold.
const FAILED_FOLD: &str = "does not fold";

/// The whole life of the Linux Realm, from the verdict and the log of its run.
pub fn life(linux: &Value, log: &str) -> Vec<Row> {
    let bench = |key: &str| {
        linux
            .pointer(&format!("/bench/{key}"))
            .and_then(Value::as_u64)
    };
    let hashing = bench("measured_pages").map(|pages| pages * BLOCKS_PER_GRANULE * PER_BLOCK);
    let population_bar = hashing.map(|hashing| hashing + hashing / 5);
    let mut rows = calls(linux, log);
    rows.extend([
        Row::new(
            "hypervisor's entry to the first guest instruction",
            None,
            Some(5_000_000),
            bench("entry_to_guest"),
        ),
        Row::new(
            "measured population",
            None,
            population_bar,
            bench("measured_population"),
        ),
        Row::new(
            "first guest instruction to the guest's /init",
            Some(1_275_000_000),
            None,
            bench("guest_to_mark"),
        ),
    ]);
    rows
}

/// RMI calls over the Linux Realm's life.
fn calls(linux: &Value, log: &str) -> Vec<Row> {
    let all = linux.get("rmi_calls").and_then(Value::as_object);
    let sum = all.map(|calls| calls.values().filter_map(Value::as_u64).sum());
    let count = |name: &str| all.map(|calls| calls.get(name).and_then(Value::as_u64).unwrap_or(0));
    let failed_folds = log.matches(FAILED_FOLD).count();
    vec![
        Row::new(
            "RMI calls of the Linux Realm, 256 MiB",
            Some(163_119),
            Some(81_559),
            sum,
        ),
        Row::new(
            "  of them GRANULE_DELEGATE",
            Some(33_615),
            None,
            count("GRANULE_DELEGATE"),
        ),
        Row::new("  of them RTT_FOLD", None, None, count("RTT_FOLD")),
        Row::new(
            "  of them folds that failed",
            Some(2_184),
            Some(0),
            all.map(|_| failed_folds as u64),
        ),
    ]
}

/// What the hypervisor takes up.
pub fn sizes(hypervisor: &Flat, linux: &Value) -> Vec<Row> {
    let memory = linux.pointer("/bench/el2_memory").and_then(Value::as_u64);
    vec![
        Row::new(
            "image size without guests",
            None,
            Some(400 << 10),
            Some(hypervisor.bytes.len() as u64),
        ),
        Row::new(
            "EL2 memory: image with its data and stacks",
            None,
            None,
            Some(hypervisor.memory),
        ),
        Row::new(
            "EL2 memory in use besides what Realms hold",
            None,
            Some(8 << 20),
            memory,
        ),
    ]
}

/// A number with its thousands set apart.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Row, exits, figure, grouped, life};
    use serde_json::json;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(163_119), "163,119");
        assert_eq!(grouped(1_275_000_000), "1,275,000,000");
    }

    #[test]
    fn a_missed_bar_says_by_how_much() {
        let row = |ours| Row::new("x", None, Some(200), ours).line();
        assert!(row(Some(200)).ends_with("met"));
        assert!(row(Some(1_450)).ends_with("missed by 1,250"));
        assert!(row(None).contains("not measured"));
    }

    #[test]
    fn a_payload_tells_its_figures_by_name() {
        let log = "bench-vm: figure gic 12\r\nfigure gic_read 340\nfigure gic_read\n";
        assert_eq!(figure(log, "gic"), Some(12));
        assert_eq!(figure(log, "gic_read"), Some(340));
        assert_eq!(figure(log, "uart"), None);
    }

    #[test]
    fn figures_come_from_the_summaries() {
        let payload = json!({"bench": {"exits": {"timer": {"median": 77}}}});
        let rows = exits(&payload);
        assert_eq!(rows[3].ours, Some(77));
        assert_eq!(rows[0].ours, None);
        let linux = json!({
            "rmi_calls": {"RTT_FOLD": 3, "REC_ENTER": 4},
            "bench": {"measured_pages": 2, "measured_population": 5},
        });
        let log = "[    1.000000] warning: the level-3 RTT over 0x40000000 does not fold: x\n";
        let rows = life(&linux, log);
        assert_eq!(rows[0].ours, Some(7));
        assert_eq!(rows[3].ours, Some(1));
        assert_eq!(rows[5].bar, Some(2 * 70 * 256 + 2 * 70 * 256 / 5));
    }
}
