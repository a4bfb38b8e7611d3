//! Lines of guests, put together from the rows that the overview shows of them.
//!
//! A guest that stops in the middle of a line has what there is shown, and the rest
//! in rows marked `+`. A busy machine may stop any guest anywhere, so no test can
//! rely on a line being in one row.

/// The log with each row marked `+` behind the row that it goes on with.
pub fn joined(log: &str) -> String {
    let mut lines: Vec<(Option<&str>, String)> = Vec::new();
    for row in log.split_inclusive('\n') {
        let (guest, mark, text) = parts(row);
        if mark == '+'
            && let Some((_, line)) = lines.iter_mut().rev().find(|line| line.0 == guest)
        {
            line.truncate(line.trim_end_matches(['\r', '\n']).len());
            line.push_str(text);
        } else {
            lines.push((guest, row.to_owned()));
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Whose row it is, how it is marked, and the text behind that.
fn parts(row: &str) -> (Option<&str>, char, &str) {
    for mark in ['|', '+'] {
        let middle = [' ', mark, ' '].iter().collect::<String>();
        if let Some((name, text)) = row.split_once(&middle)
            && !name.is_empty()
            && !name.trim_end().contains(|c: char| c.is_whitespace())
        {
            return (Some(name), mark, text);
        }
    }
    (None, ' ', row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shown_in_pieces_is_one_again_among_those_of_others() {
        let log =
            "a  | net: 1\r\nbb | up | or + down\r\n[ 0.1] c + d\r\na  + 0.0 | rea\r\na  + ches\r\n";
        let whole = "a  | net: 10.0 | reaches\r\nbb | up | or + down\r\n[ 0.1] c + d\r\n";
        assert_eq!(joined(log), whole);
    }

    #[test]
    fn what_only_looks_like_a_part_stays_a_line() {
        for log in ["a + b\n", "the sum a + b\n", "", "a | b\n"] {
            assert_eq!(joined(log), log);
        }
    }
}
