//! What a run promises, on stages that are a few lines of test.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::{Value, json};

use crate::*;

type Body = dyn Fn(&StageContext) -> Result<(), StageError> + Send + Sync;
struct Fake(Arc<Body>, Value);
struct Kind;
impl StageKind for Kind {
    fn name(&self) -> &'static str {
        "fake"
    }
    fn about(&self) -> &'static str {
        ""
    }
    fn revision(&self) -> u32 {
        1
    }
    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(String)
    }
    fn example(&self) -> &'static str {
        ""
    }
    fn plan(&self, _: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        Err(vec![])
    }
}
impl Stage for Fake {
    fn inputs(&self) -> Vec<Input> {
        vec![]
    }
    fn outputs(&self) -> Vec<Output> {
        vec![Output {
            name: "t".into(),
            kind: OutputKind::AnyTable,
        }]
    }
    fn key_params(&self) -> Value {
        self.1.clone()
    }
    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        (self.0)(ctx)
    }
}
#[derive(Default)]
struct Keep(Mutex<Vec<Event>>);
impl EventSink for Keep {
    fn event(&self, e: &Event) {
        self.0.lock().unwrap().push(e.clone());
    }
}

fn stage(id: &str, params: Value, reads: &[usize], body: Arc<Body>) -> PlannedStage {
    let mut inputs = BTreeMap::new();
    if !reads.is_empty() {
        inputs.insert(
            "in".to_owned(),
            reads
                .iter()
                .map(|&stage| Wire {
                    stage,
                    output: "t".into(),
                })
                .collect(),
        );
    }
    PlannedStage {
        id: id.into(),
        name: id.split('[').next().unwrap().into(),
        kind: &Kind,
        axes: BTreeMap::new(),
        with: json!({}),
        stage: Box::new(Fake(body, params)),
        inputs,
        files: BTreeMap::new(),
        env: BTreeMap::new(),
        pass_env: BTreeMap::new(),
        timeout: None,
        retries: 0,
        cache: CachePolicy::Use,
        enabled: true,
    }
}
fn plan(stages: Vec<PlannedStage>) -> Arc<Plan> {
    Arc::new(Plan {
        name: "p".into(),
        description: String::new(),
        path: "p.toml".into(),
        stages,
    })
}
fn table(columns: &[(&str, &str)]) -> Table {
    let columns = columns
        .iter()
        .map(|(n, v)| (*n, Arc::new(StringArray::from(vec![*v])) as ArrayRef));
    Table {
        batch: RecordBatch::try_from_iter(columns).unwrap(),
        name: None,
        version: None,
    }
}
fn writes(columns: &'static [(&'static str, &'static str)]) -> Arc<Body> {
    Arc::new(move |ctx| {
        ctx.write("t", Written::Table(table(columns)));
        Ok(())
    })
}
fn go(
    plan: &Arc<Plan>,
    dir: &Path,
    refresh: &[usize],
) -> (Result<RunReport, RunError>, Vec<Event>) {
    let keep = Arc::new(Keep::default());
    let options = RunOptions {
        store: dir.join("s"),
        jobs: 2,
        selected: None,
        refresh: refresh.iter().copied().collect(),
    };
    let r = run(plan, &options, keep.clone(), &Cancel::default());
    let events = keep.0.lock().unwrap().clone();
    (r, events)
}
fn flip(path: &Path) {
    let mut b = fs::read(path).unwrap();
    let i = b.len() / 2;
    b[i] ^= 1;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, b).unwrap();
}

#[test]
fn put_over_a_corrupt_object_mends_it() {
    let d = tempfile::tempdir().unwrap();
    let store = Store::open(&d.path().join("s")).unwrap();
    let digest = store.put(b"some bytes that matter").unwrap();
    flip(&store.object_path(&digest));
    let again = store.put(b"some bytes that matter").unwrap();
    assert_eq!(store.get(&again), Ok(b"some bytes that matter".to_vec()));
}

#[test]
fn run_over_a_corrupt_object_recovers() {
    let d = tempfile::tempdir().unwrap();
    let first = plan(vec![stage("a", json!(1), &[], writes(&[("x", "1")]))]);
    let (r, _) = go(&first, d.path(), &[]);
    let digest = r.unwrap().stages[0].manifest().unwrap().outputs["t"].digest();
    let store = Store::open(&d.path().join("s")).unwrap();
    flip(&store.object_path(&digest));
    // other params, same bytes, and a reader
    let second = plan(vec![
        stage("a", json!(2), &[], writes(&[("x", "1")])),
        stage("b", json!(1), &[0], writes(&[("y", "1")])),
    ]);
    let (r, _) = go(&second, d.path(), &[]);
    assert_eq!(r.unwrap().outcome(), "ok");
}

#[test]
fn two_stores_of_one_process_use_different_temporaries() {
    let d = tempfile::tempdir().unwrap();
    let a = Store::open(d.path()).unwrap();
    let b = Store::open(d.path()).unwrap();
    assert_ne!(a.temporary("x"), b.temporary("x"));
}

#[test]
fn two_runs_of_one_process_both_succeed() {
    let d = tempfile::tempdir().unwrap();
    let make = |n: i64| {
        plan(vec![stage(
            "a",
            json!(n),
            &[],
            Arc::new(|ctx: &StageContext| {
                fs::write(ctx.scratch.join("f"), "x").unwrap();
                std::thread::sleep(Duration::from_millis(200));
                if !ctx.scratch.join("f").exists() {
                    return Err(StageError::user("scratch vanished"));
                }
                std::thread::sleep(Duration::from_millis(100));
                ctx.write("t", Written::Table(table(&[("x", "1")])));
                Ok(())
            }),
        )])
    };
    std::thread::scope(|s| {
        let p = d.path();
        let h: Vec<_> = (0..2)
            .map(|n| {
                let m = make(n);
                s.spawn(move || {
                    std::thread::sleep(Duration::from_millis(n as u64 * 150));
                    go(&m, p, &[]).0
                })
            })
            .collect();
        for h in h {
            let r = h.join().unwrap().unwrap();
            assert_eq!(r.outcome(), "ok", "{:?}", r.stages);
        }
    });
}

#[test]
fn columns_of_another_order_are_not_mixed_up() {
    let d = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let p = plan(vec![
        stage("a", json!(1), &[], writes(&[("x", "x1"), ("y", "y1")])),
        stage("b", json!(2), &[], writes(&[("y", "y2"), ("x", "x2")])),
        stage(
            "c",
            json!(3),
            &[0, 1],
            Arc::new(move |ctx: &StageContext| {
                *keep.lock().unwrap() = Some(ctx.tables["in"].clone());
                ctx.write("t", Written::Table(table(&[("z", "1")])));
                Ok(())
            }),
        ),
    ]);
    let (r, _) = go(&p, d.path(), &[]);
    let r = r.unwrap();
    if r.outcome() != "ok" {
        return;
    } // refusing would be right too
    let t = seen.lock().unwrap().clone().unwrap();
    let x = t
        .batch
        .column_by_name("x")
        .unwrap()
        .as_any()
        .downcast_ref::<StringArray>()
        .unwrap()
        .clone();
    assert_eq!((x.value(0), x.value(1)), ("x1", "x2"));
}

#[test]
fn panicking_stage_stops_only_its_readers() {
    let d = tempfile::tempdir().unwrap();
    let p = plan(vec![
        stage(
            "a",
            json!(1),
            &[],
            Arc::new(|_: &StageContext| panic!("boom")),
        ),
        stage(
            "b",
            json!(2),
            &[],
            Arc::new(|ctx: &StageContext| {
                std::thread::sleep(Duration::from_millis(300));
                ctx.write("t", Written::Table(table(&[("z", "1")])));
                Ok(())
            }),
        ),
    ]);
    let (r, e) = go(&p, d.path(), &[]);
    let r = r.unwrap_or_else(|error| {
        panic!(
            "whole run broke off: {error}; RunDone: {}",
            e.iter().any(|e| matches!(e, Event::RunDone { .. }))
        )
    });
    assert_eq!(r.outcome(), "failed");
}

#[test]
fn failed_stage_is_tried_as_often_as_asked() {
    let d = tempfile::tempdir().unwrap();
    let count = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&count);
    let body: Arc<Body> = Arc::new(move |_| {
        *seen.lock().unwrap() += 1;
        Err(StageError::user("no luck"))
    });
    let mut a = stage("a", json!(1), &[], body);
    a.retries = 1;
    let (r, _) = go(&plan(vec![a]), d.path(), &[]);
    assert_eq!(
        (r.unwrap().outcome(), *count.lock().unwrap()),
        ("failed", 2)
    );
}

#[test]
fn cancel_ends_the_wait_between_attempts() {
    let d = tempfile::tempdir().unwrap();
    let mut s = stage(
        "a",
        json!(1),
        &[],
        Arc::new(|_: &StageContext| {
            Err(StageError::Io {
                what: "port".into(),
                source: std::io::Error::other("busy"),
            })
        }),
    );
    s.retries = 3;
    let cancel = Cancel::default();
    let c = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        c.cancel();
    });
    let options = RunOptions {
        store: d.path().join("s"),
        jobs: 1,
        selected: None,
        refresh: Default::default(),
    };
    let keep = Arc::new(Keep::default());
    let r = run(&plan(vec![s]), &options, keep.clone(), &cancel).unwrap();
    let attempts = keep
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|e| matches!(e, Event::StageFailed { .. }))
        .count();
    assert!(
        attempts == 1 && r.outcome() == "interrupted",
        "attempts {attempts}, {}, took {:.1}s",
        r.outcome(),
        r.took_s
    );
}

#[test]
fn size_limit_keeps_the_roots() {
    let d = tempfile::tempdir().unwrap();
    let (r, _) = go(
        &plan(vec![stage("a", json!(1), &[], writes(&[("x", "1")]))]),
        d.path(),
        &[],
    );
    let key = r.unwrap().stages[0].key.unwrap();
    let store = Store::open(&d.path().join("s")).unwrap();
    store
        .collect(&[key].into_iter().collect(), Duration::ZERO, Some(0))
        .unwrap();
    assert!(store.manifest(&key).is_ok(), "root collected");
}

#[test]
fn memo_sees_what_another_process_appended() {
    let d = tempfile::tempdir().unwrap();
    let (a, b) = (Memo::open(d.path()), Memo::open(d.path()));
    let key = Digest::of(b"k");
    assert_eq!(a.get(&key).unwrap(), None);
    b.put(key, &json!(1), Durability::Process).unwrap();
    assert_eq!(a.get(&key).unwrap(), Some(json!(1)));
}

#[test]
fn damaged_run_log_is_set_aside_and_made_again() {
    let d = tempfile::tempdir().unwrap();
    let p = plan(vec![stage("a", json!(1), &[], writes(&[("x", "1")]))]);
    for _ in 0..3 {
        go(&p, d.path(), &[]).0.unwrap();
    }
    let db = d.path().join("s/runs.sqlite");
    // damage a page in the middle, header whole
    let mut b = fs::read(&db).unwrap();
    let len = b.len();
    for x in &mut b[4096..len] {
        *x = 0xff;
    }
    fs::write(&db, b).unwrap();
    let (r, e) = go(&p, d.path(), &[]);
    assert_eq!(r.unwrap().outcome(), "ok");
    let store = Store::open(&d.path().join("s")).unwrap();
    let log = RunLog::open(&store, &Keep::default());
    assert!(
        e.iter().any(|e| matches!(e, Event::Warning { .. })),
        "no warning; runs listed: {}",
        log.runs().len()
    );
}

#[test]
fn one_instance_keeps_its_axis_column() {
    let d = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let mut a = stage("a[s=x]", json!(1), &[], writes(&[("x", "1")]));
    a.axes.insert("s".into(), json!("x"));
    let p = plan(vec![
        a,
        stage(
            "c",
            json!(3),
            &[0],
            Arc::new(move |ctx: &StageContext| {
                *keep.lock().unwrap() = Some(ctx.tables["in"].clone());
                ctx.write("t", Written::Table(table(&[("z", "1")])));
                Ok(())
            }),
        ),
    ]);
    go(&p, d.path(), &[]).0.unwrap();
    let t = seen.lock().unwrap().clone().unwrap();
    assert!(t.batch.column_by_name("s").is_some());
}

#[test]
fn torn_tails_at_every_cut_give_only_whole_records() {
    let d = tempfile::tempdir().unwrap();
    let m = Memo::open(&d.path().join("m"));
    let keys: Vec<Digest> = (0u32..400)
        .map(|i| Digest::of(&i.to_le_bytes()))
        .filter(|k| k.to_string().starts_with("0"))
        .collect();
    for (i, k) in keys.iter().enumerate() {
        m.put(*k, &json!({"i": i}), Durability::Process).unwrap();
    }
    for f in fs::read_dir(d.path().join("m")).unwrap() {
        let f = f.unwrap().path();
        let bytes = fs::read(&f).unwrap();
        for cut in 0..=bytes.len() {
            let c = tempfile::tempdir().unwrap();
            fs::write(c.path().join(f.file_name().unwrap()), &bytes[..cut]).unwrap();
            let r = Memo::open(c.path());
            for (i, k) in keys.iter().enumerate() {
                if let Some(v) = r.get(k).unwrap() {
                    assert_eq!(v, json!({"i": i}));
                }
            }
            if let Some(k) = keys
                .iter()
                .find(|k| f.file_stem().unwrap() == &k.to_string()[..2])
            {
                r.put(
                    *k,
                    &json!({"i": keys.iter().position(|x| x == k).unwrap()}),
                    Durability::Process,
                )
                .unwrap();
                assert!(Memo::open(c.path()).get(k).unwrap().is_some(), "cut {cut}");
            }
        }
    }
}

#[test]
fn file_that_vanishes_fails_its_stage_only() {
    let d = tempfile::tempdir().unwrap();
    let mut a = stage("a", json!(1), &[], writes(&[("x", "1")]));
    a.files.insert("f".into(), d.path().join("gone"));
    let p = plan(vec![a, stage("b", json!(2), &[], writes(&[("y", "1")]))]);
    let (r, _) = go(&p, d.path(), &[]);
    assert!(r.is_ok(), "{}", r.err().unwrap());
}
