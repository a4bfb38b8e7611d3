//! Tables whose columns are as wide as what is in them.

use core::fmt::{self, Display, Formatter, Write};

/// Columns of a table at most.
const COLUMNS: usize = 10;

/// What writes a cell: row, column.
pub type Cell<'a> = &'a dyn Fn(usize, usize, &mut dyn Write) -> fmt::Result;

/// Writes a table with a head. A head that begins with `>` is that of a column of
/// numbers, which are flush right. Each cell is written twice, first to measure.
pub fn table(out: &mut dyn Write, heads: &[&str], rows: usize, cell: Cell<'_>) -> fmt::Result {
    let mut widths = [0; COLUMNS];
    for ((column, head), width) in heads.iter().enumerate().zip(&mut widths) {
        *width = head.trim_start_matches('>').len();
        for row in 0..rows {
            let mut counter = Counter(0);
            cell(row, column, &mut counter)?;
            *width = counter.0.max(*width);
        }
    }
    line(out, heads, &widths, &|column, out| {
        let head = heads.get(column).copied().unwrap_or_default();
        out.write_str(head.trim_start_matches('>'))
    })?;
    (0..rows).try_for_each(|row| line(out, heads, &widths, &|column, out| cell(row, column, out)))
}

fn line(
    out: &mut dyn Write,
    heads: &[&str],
    widths: &[usize],
    cell: &dyn Fn(usize, &mut dyn Write) -> fmt::Result,
) -> fmt::Result {
    // Blanks are written when something follows, so that no line ends in them.
    let mut owed = 0;
    for ((column, head), width) in heads.iter().enumerate().zip(widths) {
        let mut counter = Counter(0);
        cell(column, &mut counter)?;
        let blank = width.saturating_sub(counter.0);
        let (before, after) = match head.starts_with('>') {
            true => (blank, 0),
            false => (0, blank),
        };
        if counter.0 > 0 {
            write!(out, "{:1$}", "", owed + before)?;
            cell(column, out)?;
            owed = after + 2;
        } else {
            owed += width + 2;
        }
    }
    out.write_str("\n")
}

/// Counts characters.
struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.chars().count();
        Ok(())
    }
}

/// Bytes as people read them: exact in the largest unit that keeps it so, else
/// with one digit.
pub struct Size(pub u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (unit, word) = match self.0 {
            0..0x10_0000 => (10, "KiB"),
            0x10_0000..0x4000_0000 => (20, "MiB"),
            _ => (30, "GiB"),
        };
        let (whole, rest) = (self.0 >> unit, self.0 & ((1 << unit) - 1));
        match rest {
            0 => write!(f, "{whole} {word}"),
            _ => write!(f, "{whole}.{} {word}", (rest * 10) >> unit),
        }
    }
}

/// Microseconds as people read them.
pub struct Micros(pub u64);

impl Display for Micros {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros @ 0..1000 => write!(f, "{micros} us"),
            micros @ 1000..1_000_000 => write!(f, "{}.{} ms", micros / 1000, micros / 100 % 10),
            micros => write!(f, "{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_flush_right() {
        let cells = [["a", "1", "x"], ["longer", "1234", ""], ["", "5", "y"]];
        let mut out = String::new();
        table(&mut out, &["NAME", ">N", "Z"], 3, &|row, column, out| {
            out.write_str(cells[row][column])
        })
        .unwrap();
        let lines = [
            "NAME       N  Z",
            "a          1  x",
            "longer  1234",
            "           5  y",
        ];
        assert_eq!(out, lines.join("\n") + "\n");
    }

    #[test]
    fn sizes_and_times_are_short_and_true() {
        let sizes = [0, 4096, 0x30_0000, 0x18_0000, 3 << 30].map(|s| Size(s).to_string());
        assert_eq!(sizes, ["0 KiB", "4 KiB", "3 MiB", "1.5 MiB", "3 GiB"]);
        let times = [7, 1500, 2_340_000, u64::MAX].map(|t| Micros(t).to_string());
        assert_eq!(times, ["7 us", "1.5 ms", "2.3 s", "18446744073709.5 s"]);
        assert_eq!(Size(u64::MAX).to_string(), "17179869183.9 GiB");
    }
}
