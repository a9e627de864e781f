use std::fmt::Write as _;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::Graph;
use crate::PlannedStage;

impl Graph<'_> {
    /// One line per stage, in order, indented by how many stages must run before it one after
    /// another.
    #[must_use]
    pub fn text(&self) -> String {
        let stages = &self.plan.stages;
        let mut levels: Vec<usize> = Vec::with_capacity(stages.len());
        let mut out = String::new();
        for (i, stage) in stages.iter().enumerate() {
            let sources = self.dependencies(i);
            let level = sources.iter().map(|&s| levels[s] + 1).max().unwrap_or(0);
            levels.push(level);
            let indent = "  ".repeat(level);
            let kind = match stage.kind.name() == stage.name {
                true => String::new(),
                false => format!(" ({})", stage.kind.name()),
            };
            let reads: Vec<&str> = sources.iter().map(|&s| stages[s].id.as_str()).collect();
            let reads = match reads.is_empty() {
                true => String::new(),
                false => format!(" ← {}", reads.join(", ")),
            };
            let off = if stage.enabled { "" } else { " — left out" };
            let _ = writeln!(out, "{indent}{}{kind}{reads}{off}", stage.id);
        }
        out
    }

    /// For Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        let mut out = format!("digraph {} {{\n", quoted(&self.plan.name));
        out.push_str("  rankdir=LR;\n  node [shape=box];\n");
        for stage in &self.plan.stages {
            let style = if stage.enabled { "" } else { ", style=dashed" };
            let label = quoted(&label(stage, "\n"));
            let _ = writeln!(out, "  {} [label={label}{style}];", quoted(&stage.id));
        }
        for (from, to, outputs) in self.wires() {
            let (from, to) = (quoted(&from.id), quoted(&to.id));
            let _ = writeln!(out, "  {from} -> {to} [label={}];", quoted(&outputs));
        }
        out.push_str("}\n");
        out
    }

    /// For Markdown.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut out = "flowchart LR\n".to_owned();
        for (i, stage) in self.plan.stages.iter().enumerate() {
            let label = label(stage, "<br/>").replace('"', "#quot;");
            let _ = writeln!(out, "  s{i}[\"{label}\"]");
        }
        for edge in self.edges.edge_references() {
            let outputs: Vec<&str> = edge.weight().iter().copied().collect();
            let (from, to) = (edge.source().index(), edge.target().index());
            let _ = writeln!(out, "  s{from} -->|{}| s{to}", outputs.join(", "));
        }
        for (i, _) in self
            .plan
            .stages
            .iter()
            .enumerate()
            .filter(|(_, s)| !s.enabled)
        {
            let _ = writeln!(out, "  style s{i} stroke-dasharray: 4");
        }
        out
    }

    fn wires(&self) -> impl Iterator<Item = (&PlannedStage, &PlannedStage, String)> {
        let stage = |node: NodeIndex| &self.plan.stages[node.index()];
        self.edges.edge_references().map(move |edge| {
            let outputs: Vec<&str> = edge.weight().iter().copied().collect();
            (
                stage(edge.source()),
                stage(edge.target()),
                outputs.join(", "),
            )
        })
    }
}

fn label(stage: &PlannedStage, line_break: &str) -> String {
    if stage.kind.name() == stage.name {
        return stage.id.clone();
    }
    format!("{}{line_break}{}", stage.id, stage.kind.name())
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
