//! What can be wrong with a device tree, as sentences.

use core::fmt::{self, Write};
use heapless::String;

/// A short owned text; what does not fit is cut off.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(String<79, u8>);

impl Text {
    /// As much of `text` as fits.
    pub fn new(text: &str) -> Self {
        let mut owned = Self::default();
        owned.push(text);
        owned
    }

    /// Appends as much of `text` as fits.
    pub fn push(&mut self, text: &str) {
        for c in text.chars() {
            if self.0.push(c).is_err() {
                return;
            }
        }
    }

    /// What is in it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn format(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        // Writing cannot fail, as what does not fit is cut off.
        let _ = text.write_fmt(arguments);
        text
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why the machine cannot be read out of a device tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformError {
    /// The blob is not a well-formed device tree.
    Damaged(Text),
    /// A node the hypervisor needs is not there or is disabled.
    MissingNode(&'static str),
    /// A node lacks a property the hypervisor needs.
    MissingProperty {
        /// Path of the node.
        node: Text,
        /// Name of the property.
        property: &'static str,
    },
    /// A property has a value the hypervisor cannot use.
    BadProperty {
        /// Path of the node.
        node: Text,
        /// Name of the property.
        property: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is more of something than there is room for.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many fit.
        limit: usize,
    },
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(problem) => write!(f, "bad device tree: {problem}"),
            Self::MissingNode(what) => {
                write!(f, "the device tree has no enabled {what}")
            }
            Self::MissingProperty { node, property } => {
                write!(f, "device tree node {node} has no property {property}")
            }
            Self::BadProperty {
                node,
                property,
                problem,
            } => write!(f, "device tree node {node}: property {property} {problem}"),
            Self::TooMany { what, limit } => write!(
                f,
                "the device tree has more {what} than the {limit} this build has room for"
            ),
        }
    }
}

impl core::error::Error for PlatformError {}
