use std::collections::{BTreeSet, VecDeque};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Nodes so that each comes after all that lead to it; the lower number first where either may.
/// Nodes of a cycle are left out.
pub(crate) fn stable_order<N, E>(graph: &DiGraph<N, E>) -> Vec<usize> {
    let degree = |node| graph.neighbors_directed(node, Direction::Incoming).count();
    let mut waits_for: Vec<usize> = graph.node_indices().map(degree).collect();
    let all = 0..graph.node_count();
    let mut free: BTreeSet<usize> = all.filter(|&node| waits_for[node] == 0).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(node) = free.pop_first() {
        order.push(node);
        for next in graph.neighbors(NodeIndex::new(node)) {
            let waits = &mut waits_for[next.index()];
            *waits -= 1;
            if *waits == 0 {
                free.insert(next.index());
            }
        }
    }
    order
}

/// One cycle of each knot of the graph, each beginning at its lowest node.
pub(crate) fn cycle_through<N, E>(graph: &DiGraph<N, E>) -> Vec<Vec<NodeIndex>> {
    let knots = tarjan_scc(graph).into_iter();
    let mut cycles: Vec<_> = knots
        .filter_map(|knot| shortest_cycle(graph, &knot))
        .collect();
    cycles.sort();
    cycles
}

/// The shortest way from the lowest node of a knot back to it.
fn shortest_cycle<N, E>(graph: &DiGraph<N, E>, knot: &[NodeIndex]) -> Option<Vec<NodeIndex>> {
    let start = *knot.iter().min()?;
    let mut ways = VecDeque::from([vec![start]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        let mut next: Vec<_> = graph.neighbors(last).filter(|n| knot.contains(n)).collect();
        next.sort_unstable();
        for node in next {
            if node == start {
                return Some(way);
            }
            if seen.insert(node) {
                ways.push_back([way.as_slice(), &[node]].concat());
            }
        }
    }
    None
}
