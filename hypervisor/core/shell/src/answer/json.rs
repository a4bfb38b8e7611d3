//! Objects and lists of JSON, written as they come.

use core::fmt::{self, Display, Write};

use report::json::Text;

/// An object or a list that has been begun.
pub struct Open<'a> {
    out: &'a mut dyn Write,
    separator: &'static str,
    end: &'static str,
}

impl<'a> Open<'a> {
    /// Begins an object.
    pub fn object(out: &'a mut dyn Write) -> Result<Self, fmt::Error> {
        out.write_str("{")?;
        Ok(Self {
            out,
            separator: "",
            end: "}",
        })
    }

    /// Begins a list.
    pub fn list(out: &'a mut dyn Write) -> Result<Self, fmt::Error> {
        out.write_str("[")?;
        Ok(Self {
            out,
            separator: "",
            end: "]",
        })
    }

    /// Ends it.
    pub fn end(self) -> fmt::Result {
        self.out.write_str(self.end)
    }

    fn key(&mut self, key: &str) -> fmt::Result {
        write!(self.out, "{}\"{key}\":", self.separator)?;
        self.separator = ",";
        Ok(())
    }

    /// A field that is written as it is: a number, `true`, `false`.
    pub fn raw(&mut self, key: &str, value: impl Display) -> fmt::Result {
        self.key(key)?;
        write!(self.out, "{value}")
    }

    /// A field with text.
    pub fn text(&mut self, key: &str, value: &str) -> fmt::Result {
        self.key(key)?;
        write!(self.out, "\"{}\"", Text(value))
    }

    /// A field with text that may not be there.
    pub fn maybe_text(&mut self, key: &str, value: Option<&str>) -> fmt::Result {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// A field with an object inside.
    pub fn object_in(
        &mut self,
        key: &str,
        fill: impl FnOnce(&mut Open<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        let mut inner = Open::object(self.out)?;
        fill(&mut inner)?;
        inner.end()
    }

    /// A field with a list inside.
    pub fn list_in(
        &mut self,
        key: &str,
        fill: impl FnOnce(&mut Open<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        let mut inner = Open::list(self.out)?;
        fill(&mut inner)?;
        inner.end()
    }

    /// A field with counts by name.
    pub fn counts(&mut self, key: &str, counts: &[(&str, u64)]) -> fmt::Result {
        self.object_in(key, |inner| {
            counts
                .iter()
                .try_for_each(|(name, count)| inner.escaped(name, *count))
        })
    }

    fn escaped(&mut self, key: &str, value: u64) -> fmt::Result {
        write!(self.out, "{}\"{}\":{value}", self.separator, Text(key))?;
        self.separator = ",";
        Ok(())
    }

    /// An element of a list.
    pub fn element(&mut self, value: impl Display) -> fmt::Result {
        write!(self.out, "{}{value}", self.separator)?;
        self.separator = ",";
        Ok(())
    }

    /// A text in a list.
    pub fn text_element(&mut self, value: &str) -> fmt::Result {
        self.element(format_args!("\"{}\"", Text(value)))
    }

    /// An object in a list.
    pub fn object_element(
        &mut self,
        fill: impl FnOnce(&mut Open<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.out.write_str(self.separator)?;
        self.separator = ",";
        let mut inner = Open::object(self.out)?;
        fill(&mut inner)?;
        inner.end()
    }
}
