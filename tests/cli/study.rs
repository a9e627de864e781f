//! `study_samplers`: samplers compared on servers whose optimum is known.

use crate::decision::small_decision;

/// A study that ends in seconds: one server, two seeds.
const SMALL: [&str; 10] = [
    "run",
    "pipelines/study_samplers.toml",
    "--set",
    "params.scenarios=[\"slow_memory\"]",
    "--set",
    "params.seeds=[1, 2]",
    "--set",
    "params.samplers=[\"random\", \"transfer\"]",
    "--set",
    "params.budget=6",
];
const SMALLER: [&str; 6] = [
    "--set",
    "params.reference=60",
    "--set",
    "params.simulations=200",
    "--set",
    "params.requests=120",
];

#[test]
fn a_study_says_of_every_sampler_what_it_found_and_whether_it_beat_random() {
    let sandbox = small_decision();
    let run = [&SMALL[..], &SMALLER[..]].concat();
    sandbox.ok(&run);
    let rows = sandbox.table("study_samplers:study.study");
    assert_eq!(rows.len(), 12);
    for row in &rows {
        let share = row["hypervolume"].as_f64().unwrap();
        assert!((0.0..=1.0 + 1e-9).contains(&share), "{row:#}");
        assert_eq!(row["n_seeds"], 2);
        let random = row["sampler"] == "random";
        assert_eq!(row["beats_random"].is_null(), random, "{row:#}");
    }
    let page = sandbox.read("results/study_samplers/study.md");
    assert!(page.contains("| slow_memory | transfer | 2 |"), "{page}");
    let other = small_decision();
    other.ok(&[&run[..], &["-j", "1"]].concat());
    let tables = "results/study_samplers/tables";
    assert_eq!(sandbox.digests(tables), other.digests(tables));
}
