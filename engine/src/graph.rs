//! The graph of a plan: order, selection, and how it looks.

mod draw;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

pub(crate) use order::{cycle_through, stable_order};

use crate::params::nearest_name;
use crate::{Plan, PlannedStage};

/// Which stage instances read which; nodes are indices into [`Plan::stages`].
pub struct Graph<'a> {
    plan: &'a Plan,
    /// From what is read to its reader, with the outputs.
    edges: DiGraph<(), BTreeSet<&'a str>>,
}

/// Part of a plan, by names or ids of stages. Empty lists select everything; what is selected by
/// several lists is what all of them select.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// These and no others.
    pub only: Vec<String>,
    /// These and all that needs them.
    pub from: Vec<String>,
    /// These and all that they need.
    pub until: Vec<String>,
}

/// A selection names no stage of the plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no stage is named `{name}`{}", hint(nearest.as_deref()))]
pub struct UnknownStage {
    /// What was asked for.
    pub name: String,
    /// The most similar name or id, if any is similar.
    pub nearest: Option<String>,
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl<'a> Graph<'a> {
    /// The graph of a plan.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        let mut outputs: BTreeMap<(usize, usize), BTreeSet<&str>> = BTreeMap::new();
        for (reader, stage) in plan.stages.iter().enumerate() {
            for wire in stage.inputs.values().flatten() {
                let edge = outputs.entry((wire.stage, reader)).or_default();
                edge.insert(&wire.output);
            }
        }
        let mut edges = DiGraph::with_capacity(plan.stages.len(), outputs.len());
        for _ in &plan.stages {
            edges.add_node(());
        }
        for ((from, to), outputs) in outputs {
            edges.add_edge(NodeIndex::new(from), NodeIndex::new(to), outputs);
        }
        Self { plan, edges }
    }

    /// Stages that a stage reads, in order.
    #[must_use]
    pub fn dependencies(&self, stage: usize) -> BTreeSet<usize> {
        self.neighbours(stage, Direction::Incoming)
    }

    /// Stages that read a stage, in order.
    #[must_use]
    pub fn dependants(&self, stage: usize) -> BTreeSet<usize> {
        self.neighbours(stage, Direction::Outgoing)
    }

    /// Everything that needs a stage, directly or not.
    #[must_use]
    pub fn all_dependants(&self, stage: usize) -> BTreeSet<usize> {
        let mut reached = self.reach([stage].into(), Direction::Outgoing);
        reached.remove(&stage);
        reached
    }

    /// The selected stages, in order.
    ///
    /// # Errors
    /// When the selection names what is no stage.
    pub fn select(&self, selection: &Selection) -> Result<BTreeSet<usize>, UnknownStage> {
        let only = self.named(&selection.only)?;
        let from = self.named(&selection.from)?;
        let until = self.named(&selection.until)?;
        let from = from.map(|from| self.reach(from, Direction::Outgoing));
        let until = until.map(|until| self.reach(until, Direction::Incoming));
        let all: BTreeSet<usize> = (0..self.plan.stages.len()).collect();
        let parts = [only, from, until].into_iter().flatten();
        Ok(parts.fold(all, |all, part| &all & &part))
    }

    /// Instances of the named stages; none when nothing is named.
    fn named(&self, names: &[String]) -> Result<Option<BTreeSet<usize>>, UnknownStage> {
        let mut found = BTreeSet::new();
        for name in names {
            let is_named = |stage: &PlannedStage| stage.name == *name || stage.id == *name;
            let stages = self.plan.stages.iter().enumerate();
            let matching = stages.filter(|(_, stage)| is_named(stage));
            let matching: Vec<usize> = matching.map(|(i, _)| i).collect();
            if matching.is_empty() {
                return Err(self.unknown(name));
            }
            found.extend(matching);
        }
        Ok((!names.is_empty()).then_some(found))
    }

    fn unknown(&self, name: &str) -> UnknownStage {
        let stages = self.plan.stages.iter();
        let known = stages.flat_map(|stage| [stage.name.as_str(), stage.id.as_str()]);
        UnknownStage {
            name: name.to_owned(),
            nearest: nearest_name(name, known).map(str::to_owned),
        }
    }

    fn neighbours(&self, stage: usize, direction: Direction) -> BTreeSet<usize> {
        let neighbours = self
            .edges
            .neighbors_directed(NodeIndex::new(stage), direction);
        neighbours.map(NodeIndex::index).collect()
    }

    /// Some stages, and all that can be reached from them.
    fn reach(&self, start: BTreeSet<usize>, direction: Direction) -> BTreeSet<usize> {
        let mut reached = start.clone();
        let mut open: Vec<usize> = start.into_iter().collect();
        while let Some(stage) = open.pop() {
            for next in self.neighbours(stage, direction) {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    }
}
