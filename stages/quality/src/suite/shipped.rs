//! The suites that come with the program: short, easy, written for it, so that a gate works
//! without a network, and so that a small model gets some of them right.

use super::{Family, Item};

/// The items of a family.
pub(super) fn items(family: Family) -> Vec<Item> {
    super::import::own(text(family)).expect("a test reads every embedded suite")
}

pub(super) fn text(family: Family) -> &'static str {
    match family {
        Family::Qa => include_str!("../../data/suites/qa.jsonl"),
        Family::Structured => include_str!("../../data/suites/structured.jsonl"),
        Family::Code => include_str!("../../data/suites/code.jsonl"),
        Family::Summary => include_str!("../../data/suites/summary.jsonl"),
        Family::Instruction => include_str!("../../data/suites/instruction.jsonl"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_suite_reads_and_keeps_to_its_family() {
        for family in Family::ALL {
            let items = items(family);
            let asked = items.iter().filter(|item| !item.is_example()).count();
            assert!(asked >= 12, "{family}: {asked}");
            assert!(items.iter().all(|item| item.family == family));
            let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
            assert_eq!(ids.len(), items.len(), "{family}");
        }
    }
}
