//! What a KiB costs that goes to a disk, from it, or to another VM.

use super::{Row, figure};

/// Figures of the payload that drives a disk, and of those that send frames.
pub fn rows(disk: &str, net: &str) -> Vec<Row> {
    let bytes = figure(disk, "disk_bytes");
    let disk = |name: &str, key| Row::new(name, None, None, per_kib(figure(disk, key), bytes));
    let frame = |size: u64| {
        let name = format!("plain VM: network, frames of {size} bytes, per KiB");
        let took = figure(net, &format!("net_{size}"));
        Row::new(name, None, None, per_kib(took, Some(size)))
    };
    vec![
        disk("plain VM: disk read, 4 KiB each, per KiB", "disk_read"),
        disk("plain VM: disk read, 32 at once, per KiB", "disk_read_many"),
        disk("plain VM: disk written, 4 KiB each, per KiB", "disk_write"),
        frame(1514),
        frame(32_000),
    ]
}

fn per_kib(took: Option<u64>, bytes: Option<u64>) -> Option<u64> {
    (took? * 1024).checked_div(bytes?)
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn what_was_counted_is_told_per_kib() {
        let disk = "figure disk_bytes 8192\nfigure disk_read 800\n";
        let net = "net-1| figure net_1514 3028\n";
        let ours: Vec<_> = rows(disk, net).iter().map(|row| row.ours).collect();
        assert_eq!(ours, [Some(100), None, None, Some(2048), None]);
    }
}
