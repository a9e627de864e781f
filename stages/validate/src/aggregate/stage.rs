use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{FileParam, Input, Output, OutputKind, Stage, StageContext, StageError, Written};
use sbt_schemas::{FidelityRow, PointRow, Row, VerdictRow};
use serde_json::{Value, json};

use super::fit::Overheads;
use super::group::{Candidate, Group, fit_all, simulate_all};
use super::params::Params;
use super::point::Point;
use super::reader::{Line, lines};
use super::report::page;
use super::rows;

/// Name of the file among the stage's.
const POINTS: &str = "points";
/// Name of the page's output.
const REPORT: &str = "report";

/// Simulates the points of a file, and fits what they tell something of.
pub(crate) struct AggregateStage {
    pub(crate) params: Params,
}

impl Stage for AggregateStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&FidelityRow::TABLE),
            Output::table(&VerdictRow::TABLE),
            Output::table(&PointRow::TABLE),
            Output {
                name: REPORT.to_owned(),
                kind: OutputKind::Folder,
            },
        ]
    }

    fn key_params(&self) -> Value {
        json!({ "fit": self.params.fit, "limits": self.params.limits })
    }

    fn files(&self) -> Vec<FileParam> {
        if self.params.points.is_empty() {
            return Vec::new();
        }
        vec![FileParam {
            name: POINTS.to_owned(),
            path: self.params.points.clone().into(),
            folder: false,
        }]
    }

    fn identity(&self) -> BTreeMap<String, String> {
        crate::scene::identity()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let lines = read(ctx)?;
        let mut points = named(&lines);
        let mut groups = grouped(ctx, &lines, &mut points)?;
        for group in &mut groups {
            group.choose(self.params.fit);
        }
        fit_all(ctx, &mut groups)?;
        for group in &groups {
            for candidate in &group.candidates {
                rows::simulated(&mut points[candidate.line], group, candidate);
            }
        }
        warn(ctx, &points);
        let fidelity: Vec<FidelityRow> = groups.iter().flat_map(rows::fidelity).collect();
        let limits = &self.params.limits;
        let verdicts: Vec<VerdictRow> = groups.iter().map(|g| rows::verdict(g, limits)).collect();
        let page = page(&ctx.pipeline, &verdicts, &points).into_bytes();
        let files = [("report.html".to_owned(), page)];
        ctx.write(REPORT, Written::Folder(files.into()));
        ctx.write_rows(FidelityRow::TABLE.name, &fidelity)?;
        ctx.write_rows(VerdictRow::TABLE.name, &verdicts)?;
        ctx.write_rows(PointRow::TABLE.name, &points)
    }
}

fn read(ctx: &StageContext) -> Result<Vec<Line>, StageError> {
    let missing = |_| {
        StageError::user("no file of points is given: `--set params.points=FILE.csv` names one")
    };
    let path = ctx.file(POINTS).map_err(missing)?;
    let text = std::fs::read_to_string(path).map_err(|source| StageError::Io {
        what: format!("cannot read {}", path.display()),
        source,
    })?;
    lines(&text)
}

/// A row for each line, with an identity that no other has.
fn named(lines: &[Line]) -> Vec<PointRow> {
    let mut seen = BTreeSet::new();
    let rows = lines.iter().map(|line| {
        let id = line.text("id");
        let id = if id.is_empty() || !seen.insert(id) {
            format!("line {}", line.number)
        } else {
            id.to_owned()
        };
        rows::named(line, id)
    });
    rows.collect()
}

/// The points that can be simulated, simulated once; the others get their reason.
fn grouped(
    ctx: &StageContext,
    lines: &[Line],
    points: &mut [PointRow],
) -> Result<Vec<Group>, StageError> {
    let mut known = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        match Point::read(line) {
            Ok(point) => {
                rows::understood(&mut points[place], &point);
                known.push((place, point));
            }
            Err(reason) => points[place].reason = Some(reason),
        }
    }
    let overheads = Overheads::default();
    let of_known: Vec<&Point> = known.iter().map(|(_, point)| point).collect();
    let analytic = simulate_all(ctx, &of_known, overheads)?;
    let mut groups: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for ((line, point), simulated) in known.into_iter().zip(analytic) {
        match simulated {
            Ok(analytic) => {
                let name = point.group(lines[line].text("backend_version"));
                groups.entry(name).or_default().push(Candidate {
                    line,
                    point,
                    analytic,
                    fitted: analytic,
                    held_out: true,
                });
            }
            Err(reason) => points[line].reason = Some(reason),
        }
    }
    let groups = groups.into_iter().map(|(name, candidates)| Group {
        name,
        overheads,
        candidates,
    });
    Ok(groups.collect())
}

/// Says what was left out, by reason, and what the numbers are not.
fn warn(ctx: &StageContext, points: &[PointRow]) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in points.iter().filter_map(|point| point.reason.as_deref()) {
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, n) in reasons {
        ctx.warn(format!("{n} of {} points skipped: {reason}", points.len()));
    }
    ctx.warn(
        "TTFT of a closed loop depends on lengths and starts that sweeps do not say: judge by TPOT",
    );
}
