//! A Linux kernel as a plain VM, and without any hypervisor.

use super::{Row, figure};

/// Ticks of the counter from the kernel's entry to its /init: the plain VM's may be
/// a twentieth more.
pub fn rows(plain: &str, bare: &str, name: &str) -> Vec<Row> {
    // The counter starts with the machine, which starts with the kernel.
    let bare = figure(bare, "init");
    let begun = stamp(plain, &format!("VM {name} runs"));
    let plain = figure(plain, "init").zip(begun);
    vec![
        Row::new(
            "Linux without a hypervisor, entry to /init",
            None,
            None,
            bare,
        ),
        Row::new(
            "plain VM: the same Linux, entry to /init",
            None,
            bare.map(|bare| bare + bare / 20),
            plain.map(|(init, begun)| init.saturating_sub(begun)),
        ),
    ]
}

/// When the hypervisor logged a line that ends with `text`: ticks of a counter of
/// 1 GHz, as which instructions are counted.
fn stamp(log: &str, text: &str) -> Option<u64> {
    let lines = log.lines().map(str::trim_end);
    let line = lines.filter_map(|line| line.strip_suffix(text)).next()?;
    let (_, stamp) = line.split_once('[')?;
    let (seconds, micros) = stamp.split_once(']')?.0.trim().split_once('.')?;
    let micros = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
    Some(micros * 1000)
}

#[cfg(test)]
mod tests {
    use super::{rows, stamp};

    #[test]
    fn a_plain_vms_boot_is_counted_from_its_start() {
        let plain = "[    0.002500] VM x runs\r\nx| SUZERAIN-GUEST: figure init 3500000\n";
        let bare = "SUZERAIN-GUEST: figure init 1000000\r\n";
        let rows = rows(plain, bare, "x");
        assert_eq!(rows[0].ours, Some(1_000_000));
        assert_eq!(rows[1].ours, Some(1_000_000));
        assert_eq!(rows[1].bar, Some(1_050_000));
    }

    #[test]
    fn a_line_that_is_not_there_has_no_stamp() {
        assert_eq!(
            stamp("[   12.000001] VM y runs\n", "VM y runs"),
            Some(12_000_001_000)
        );
        assert_eq!(stamp("[   12.000001] VM y runs\n", "VM x runs"), None);
        assert_eq!(stamp("VM y runs\n", "VM y runs"), None);
    }
}
