use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use sbt_engine::{RunLog, Store, parse_duration};
use serde_json::json;

use crate::arguments::{CacheAction, CacheArgs};
use crate::commands::stored::{open_log, open_store};
use crate::failure::{Exit, Failure};
use crate::terminal::grid::grid;
use crate::terminal::number::bytes;

pub(crate) fn cache(arguments: &CacheArgs, store: &Path) -> Result<(), Failure> {
    let store = open_store(store)?;
    match &arguments.action {
        CacheAction::Ls(ls) => list(&store, ls.json),
        CacheAction::Verify { fix } => verify(&store, *fix),
        CacheAction::Gc { keep, max_size } => collect(&store, keep, max_size.as_deref()),
    }
}

fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let entries = store.entries();
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{:#}", json!(entries))?;
        return Ok(());
    }
    let rows = entries.iter().map(|entry| {
        vec![
            entry.key.short(),
            entry.pipeline.clone(),
            entry.stage.clone(),
            bytes(entry.bytes),
            age(entry.age_s),
        ]
    });
    writeln!(
        out,
        "{}",
        grid(&["key", "pipeline", "stage", "size", "age"], rows.collect())
    )?;
    Ok(())
}

fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn verify(store: &Store, fix: bool) -> Result<(), Failure> {
    let verified = store.verify(fix)?;
    let mut out = io::stdout().lock();
    for path in &verified.damaged {
        writeln!(out, "damaged: {}", path.display())?;
    }
    let done = if fix { ", set aside" } else { "" };
    writeln!(
        out,
        "{} files checked, {} damaged{done}",
        verified.checked,
        verified.damaged.len()
    )?;
    if verified.damaged.is_empty() || fix {
        return Ok(());
    }
    Err(
        Failure::new(Exit::StageFailed, "the store holds damaged files")
            .hint("`sbt cache verify --fix` sets them aside; the next run makes them again"),
    )
}

fn collect(store: &Store, keep: &str, max_size: Option<&str>) -> Result<(), Failure> {
    let keep: Duration = parse_duration(keep).map_err(Failure::usage)?;
    let max_size = max_size.map(parse_size).transpose()?;
    let roots = roots(&open_log(store));
    let collected = store.collect(&roots, keep, max_size)?;
    writeln!(
        io::stdout(),
        "removed {} results and {} objects, {}; {} remain",
        collected.manifests,
        collected.objects,
        bytes(collected.bytes),
        bytes(collected.remaining)
    )?;
    Ok(())
}

/// The results of the newest run of each pipeline.
fn roots(log: &RunLog) -> BTreeSet<sbt_engine::Digest> {
    let mut seen = BTreeSet::new();
    let mut roots = BTreeSet::new();
    for run in log.runs().into_iter().rev() {
        if seen.insert(run.pipeline.clone()) {
            let keys = log
                .stages(&run.run)
                .into_iter()
                .filter_map(|stage| stage.key);
            roots.extend(keys.filter_map(|key| key.parse::<sbt_engine::Digest>().ok()));
        }
    }
    roots
}

/// Bytes of a text such as `10GB`.
fn parse_size(text: &str) -> Result<u64, Failure> {
    const UNITS: [(&str, f64); 4] = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0)];
    let upper = text.trim().to_uppercase();
    UNITS
        .iter()
        .find_map(|(unit, factor)| {
            let number: f64 = upper.strip_suffix(unit)?.trim().parse().ok()?;
            (number >= 0.0).then_some((number * factor) as u64)
        })
        .ok_or_else(|| Failure::usage(format!("`{text}` is no size; write it as 500MB or 10GB")))
}
