//! From tree to value. All numbers are finite: others read as null.

use sbt_schemas::Cell;

use super::{Arithmetic, Binary, Comparison, ExprError, Node, Unary};

type Lookup<'a> = &'a dyn Fn(&str) -> Option<Cell>;

pub(super) fn eval(node: &Node, lookup: Lookup<'_>) -> Result<Cell, ExprError> {
    match node {
        Node::Value(cell) => Ok(cell.clone()),
        Node::Name { name, column } => read(name, *column, lookup),
        Node::Unary { op, column, of } => apply_unary(*op, *column, &eval(of, lookup)?),
        Node::Binary {
            op,
            column,
            left,
            right,
        } => match op {
            Binary::And => Ok(from_truth(all(
                truth(left, "and", lookup)?,
                truth(right, "and", lookup)?,
            ))),
            Binary::Or => {
                let neither = all(
                    truth(left, "or", lookup)?.map(|v| !v),
                    truth(right, "or", lookup)?.map(|v| !v),
                );
                Ok(from_truth(neither.map(|v| !v)))
            }
            Binary::Compare(op) => {
                let asks_presence = [left, right].iter().any(|side| is_null_literal(side));
                let (left, right) = (eval(left, lookup)?, eval(right, lookup)?);
                compare(*op, *column, &left, &right, asks_presence)
            }
            Binary::Compute(op) => {
                compute(*op, *column, &eval(left, lookup)?, &eval(right, lookup)?)
            }
        },
    }
}

pub(super) fn violation(node: &Node, lookup: Lookup<'_>) -> Result<Option<f64>, ExprError> {
    if let Node::Binary {
        op, left, right, ..
    } = node
    {
        match op {
            Binary::And => {
                let (left, right) = (violation(left, lookup)?, violation(right, lookup)?);
                return Ok(left.zip(right).map(|(a, b)| (a + b).min(f64::MAX)));
            }
            Binary::Or => {
                let (left, right) = (violation(left, lookup)?, violation(right, lookup)?);
                let holds = left == Some(0.0) || right == Some(0.0);
                return Ok(if holds {
                    Some(0.0)
                } else {
                    left.zip(right).map(|(a, b)| a.min(b))
                });
            }
            Binary::Compare(_) | Binary::Compute(_) => {}
        }
    }
    match truth(node, "a condition", lookup)? {
        None => Ok(None),
        Some(true) => Ok(Some(0.0)),
        Some(false) => excess(node, lookup).map(Some),
    }
}

/// How far a condition that does not hold is from holding: above 0.
fn excess(node: &Node, lookup: Lookup<'_>) -> Result<f64, ExprError> {
    /// What a condition without a distance counts.
    const WHOLE: f64 = 1.0;
    let Node::Binary {
        op: Binary::Compare(op),
        left,
        right,
        ..
    } = node
    else {
        return Ok(WHOLE);
    };
    if *op == Comparison::Unequal {
        return Ok(WHOLE);
    }
    match (eval(left, lookup)?, eval(right, lookup)?) {
        (Cell::Number(left), Cell::Number(right)) => {
            let scale = if right == 0.0 { 1.0 } else { right.abs() };
            let relative = (left - right).abs() / scale;
            Ok(relative.clamp(f64::MIN_POSITIVE, f64::MAX))
        }
        _ => Ok(WHOLE),
    }
}

fn read(name: &str, column: usize, lookup: Lookup<'_>) -> Result<Cell, ExprError> {
    match lookup(name) {
        Some(Cell::Number(number)) => Ok(finite(number)),
        Some(cell) => Ok(cell),
        None => Err(ExprError::UnknownName {
            column,
            name: name.to_owned(),
            nearest: None,
        }),
    }
}

fn finite(number: f64) -> Cell {
    if number.is_finite() {
        Cell::Number(number)
    } else {
        Cell::Null
    }
}

fn truth(node: &Node, wanted_by: &str, lookup: Lookup<'_>) -> Result<Option<bool>, ExprError> {
    match eval(node, lookup)? {
        Cell::Null => Ok(None),
        Cell::Bool(value) => Ok(Some(value)),
        found @ (Cell::Number(_) | Cell::Text(_)) => Err(wrong_type(
            node.column(),
            format!("`{wanted_by}` takes true or false, not {}", kind(&found)),
        )),
    }
}

/// Conjunction where null means unknown.
fn all(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

fn from_truth(truth: Option<bool>) -> Cell {
    truth.map_or(Cell::Null, Cell::Bool)
}

fn is_null_literal(node: &Node) -> bool {
    *node == Node::Value(Cell::Null)
}

fn apply_unary(op: Unary, column: usize, of: &Cell) -> Result<Cell, ExprError> {
    match (op, of) {
        (_, Cell::Null) => Ok(Cell::Null),
        (Unary::Not, Cell::Bool(value)) => Ok(Cell::Bool(!value)),
        (Unary::Negate, Cell::Number(number)) => Ok(Cell::Number(-number)),
        (Unary::Abs, Cell::Number(number)) => Ok(Cell::Number(number.abs())),
        (Unary::Not | Unary::Negate | Unary::Abs, found) => {
            let (symbol, takes) = match op {
                Unary::Not => ("not", "true or false"),
                Unary::Negate => ("-", "a number"),
                Unary::Abs => ("abs", "a number"),
            };
            let message = format!("`{symbol}` takes {takes}, not {}", kind(found));
            Err(wrong_type(column, message))
        }
    }
}

fn compare(
    op: Comparison,
    column: usize,
    left: &Cell,
    right: &Cell,
    asks_presence: bool,
) -> Result<Cell, ExprError> {
    let same_kind = std::mem::discriminant(left) == std::mem::discriminant(right);
    let has_null = *left == Cell::Null || *right == Cell::Null;
    if has_null && !(asks_presence && matches!(op, Comparison::Equal | Comparison::Unequal)) {
        return Ok(Cell::Null);
    }
    let ordered = || match (left, right) {
        (Cell::Number(left), Cell::Number(right)) => Ok((left, right)),
        _ => Err(wrong_type(
            column,
            format!(
                "`{}` takes two numbers, not {} and {}",
                op.symbol(),
                kind(left),
                kind(right)
            ),
        )),
    };
    let holds = match op {
        Comparison::Equal | Comparison::Unequal if !same_kind && !has_null => {
            let message = format!("cannot compare {} with {}", kind(left), kind(right));
            return Err(wrong_type(column, message));
        }
        Comparison::Equal => left == right,
        Comparison::Unequal => left != right,
        Comparison::Less => ordered().map(|(left, right)| left < right)?,
        Comparison::LessOrEqual => ordered().map(|(left, right)| left <= right)?,
        Comparison::Greater => ordered().map(|(left, right)| left > right)?,
        Comparison::GreaterOrEqual => ordered().map(|(left, right)| left >= right)?,
    };
    Ok(Cell::Bool(holds))
}

fn compute(op: Arithmetic, column: usize, left: &Cell, right: &Cell) -> Result<Cell, ExprError> {
    match (left, right) {
        (Cell::Number(left), Cell::Number(right)) => Ok(finite(match op {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => left % right,
            Arithmetic::Min => left.min(*right),
            Arithmetic::Max => left.max(*right),
        })),
        (Cell::Null, Cell::Null | Cell::Number(_)) | (Cell::Number(_), Cell::Null) => {
            Ok(Cell::Null)
        }
        _ => Err(wrong_type(
            column,
            format!(
                "`{}` takes two numbers, not {} and {}",
                op.symbol(),
                kind(left),
                kind(right)
            ),
        )),
    }
}

fn wrong_type(column: usize, message: String) -> ExprError {
    ExprError::WrongType { column, message }
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Null => "null",
        Cell::Bool(_) => "true or false",
        Cell::Number(_) => "a number",
        Cell::Text(_) => "text",
    }
}
