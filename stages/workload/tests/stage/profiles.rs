use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sbt_engine::{StageKind, Table};
use sbt_schemas::WorkloadRow;
use sbt_workload::WorkloadKind;

use crate::harness::{profile, rows, run};

const NAMES: [&str; 3] = ["short_qa", "long_gen", "agent_like"];

fn first_rows(name: &str) -> Vec<String> {
    let rows = rows(&profile(name, "requests = 40\ndraws = 1\nseed = 42"));
    let text = |r: &WorkloadRow| {
        let start = r.arrival_s.or(r.think_s).unwrap();
        format!(
            "{}.{} {start} {}+{}",
            r.session, r.turn, r.prompt_tokens, r.output_tokens
        )
    };
    rows.iter().take(4).map(text).collect()
}

#[test]
fn golden_first_rows_of_each_profile_do_not_change() {
    let found = NAMES.map(first_rows);
    // session.turn, start or pause in seconds, tokens of prompt + answer
    let expected = [
        [
            "0.0 0.011981 18+110",
            "1.0 0.021899 285+99",
            "2.0 0.024153 40+46",
            "3.0 0.081633 58+76",
        ],
        [
            "0.0 0.064126 954+800",
            "1.0 0.108025 552+724",
            "2.0 0.12106 645+334",
            "3.0 0.345302 558+553",
        ],
        [
            "0.0 0.002373 320+307",
            "0.1 0.405008 807+293",
            "0.2 0.512343 1280+181",
            "0.3 0.265575 1641+254",
        ],
    ];
    assert_eq!(found, expected);
}

#[test]
fn each_profile_comes_at_its_rate_of_requests() {
    for (name, rps) in NAMES.into_iter().zip([12.0, 3.5, 5.5]) {
        let rows = rows(&profile(name, "requests = 8000\ndraws = 1\nseed = 1"));
        let last = rows.iter().filter_map(|r| r.arrival_s).fold(0.0, f64::max);
        let found = rows.len() as f64 / last;
        assert!((found / rps - 1.0).abs() < 0.06, "{name}: {found} rps");
    }
}

#[test]
fn agent_sessions_grow_by_question_and_answer() {
    let rows = rows(&profile("agent_like", "requests = 60\ndraws = 1\nseed = 5"));
    for pair in rows.windows(2).filter(|pair| pair[1].turn > 0) {
        let before = pair[0].prompt_tokens + pair[0].output_tokens;
        assert_eq!(pair[1].prompt_tokens, before + 180);
        let kept = (before / 16) as usize;
        assert_eq!(
            pair[1].prefix_block_ids[..kept],
            pair[0].prefix_block_ids[..kept]
        );
        let think_s = pair[1].think_s.unwrap();
        assert!((0.2..=1.2).contains(&think_s));
    }
}

#[test]
fn changing_one_distribution_leaves_the_others_alone() {
    let base = profile("agent_like", "requests = 60\ndraws = 2\nseed = 5");
    let other = base.replace("mean = 260.0", "mean = 100.0");
    assert_ne!(base, other);
    let (base, other) = (rows(&base), rows(&other));
    let times = |rows: &[WorkloadRow]| -> Vec<_> {
        rows.iter()
            .map(|r| (r.session, r.turn, r.arrival_s, r.think_s))
            .collect()
    };
    assert_eq!(times(&base), times(&other));
    assert_ne!(base[0].output_tokens, other[0].output_tokens);
}

#[test]
fn earlier_draws_do_not_depend_on_how_many_there_are() {
    let one = rows(&profile("agent_like", "requests = 50\ndraws = 1\nseed = 5"));
    let three = rows(&profile("agent_like", "requests = 50\ndraws = 3\nseed = 5"));
    assert_eq!(one[..], three[..50]);
    assert_ne!(three[0].arrival_s, three[50].arrival_s);
    let ids = |draw: u64| -> BTreeSet<u64> {
        let of_draw = three.iter().filter(|r| r.draw == draw);
        of_draw.flat_map(|r| r.prefix_block_ids.clone()).collect()
    };
    assert!(ids(0).is_disjoint(&ids(1)));
}

#[test]
fn same_parameters_give_the_same_bytes() {
    let bytes = || {
        let rows = rows(&profile("agent_like", "requests = 50\ndraws = 2\nseed = 5"));
        Table::from_rows(&rows).unwrap().to_parquet().unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn scaled_rate_divides_the_arrivals() {
    let plain = rows(&profile("short_qa", "requests = 20\ndraws = 1"));
    let scaled = rows(&profile(
        "short_qa",
        "requests = 20\ndraws = 1\ntarget_rps = 24.0",
    ));
    for (plain, scaled) in plain.iter().zip(&scaled) {
        let (plain, scaled) = (plain.arrival_s.unwrap(), scaled.arrival_s.unwrap());
        assert!((plain / 2.0 - scaled).abs() < 2e-6, "{plain} {scaled}");
    }
}

#[test]
fn closed_loop_chains_conversations_into_one_session_a_user() {
    let with =
        "requests = 60\ndraws = 1\narrival = { kind = \"closed_loop\", users = 4, pause_s = 9.0 }";
    let ran = run(&profile("agent_like", with)).unwrap();
    assert!(
        ran.warnings[0].starts_with("closed loop of 4 users"),
        "{:?}",
        ran.warnings
    );
    let rows = ran.rows;
    assert_eq!(rows.len(), 60);
    let starts: Vec<f64> = rows.iter().filter_map(|r| r.arrival_s).collect();
    assert_eq!(starts, [0.0, 0.5, 1.0, 1.5]);
    let restarts = rows.iter().filter(|r| r.think_s == Some(9.0));
    let mut conversations = 4;
    for row in restarts {
        assert_eq!(
            row.prompt_tokens, 320,
            "each conversation starts with an empty context"
        );
        conversations += 1;
    }
    assert!(conversations > 10);
}

#[test]
fn example_plans_and_runs() {
    let rows = rows(WorkloadKind.example());
    assert_eq!(rows.len(), 2400);
}

fn any_profile() -> impl Strategy<Value = String> {
    let context = prop_oneof![
        Just("\"accumulate\"".to_owned()),
        Just("\"none\"".to_owned()),
        (300_u64..900).prop_map(|tokens| format!("{{ window = {tokens} }}")),
    ];
    (1_u64..80, 1_u64..4, 1_u64..6, 0_u64..200, 1_u64..4, context).prop_map(
        |(requests, draws, turns, prefix, groups, context)| {
            format!(
                "requests = {requests}\ndraws = {draws}\n[profile]\ncategory = \"x\"\n\
                 arrival = {{ kind = \"poisson\", rps = 3.0 }}\n\
                 prompt_tokens = {{ kind = \"uniform\", min = 1, max = 200 }}\n\
                 output_tokens = {{ kind = \"uniform\", min = 1, max = 100 }}\n\
                 sessions.turns = {{ kind = \"uniform\", min = 1, max = {turns} }}\n\
                 sessions.context = {context}\n\
                 shared_prefix = {{ tokens = {prefix}, groups = {groups} }}\n"
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_profile_gives_the_rows_asked_for_in_order(with in any_profile()) {
        let rows = rows(&with);
        let parsed: toml::Table = with.parse().unwrap();
        let number = |key: &str| parsed[key].as_integer().unwrap() as u64;
        let expected: Vec<(u64, u64)> = (0..number("draws"))
            .flat_map(|draw| (0..number("requests")).map(move |id| (draw, id)))
            .collect();
        let found: Vec<(u64, u64)> = rows.iter().map(|r| (r.draw, r.request_id)).collect();
        prop_assert_eq!(found, expected);
        for pair in rows.windows(2).filter(|pair| pair[0].draw == pair[1].draw) {
            let next_turn = (pair[0].session, pair[0].turn + 1);
            let next_session = (pair[0].session + 1, 0);
            let found = (pair[1].session, pair[1].turn);
            prop_assert!(found == next_turn || found == next_session);
        }
        for row in &rows {
            prop_assert_eq!(row.arrival_s.is_some(), row.turn == 0);
            prop_assert_eq!(row.think_s.is_some(), row.turn > 0);
            let full_blocks = (row.prompt_tokens + row.output_tokens) / 16;
            prop_assert_eq!(row.prefix_block_ids.len() as u64, full_blocks);
        }
    }

    #[test]
    fn equal_block_ids_stand_at_equal_places_after_equal_blocks(with in any_profile()) {
        let mut before: BTreeMap<u64, (usize, Option<u64>)> = BTreeMap::new();
        for row in rows(&with) {
            let mut last = None;
            for (place, &id) in row.prefix_block_ids.iter().enumerate() {
                let known = before.entry(id).or_insert((place, last));
                prop_assert_eq!(*known, (place, last));
                last = Some(id);
            }
        }
    }
}
