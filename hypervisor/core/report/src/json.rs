//! The two things JSON needs beyond `write!`: escaped text and bytes in
//! hexadecimal. Documents are written field by field into whatever takes text.

use core::fmt::{self, Write};

/// Text as the inside of a JSON string: quotation marks, backslashes and control
/// characters are escaped, the quotation marks around it are the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            c if c < ' ' => write!(f, "\\u{:04x}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}

/// Bytes, printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;

    #[test]
    fn nothing_in_a_text_can_end_its_string() {
        let text = Text("a\"b\\c\n\u{1b}é").to_string();
        assert_eq!(text, "a\\\"b\\\\c\\u000a\\u001bé");
    }

    #[test]
    fn bytes_keep_their_leading_zeroes() {
        assert_eq!(Hex(&[0, 0x0a, 0xff]).to_string(), "000aff");
    }
}
