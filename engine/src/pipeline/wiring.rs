use std::collections::BTreeMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::instance::{InputDoc, Instance, Ready};
use super::layers::Layers;
use super::matrix::plain;
use super::output::choose_output;
use super::plan::Wire;
use super::report::Report;
use super::spans::Part;
use super::trail::keys;
use crate::diagnostic::Diagnostic;
use crate::graph::{cycle_through, stable_order};
use crate::params::nearest_name;
use crate::{Input, OutputKind};

/// Connects instances; what is wrong with a connection is reported once both ends are known to
/// be right.
pub(crate) struct Wiring<'a> {
    instances: &'a [Instance],
    layers: &'a Layers,
    /// Stages in the order of the file, with their instances.
    stages: Vec<(&'a str, Vec<usize>)>,
    numbers: BTreeMap<&'a str, usize>,
    ids: BTreeMap<&'a str, usize>,
    /// From what is read to its reader, with the entry that says so.
    reads: DiGraph<(), Vec<String>>,
}

/// Instances in the order of the plan, and where their inputs come from.
pub(crate) struct Wired {
    pub(crate) order: Vec<usize>,
    /// By instance; the wires' stages are instances, not yet positions in the plan.
    pub(crate) inputs: Vec<BTreeMap<String, Vec<Wire>>>,
}

impl<'a> Wiring<'a> {
    pub(crate) fn new(instances: &'a [Instance], layers: &'a Layers) -> Self {
        let mut wiring = Self {
            instances,
            layers,
            stages: Vec::new(),
            numbers: BTreeMap::new(),
            ids: BTreeMap::new(),
            reads: DiGraph::new(),
        };
        for (i, instance) in instances.iter().enumerate() {
            wiring.ids.insert(&instance.id, i);
            match wiring.numbers.get(instance.name.as_str()) {
                Some(&stage) => wiring.stages[stage].1.push(i),
                None => {
                    wiring.numbers.insert(&instance.name, wiring.stages.len());
                    wiring.stages.push((&instance.name, vec![i]));
                    wiring.reads.add_node(());
                }
            }
        }
        wiring
    }

    pub(crate) fn connect(mut self, report: &mut Report<'_>) -> Wired {
        let instances = self.instances.iter();
        let inputs = instances
            .map(|reader| self.inputs_of(reader, report))
            .collect();
        self.report_cycles(report);
        let order = stable_order(&self.reads);
        let instances = order
            .into_iter()
            .flat_map(|stage| self.stages[stage].1.clone());
        Wired {
            order: instances.collect(),
            inputs,
        }
    }

    fn inputs_of(
        &mut self,
        reader: &Instance,
        report: &mut Report<'_>,
    ) -> BTreeMap<String, Vec<Wire>> {
        let mut inputs = BTreeMap::new();
        for input in &reader.inputs {
            let wires = self.wires(reader, input, report);
            inputs.insert(input.name.clone(), wires);
        }
        for missing in missing_inputs(reader) {
            self.report_missing(reader, missing, report);
        }
        inputs
    }

    fn wires(&mut self, reader: &Instance, input: &InputDoc, report: &mut Report<'_>) -> Vec<Wire> {
        let anything = Input {
            name: input.name.clone(),
            table: None,
            optional: true,
        };
        let wanted = reader.ready.as_ref().and_then(|ready| {
            let wanted = ready.inputs.iter().find(|known| known.name == input.name);
            if wanted.is_none() && ready.stage.open_inputs() {
                return Some(&anything);
            }
            if wanted.is_none() {
                unknown_input(reader, ready, &input.name, report);
            }
            wanted
        });
        let mut wires = Vec::new();
        for (source, at) in &input.sources {
            let (stage, output) = split(source);
            let Some(found) = self.find(stage) else {
                self.unknown_stage(reader, stage, at, report);
                continue;
            };
            self.note_read(&found, reader, at);
            for number in self.matching(found, stage, reader, at, report) {
                let from = &self.instances[number];
                let (Some(wanted), Some(ready)) = (wanted, &from.ready) else {
                    continue;
                };
                // A stage that reads itself is told so, and no more.
                if from.name == reader.name {
                    continue;
                }
                let wire = choose_output(stage, &ready.outputs, output, wanted)
                    .map(|output| Wire {
                        stage: number,
                        output,
                    })
                    .and_then(|wire| once(wire, &wires, source));
                match wire {
                    Ok(wire) => wires.push(wire),
                    Err(problem) => {
                        let message = format!("stage `{}`: {}", reader.name, problem.message);
                        let problem = Diagnostic { message, ..problem };
                        report.at(problem, at, Part::Value, "");
                    }
                }
            }
        }
        wires
    }

    /// Instances of a stage, or the one of this id.
    fn find(&self, stage: &str) -> Option<Vec<usize>> {
        if let Some(&number) = self.numbers.get(stage) {
            return Some(self.stages[number].1.clone());
        }
        if let Some(&number) = self.ids.get(stage) {
            return Some(vec![number]);
        }
        // Whether a matrix that is wrong has this instance, nobody knows.
        let (name, _) = stage.split_once('[')?;
        let instances = &self.stages[*self.numbers.get(name)?].1;
        let broken = instances.iter().any(|&i| self.instances[i].ready.is_none());
        broken.then(|| instances.clone())
    }

    /// Those whose axes agree with the reader's.
    fn matching(
        &self,
        found: Vec<usize>,
        stage: &str,
        reader: &Instance,
        at: &[String],
        report: &mut Report<'_>,
    ) -> Vec<usize> {
        let agrees = |axes: &super::resolve::Axes| {
            let mut shared = axes
                .iter()
                .filter_map(|(axis, v)| Some((v, reader.axes.get(axis)?)));
            shared.all(|(theirs, own)| theirs == own)
        };
        let all_ready = found.iter().all(|&i| self.instances[i].ready.is_some());
        let matching: Vec<usize> = found
            .into_iter()
            .filter(|&i| agrees(&self.instances[i].axes))
            .collect();
        if matching.is_empty() && all_ready {
            let axes: Vec<String> = reader
                .axes
                .iter()
                .map(|(axis, value)| format!("{axis} = {}", plain(value)))
                .collect();
            let message = format!(
                "stage `{}`: no instance of `{stage}` has {}",
                reader.name,
                axes.join(", ")
            );
            let help = "stages with an axis of the same name are matched by its value";
            let problem = Diagnostic::new("sbt::wiring::axes", message).help(help.to_owned());
            report.at(problem, at, Part::Value, "");
        }
        matching
    }

    fn note_read(&mut self, found: &[usize], reader: &Instance, at: &[String]) {
        let reader = self.numbers[reader.name.as_str()];
        for &number in found {
            let read = self.numbers[self.instances[number].name.as_str()];
            let (from, to) = (NodeIndex::new(read), NodeIndex::new(reader));
            if self.reads.find_edge(from, to).is_none() {
                self.reads.add_edge(from, to, at.to_vec());
            }
        }
    }

    fn unknown_stage(
        &self,
        reader: &Instance,
        stage: &str,
        at: &[String],
        report: &mut Report<'_>,
    ) {
        if self.layers.doubt.names {
            return;
        }
        let names = self.stages.iter().map(|(name, _)| *name);
        let ids = self.ids.keys().copied().filter(|_| stage.contains('['));
        let near = nearest_name(stage, names.chain(ids));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("stage `{}`: no stage is named `{stage}`", reader.name);
        let problem = Diagnostic::new("sbt::wiring::stage", message).help(help);
        report.at(problem, at, Part::Value, "");
    }

    fn report_missing(&self, reader: &Instance, missing: &Input, report: &mut Report<'_>) {
        let table = missing.table.map(|table| table.name);
        let gives = |ready: &Ready| {
            let mut tables = ready.outputs.iter().filter_map(|output| match output.kind {
                OutputKind::Table(spec) => Some(spec.name),
                OutputKind::AnyTable | OutputKind::File | OutputKind::Folder => None,
            });
            table.is_some_and(|wanted| tables.any(|given| given == wanted))
        };
        let others = self.instances.iter().filter(|i| i.name != reader.name);
        let mut givers = others.filter(|i| i.ready.as_ref().is_some_and(gives));
        let giver = givers.next().map_or("STAGE", |giver| &giver.name);
        let name = &missing.name;
        let message = format!("stage `{}`: input `{name}` is not wired", reader.name);
        let help = format!("add `inputs = {{ {name} = \"{giver}\" }}`");
        let problem = Diagnostic::new("sbt::wiring::missing", message).help(help);
        let path = keys(["stages", &reader.name, "inputs"]);
        report.at(problem, &path, Part::Key, "");
    }

    fn report_cycles(&self, report: &mut Report<'_>) {
        for cycle in cycle_through(&self.reads) {
            let name = |node: NodeIndex| self.stages[node.index()].0;
            let mut names: Vec<&str> = cycle.iter().map(|&node| name(node)).collect();
            names.push(names[0]);
            let message = format!("stages need each other: {}", names.join(" → "));
            let mut problem = Diagnostic::new("sbt::graph::cycle", message)
                .help("one of them must do without the other".to_owned());
            for (i, &from) in cycle.iter().enumerate() {
                let to = cycle[(i + 1) % cycle.len()];
                let Some(edge) = self.reads.find_edge(from, to) else {
                    continue;
                };
                let text = format!("`{}` reads `{}`", name(to), name(from));
                problem = report.labelled(problem, &self.reads[edge], Part::Value, &text);
            }
            report.push(problem);
        }
    }
}

/// `stage` or `stage.output`; the id of an instance may hold dots within its brackets.
fn split(source: &str) -> (&str, Option<&str>) {
    let after = source.rfind(']').map_or(0, |bracket| bracket + 1);
    match source[after..].split_once('.') {
        Some((rest, output)) => (&source[..after + rest.len()], Some(output)),
        None => (source, None),
    }
}

/// A table that is read twice would count twice.
fn once(wire: Wire, before: &[Wire], source: &str) -> Result<Wire, Diagnostic> {
    if before.contains(&wire) {
        let message = format!("`{source}` is read twice by one input");
        return Err(Diagnostic::new("sbt::wiring::twice", message));
    }
    Ok(wire)
}

fn missing_inputs(reader: &Instance) -> impl Iterator<Item = &Input> {
    let wired = |name: &str| {
        let mut inputs = reader.inputs.iter();
        inputs.any(|input| input.name == name && !input.sources.is_empty())
    };
    let inputs = reader.ready.iter().flat_map(|ready| &ready.inputs);
    inputs.filter(move |input| !input.optional && !wired(&input.name))
}

fn unknown_input(reader: &Instance, ready: &Ready, name: &str, report: &mut Report<'_>) {
    let names: Vec<&str> = ready.inputs.iter().map(|i| i.name.as_str()).collect();
    let help = match nearest_name(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("`{}` has no inputs", ready.kind.name()),
        None => format!("`{}` has: {}", ready.kind.name(), names.join(", ")),
    };
    let message = format!("stage `{}`: no input is named `{name}`", reader.name);
    let problem = Diagnostic::new("sbt::wiring::input", message).help(help);
    let path = keys(["stages", &reader.name, "inputs", name]);
    report.at(problem, &path, Part::Key, "");
}
