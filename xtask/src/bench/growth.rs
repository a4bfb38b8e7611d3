//! How start-up and memory grow with Realms and CPUs.

use super::Row;
use serde_json::Value;

/// What there was when the last of some Realms was about to be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Realms.
    pub realms: u64,
    /// CPUs of the machine.
    pub cpus: u64,
    /// Instructions since the hypervisor's entry, of all CPUs and all levels.
    pub ticks: u64,
    /// Bytes of EL2: its image, and its books of all VMs.
    pub memory: u64,
    /// Bytes in use, what VMs have at their start included.
    pub all: u64,
}

impl Start {
    /// The figures of a run of a hypervisor that takes `image` bytes; none if not all
    /// Realms were entered.
    pub fn of(run: &Value, image: u64, realms: u64, cpus: u64) -> Option<Self> {
        let bench = |key: &str| run.pointer(&format!("/bench/{key}"))?.as_u64();
        (bench("starts")? == realms).then_some(Self {
            realms,
            cpus,
            ticks: bench("entry_to_last_start")?,
            memory: bench("el2_memory")?,
            all: image + bench("ram_at_last_start")?,
        })
    }
}

/// With more and more Realms on one CPU. What one more costs may grow by a tenth
/// from the first few to the last many.
pub fn with_realms(starts: &[Start]) -> Vec<Row> {
    let mut rows = Vec::new();
    for start in starts {
        let name = |what: &str| format!("{}: {what}", counted(start.realms, "Realm"));
        rows.push(row(name("entry to the last's start"), start.ticks));
        rows.push(row(name("EL2 memory"), start.memory));
        rows.push(row(name("all memory in use"), start.all));
    }
    if let [first, few, many] = starts {
        let each = |what: &str, of: fn(&Start) -> u64| {
            let cost = |from: &Start, to: &Start| {
                of(to).saturating_sub(of(from)) / (to.realms - from.realms)
            };
            let (few_cost, many_cost) = (cost(first, few), cost(few, many));
            let (from, to) = (few.realms, many.realms);
            let name = format!("one Realm more, {from} to {to}: {what}");
            Row::new(name, None, Some(few_cost + few_cost / 10), Some(many_cost))
        };
        rows.push(each("instructions", |start| start.ticks));
        rows.push(each("EL2 memory", |start| start.memory));
        rows.push(each("all memory in use", |start| start.all));
    }
    rows
}

/// With one Realm on more and more CPUs.
pub fn with_cpus(starts: &[Start]) -> Vec<Row> {
    let rows = starts.iter().flat_map(|start| {
        let name = |what: &str| format!("{}: {what}", counted(start.cpus, "CPU"));
        [
            row(name("entry to a Realm's start"), start.ticks),
            row(name("EL2 memory"), start.memory),
        ]
    });
    rows.collect()
}

fn row(name: String, ours: u64) -> Row {
    Row::new(name, None, None, Some(ours))
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Start, with_realms};
    use serde_json::json;

    fn start(realms: u64, ticks: u64) -> Start {
        Start {
            realms,
            cpus: 1,
            ticks,
            memory: 1 << 20,
            all: realms * 4096,
        }
    }

    #[test]
    fn a_cost_that_grows_with_the_number_of_realms_misses_its_bar() {
        let flat = with_realms(&[start(1, 100), start(8, 800), start(64, 6400)]);
        assert!(flat.iter().all(super::Row::is_met), "{flat:?}");
        let grows = with_realms(&[start(1, 100), start(8, 800), start(64, 7100)]);
        let missed = grows.iter().filter(|row| !row.is_met());
        let names: Vec<_> = missed.map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["one Realm more, 8 to 64: instructions"]);
    }

    #[test]
    fn a_run_in_which_not_all_came_up_has_no_figures() {
        let run = json!({"bench": {
            "starts": 2,
            "entry_to_last_start": 5,
            "el2_memory": 0x2000,
            "ram_at_last_start": 0x9000,
        }});
        let start = Start::of(&run, 0x1000, 2, 1).unwrap();
        assert_eq!((start.memory, start.all), (0x2000, 0xa000));
        assert_eq!(Start::of(&run, 0x1000, 3, 1), None);
    }
}
