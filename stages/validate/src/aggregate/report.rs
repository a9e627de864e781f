//! The page for people: verdicts, measured against simulated TPOT, and what was skipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sbt_schemas::{PointRow, PointUse, VerdictRow};

/// Side of the plot and its margin, pixels.
const SIDE: f64 = 480.0;
const MARGIN: f64 = 56.0;
/// Marks of the axes, milliseconds.
const MARKS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}\
.pass{color:#176b2c}.fail{color:#b3261e}.inconclusive{color:#7a5a00}svg text{font:11px system-ui,sans-serif}";

/// The whole page.
pub(crate) fn page(pipeline: &str, verdicts: &[VerdictRow], points: &[PointRow]) -> String {
    let title = escaped(pipeline);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style><h1>{title}</h1><p>Time per output token: simulated against measured \
         means of concurrency sweeps. TTFT of a closed loop depends on lengths and starts that sweeps \
         do not say, and is not judged.</p><table><tr><th>verdict<th>check<th>evidence"
    );
    for row in verdicts {
        let (verdict, check) = (row.verdict.word(), escaped(&row.check));
        let evidence = escaped(&row.evidence);
        push(
            &mut page,
            format_args!("<tr><td class=\"{verdict}\">{verdict}<td>{check}<td>{evidence}"),
        );
    }
    page.push_str("</table><h2>TPOT, measured and simulated</h2>");
    page.push_str(&scatter(points));
    page.push_str(&skipped(points));
    page
}

/// Both sides on logarithmic axes; the diagonal means equal.
fn scatter(points: &[PointRow]) -> String {
    let pairs = points.iter().filter_map(|point| {
        let pair = point.measured_tpot_s.zip(point.simulated_tpot_s)?;
        Some((point, pair.0 * 1e3, pair.1 * 1e3))
    });
    let pairs: Vec<(&PointRow, f64, f64)> = pairs.collect();
    let both = || pairs.iter().flat_map(|pair| [pair.1, pair.2]);
    let low = both().fold(f64::INFINITY, f64::min) / 1.1;
    let high = both().fold(0.0, f64::max) * 1.1;
    if pairs.is_empty() || low >= high || low <= 0.0 {
        return "<p>No point was simulated.</p>".to_owned();
    }
    let place = |ms: f64| MARGIN + (ms / low).ln() / (high / low).ln() * (SIDE - 2.0 * MARGIN);
    let (start, end) = (MARGIN, SIDE - MARGIN);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {SIDE} {SIDE}\" width=\"{SIDE}\" role=\"img\" aria-label=\"simulated over \
         measured TPOT\"><path d=\"M{start} {start}V{end}H{end}M{start} {end}L{end} {start}\" \
         fill=\"none\" stroke=\"#888\"/><text x=\"{end}\" y=\"{}\" text-anchor=\"end\">measured, \
         ms</text><text x=\"8\" y=\"{}\">simulated, ms</text>",
        SIDE - 18.0,
        MARGIN - 18.0,
    );
    for mark in MARKS.into_iter().filter(|mark| (low..high).contains(mark)) {
        let (x, y) = (place(mark), SIDE - place(mark));
        push(
            &mut svg,
            format_args!(
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text><text x=\"{}\" y=\"{y:.1}\" text-anchor=\"end\">{mark}</text>",
                end + 14.0,
                start - 6.0,
            ),
        );
    }
    for (point, measured, simulated) in pairs {
        let fill = match point.used {
            PointUse::HeldOut => "#1f5fbf",
            PointUse::Fitted | PointUse::Skipped => "none",
        };
        push(
            &mut svg,
            format_args!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{fill}\" fill-opacity=\".6\" \
             stroke=\"#1f5fbf\"><title>{}: measured {measured:.1} ms, simulated {simulated:.1} ms</title></circle>",
                place(measured),
                SIDE - place(simulated),
                escaped(&point.id),
            ),
        );
    }
    svg + "</svg><p>Filled: points that were not fitted. Empty: points that were.</p>"
}

fn skipped(points: &[PointRow]) -> String {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for point in points {
        if let Some(reason) = &point.reason {
            reasons.entry(reason).or_default().push(&point.id);
        }
    }
    if reasons.is_empty() {
        return "<h2>Skipped</h2><p>Nothing.</p>".to_owned();
    }
    let mut table = "<h2>Skipped</h2><table><tr><th>points<th>reason<th>which".to_owned();
    for (reason, ids) in reasons {
        let (n, reason, ids) = (ids.len(), escaped(reason), escaped(&ids.join(", ")));
        push(&mut table, format_args!("<tr><td>{n}<td>{reason}<td>{ids}"));
    }
    table + "</table>"
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
