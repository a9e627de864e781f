//! The expression language of pipelines: goals, constraints, rules between knobs, conditions.
//!
//! Numbers, `"text"`, `true`, `false`, `null`, dotted names; `+ - * / %`, `== != < <= > >=`,
//! `and`, `or`, `not`, parentheses; `min(a, b)`, `max(a, b)`, `abs(a)`.
//!
//! What could not be obtained is null, and so is what is computed from it; so is a division by
//! zero. `and` and `or` decide where one side suffices. Only `== null` and `!= null` ask whether
//! a value is there.

mod eval;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use sbt_schemas::Cell;

use crate::nearest_name;

/// A parsed expression.
///
/// ```
/// use sbt_engine::Expr;
/// use sbt_schemas::Cell;
///
/// let limit = Expr::parse("ttft_p95_s <= 1.2 * baseline.ttft_p95_s")?;
/// let value = |name: &str| match name {
///     "ttft_p95_s" => Some(Cell::Number(1.8)),
///     "baseline.ttft_p95_s" => Some(Cell::Number(1.0)),
///     _ => None,
/// };
/// assert_eq!(limit.eval(&value)?, Cell::Bool(false));
/// let beyond = limit.violation(&value)?.expect("both values are there");
/// assert!((beyond - 0.5).abs() < 1e-12);
/// # Ok::<(), sbt_engine::ExprError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    source: String,
    root: Node,
}

/// What is wrong with an expression. Columns count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// It does not parse.
    #[error("column {column}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        column: usize,
        /// What may stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// A name that nothing has.
    #[error("column {column}: unknown name `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownName {
        /// Where.
        column: usize,
        /// The name.
        name: String,
        /// The most similar known one.
        nearest: Option<String>,
    },
    /// An operator that does not take such a value.
    #[error("column {column}: {message}")]
    WrongType {
        /// Where the operator stands.
        column: usize,
        /// What it takes, and what it got.
        message: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Value(Cell),
    Name {
        name: String,
        column: usize,
    },
    Unary {
        op: Unary,
        column: usize,
        of: Box<Node>,
    },
    Binary {
        op: Binary,
        column: usize,
        left: Box<Node>,
        right: Box<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unary {
    Not,
    Negate,
    Abs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    And,
    Or,
    Compare(Comparison),
    Compute(Arithmetic),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Min,
    Max,
}

impl Expr {
    /// Reads an expression.
    ///
    /// # Errors
    /// With the column, and what was expected there.
    pub fn parse(source: &str) -> Result<Self, ExprError> {
        Ok(Self {
            source: source.to_owned(),
            root: parse::parse(source)?,
        })
    }

    /// The names that it uses.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.root.each_name(&mut |name, _| {
            names.insert(name);
        });
        names
    }

    /// Checks, before there are values, that every name is known.
    ///
    /// # Errors
    /// At the first unknown name, with the most similar known one.
    pub fn check_names(&self, known: &[&str]) -> Result<(), ExprError> {
        let mut unknown = None;
        self.root.each_name(&mut |name, column| {
            if unknown.is_none() && !known.contains(&name) {
                unknown = Some(ExprError::UnknownName {
                    column,
                    name: name.to_owned(),
                    nearest: nearest_name(name, known.iter().copied()).map(str::to_owned),
                });
            }
        });
        unknown.map_or(Ok(()), Err)
    }

    /// Its value.
    ///
    /// # Errors
    /// When a name is unknown, or an operator gets what it does not take.
    pub fn eval(&self, lookup: &dyn Fn(&str) -> Option<Cell>) -> Result<Cell, ExprError> {
        eval::eval(&self.root, lookup)
    }

    /// By how much it does not hold, relative to the right-hand side: `lhs <= rhs` gives
    /// max(0, (lhs - rhs) / |rhs|), or the difference itself when `rhs` is 0. `and` adds up, `or`
    /// takes the least; any other condition counts 1. 0 exactly when it holds; none when a value
    /// that decides is null.
    ///
    /// # Errors
    /// As for [`Expr::eval`], and when it is no condition.
    pub fn violation(
        &self,
        lookup: &dyn Fn(&str) -> Option<Cell>,
    ) -> Result<Option<f64>, ExprError> {
        eval::violation(&self.root, lookup)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl Node {
    fn each_name<'a>(&'a self, visit: &mut dyn FnMut(&'a str, usize)) {
        match self {
            Self::Value(_) => {}
            Self::Name { name, column } => visit(name, *column),
            Self::Unary { of, .. } => of.each_name(visit),
            Self::Binary { left, right, .. } => {
                left.each_name(visit);
                right.each_name(visit);
            }
        }
    }

    fn column(&self) -> usize {
        match self {
            Self::Value(_) => 1,
            Self::Name { column, .. }
            | Self::Unary { column, .. }
            | Self::Binary { column, .. } => *column,
        }
    }
}

impl Comparison {
    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}
