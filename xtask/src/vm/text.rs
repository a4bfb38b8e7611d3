//! Places in a VM file, sizes and misspelt keys.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Where each value came from, for messages.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    file: String,
    places: BTreeMap<&'static str, String>,
}

impl Origins {
    /// Values of the file at `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            file: path.display().to_string(),
            places: BTreeMap::new(),
        }
    }

    /// Notes that `key` stands at `span` of the file's `text`.
    pub fn note(&mut self, key: &'static str, text: &str, span: &Range<usize>) {
        let place = format!("{}:{}: {key}", self.file, line_of(text, span.start));
        self.places.insert(key, place);
    }

    /// Notes that `key` was given by `option` of the command line.
    pub fn note_option(&mut self, key: &'static str, option: &str) {
        self.places.insert(key, option.to_owned());
    }

    /// An error in the value of `key`.
    pub fn error(&self, key: &str, problem: impl std::fmt::Display) -> anyhow::Error {
        match self.places.get(key) {
            Some(place) => anyhow::anyhow!("{place}: {problem}"),
            None => anyhow::anyhow!("{}: {key}: {problem}", self.file),
        }
    }
}

/// The number of the line that holds the byte at `offset`, from one.
fn line_of(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|byte| *byte == b'\n').count()
}

/// What is wrong with a file that does not fit the schema.
pub fn schema_error(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map_or(String::new(), |span| {
        format!(":{}", line_of(text, span.start))
    });
    let message = error.message();
    let problem = unknown_key(message).unwrap_or_else(|| message.replace('\n', " "));
    anyhow::anyhow!("{}{line}: {problem}", path.display())
}

/// The sentence for a key nobody knows, from the one serde makes of it.
fn unknown_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let nearest = known.iter().min_by_key(|word| distance(key, word))?;
    if distance(key, nearest) <= 1 + key.len() / 4 {
        return Some(format!("unknown key `{key}`; did you mean `{nearest}`?"));
    }
    let known = known.join(", ");
    Some(format!("unknown key `{key}`; known are {known}"))
}

/// Letters to add, drop, replace or swap with their neighbour (optimal string
/// alignment) to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + replace);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

/// Bytes of a size such as `512M`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit {
        "" => Some(0),
        "K" | "KiB" => Some(10),
        "M" | "MiB" => Some(20),
        "G" | "GiB" => Some(30),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    number
        .zip(shift)
        .and_then(|(number, shift)| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("\"{text}\" is no size; write for example \"512M\" or \"1G\""))
}
