//! The words by which kinds of entries go in JSON.

use crate::event::raw;

/// The kind of an entry, as its number and its word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// Bits 7:0 of an entry's second word.
    pub raw: u8,
    /// The word.
    pub word: &'static str,
}

/// Every kind.
const KINDS: [Kind; 11] = [
    Kind::new(raw::EXIT, "exit"),
    Kind::new(raw::ENTER, "enter"),
    Kind::new(raw::RMI, "rmi"),
    Kind::new(raw::IN, "in"),
    Kind::new(raw::OUT, "out"),
    Kind::new(raw::WAKE, "wake"),
    Kind::new(raw::KICK, "kick"),
    Kind::new(raw::INTERRUPT, "interrupt"),
    Kind::new(raw::LIFE, "life"),
    Kind::new(raw::COMMAND, "command"),
    Kind::new(raw::CRASH, "crash"),
];

impl Kind {
    const fn new(raw: u8, word: &'static str) -> Self {
        Self { raw, word }
    }

    /// The kind of the entry whose second word is `meta`.
    pub(crate) fn of(meta: u64) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.raw == meta as u8)
    }
}

/// The kind that goes by `word`.
pub fn kind(word: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.word == word)
}
