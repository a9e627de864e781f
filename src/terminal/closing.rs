//! The last lines of a run: the answer to the user's question.

use std::fmt::Write;

use sbt_schemas::{Effect, FidelitySummary, Summary, Verdict};

use crate::terminal::measurement;
use crate::terminal::number::{percent, short};
use crate::terminal::style::Paint;

/// What was decided, or measured, as text.
pub(crate) fn closing(summary: &Summary, paint: Paint) -> String {
    let mut out = format!(
        "\n{} ({}: {})\n",
        paint.bold(&summary.pipeline),
        paint.yellow(&summary.provenance.to_string()),
        summary.backend
    );
    for (i, fidelity) in summary.fidelity.iter().enumerate() {
        let label = if i == 0 { "errors" } else { "" };
        line(&mut out, label, &fidelity_text(fidelity));
    }
    if summary.measurements.is_empty() && summary.fidelity.is_empty() {
        decision(&mut out, summary, paint);
    }
    let alone = summary.measurements.len() == 1;
    for measurement in &summary.measurements {
        for (label, text) in measurement::lines(measurement, alone, paint) {
            line(&mut out, label, &text);
        }
    }
    for (i, text) in gates(summary, paint).iter().enumerate() {
        line(&mut out, if i == 0 { "gates" } else { "" }, text);
    }
    out
}

/// Errors of the means, and how single requests fare.
fn fidelity_text(fidelity: &FidelitySummary) -> String {
    let known = |value: Option<f64>| value.map_or("unknown".to_owned(), percent);
    let [ttft, tpot, e2e] = fidelity.mean_errors.map(known);
    let mut text = format!(
        "{:<10}  TTFT {ttft}, TPOT {tpot}, E2E {e2e} of the means of {} requests",
        fidelity.source, fidelity.n
    );
    if let Some(mape) = fidelity.e2e_mape {
        let _ = write!(text, "; one request's E2E {:.1} %", mape * 100.0);
    }
    if let Some(share) = fidelity.ttft_coverage_90 {
        let _ = write!(
            text,
            "; {:.0} % of TTFT within 90 % intervals",
            share * 100.0
        );
    }
    text
}

fn decision(out: &mut String, summary: &Summary, paint: Paint) {
    match &summary.recommended {
        Some(recommended) => {
            line(out, "deploy", &paint.bold(&recommended.command));
            line(out, "why", &recommended.why);
        }
        None => line(
            out,
            "deploy",
            "nothing: no configuration kept every constraint",
        ),
    }
    for (i, effect) in summary.effects.iter().enumerate() {
        let label = if i == 0 { "against baseline" } else { "" };
        line(out, label, &effect_text(effect, paint));
    }
    if let Some(plan) = &summary.plan {
        let known = |value: Option<f64>| value.map_or("unknown".to_owned(), short);
        let text = format!(
            "{} requests/s per replica; {} replicas with spare for {} requests/s, {} USD a month",
            known(plan.max_rps),
            plan.replicas
                .map_or("unknown".to_owned(), |n| n.to_string()),
            short(plan.peak_rps),
            plan.cost_usd_month
                .map_or("unknown".to_owned(), |v| format!("{v:.0}")),
        );
        line(out, "plan", &text);
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    writeln!(out, "  {label:<17} {text}").expect("writing to a string cannot fail");
}

fn effect_text(effect: &Effect, paint: Paint) -> String {
    let interval = match (effect.delta_lo, effect.delta_hi) {
        (Some(lo), Some(hi)) => format!(" [{}, {}]", percent(lo), percent(hi)),
        _ => String::new(),
    };
    let delta = percent(effect.delta);
    let delta = match effect.better {
        Some(true) => paint.green(&delta),
        Some(false) => paint.red(&delta),
        None => delta,
    };
    format!(
        "{:<16} {} -> {}  {delta}{interval}",
        effect.metric,
        short(effect.baseline),
        short(effect.recommended)
    )
}

/// A line per verdict, with the checks that ended so; what failed comes first.
fn gates(summary: &Summary, paint: Paint) -> Vec<String> {
    let order = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass];
    let lines = order.into_iter().filter_map(|verdict| {
        let ended_so = summary.verdicts.iter().filter(|(_, v)| **v == verdict);
        let checks: Vec<&str> = ended_so.map(|(check, _)| check.as_str()).collect();
        let text = format!("{}: {}", verdict_text(verdict, paint), checks.join(", "));
        (!checks.is_empty()).then_some(text)
    });
    lines.collect()
}

fn verdict_text(verdict: Verdict, paint: Paint) -> String {
    match verdict {
        Verdict::Pass => paint.green("pass"),
        Verdict::Fail => paint.red("FAIL"),
        Verdict::Inconclusive => paint.yellow("inconclusive"),
    }
}
