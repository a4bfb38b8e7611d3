//! Two vCPUs that send each other interrupts, on two CPUs and on one.

use super::{Row, figure};
use serde_json::Value;

/// A pair of vCPUs as a plain VM, which tells what it sees, and as a Realm, whose
/// hypervisor tells what it did itself.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// What the plain VM's payload printed.
    pub plain: &'a str,
    /// What the Realm's payload printed.
    pub realm: &'a str,
    /// The verdict of the Realm's run.
    pub books: &'a Value,
}

/// Each vCPU on a CPU of its own.
pub fn apart(pair: &Pair<'_>) -> Vec<Row> {
    let row = |name, ours| Row::new(name, None, None, ours);
    vec![
        row("plain VM: SGI to another CPU and back", plain(pair)),
        row("SGI to another CPU and back", realm(pair)),
    ]
}

/// Both on one CPU: a round is two switches.
pub fn together(pair: &Pair<'_>) -> Vec<Row> {
    let row = |name, ours: Option<u64>| Row::new(name, None, None, ours.map(|ours| ours / 2));
    vec![
        row(
            "plain VM: SGI, WFI and switch to the other vCPU",
            plain(pair),
        ),
        row("SGI, WFI and switch to the other vCPU", realm(pair)),
    ]
}

/// A round of the plain VM: all that was done, by whomever.
fn plain(pair: &Pair<'_>) -> Option<u64> {
    figure(pair.plain, "round")
}

/// A round of the Realm: what the hypervisor did.
fn realm(pair: &Pair<'_>) -> Option<u64> {
    let all = pair.books.pointer("/bench/between_marks")?.as_u64()?;
    all.checked_div(figure(pair.realm, "rounds")?)
}

#[cfg(test)]
mod tests {
    use super::{Pair, apart, together};
    use serde_json::json;

    #[test]
    fn a_round_is_two_switches_and_a_realms_rounds_are_the_hypervisors_part() {
        let books = json!({"bench": {"between_marks": 1000}});
        let pair = Pair {
            plain: "figure rounds 4\nfigure round 700\n",
            realm: "figure rounds 4\nfigure round 9000\n",
            books: &books,
        };
        let ours = |rows: Vec<super::Row>| rows.iter().map(|row| row.ours).collect::<Vec<_>>();
        assert_eq!(ours(apart(&pair)), [Some(700), Some(250)]);
        assert_eq!(ours(together(&pair)), [Some(350), Some(125)]);
        let pair = Pair { realm: "", ..pair };
        assert_eq!(ours(apart(&pair)), [Some(700), None]);
    }
}
