//! Lines that the firmware has cut in two.
//!
//! The RMM says on the same UART that a Realm is active, while another CPU may be in
//! the middle of a line: neither world can hold the other's lock.

/// How that line of the RMM begins; no other comes while VMs run and all is well.
const BEGIN: &str = "rmm: Realm 0x";
/// How long it is at most.
pub const LONGEST: usize = 256;

/// The text with such lines before those that they had cut.
pub fn mended(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    // Where the last line of `whole` begins.
    let mut line = 0;
    for row in text.split_inclusive('\n') {
        match row.split_once(BEGIN) {
            Some((head, tail)) if tail.ends_with('\n') => {
                let begun = whole.split_off(line) + head;
                whole.push_str(BEGIN);
                whole.push_str(tail);
                line = whole.len();
                whole.push_str(&begun);
            }
            _ => {
                whole.push_str(row);
                if row.ends_with('\n') {
                    line = whole.len();
                }
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::mended;

    #[test]
    fn a_line_that_was_cut_is_whole_again_behind_what_cut_it() {
        let log =
            "up\r\nspin  rmm: Realm 0x1 active\r\n| spi\x1b[Krmm: Realm 0x2 active\r\nnning\r\nend";
        let whole =
            "up\r\nrmm: Realm 0x1 active\r\nrmm: Realm 0x2 active\r\nspin  | spi\x1b[Knning\r\nend";
        assert_eq!(mended(log), whole);
    }

    #[test]
    fn all_else_is_left_as_it_is() {
        for log in [
            "",
            "a\nb",
            "rmm: Realm 0x1 active\nx\n",
            "[ 0.1] rmm: flavour TF-RMM\n",
            "spin  rmm: Realm 0x1 act",
        ] {
            assert_eq!(mended(log), log);
        }
    }
}
