//! From text to tree: a lexer and recursive descent.

use std::iter::Peekable;
use std::str::CharIndices;

use sbt_schemas::Cell;

use super::{Arithmetic, Binary, Comparison, ExprError, Node, Unary};

/// Chosen: deeper than anyone writes, shallow enough for any stack.
const MAX_DEPTH: usize = 64;
/// Chosen likewise: a chain of operators is a tree as deep as it is long.
const MAX_LENGTH: usize = 4096;

const COMPARISONS: [Comparison; 6] = [
    Comparison::Equal,
    Comparison::Unequal,
    Comparison::LessOrEqual,
    Comparison::GreaterOrEqual,
    Comparison::Less,
    Comparison::Greater,
];

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Word(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn describe(&self) -> String {
        match self {
            Self::Number(number) => format!("`{number}`"),
            Self::Text(text) => format!("\"{text}\""),
            Self::Word(word) => format!("`{word}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// The longer of two symbols with one beginning stands first.
const SYMBOLS: [&str; 14] = [
    "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",",
];

fn lex(source: &str) -> Result<Vec<(Token, usize)>, ExprError> {
    let mut tokens = Vec::new();
    let mut chars = source.char_indices().peekable();
    while let Some(&(start, first)) = chars.peek() {
        let column = column_of(source, start);
        let rest = &source[start..];
        if first.is_whitespace() {
            chars.next();
        } else if first.is_ascii_digit() {
            let text = take(source, &mut chars, number_length(rest));
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| syntax(column, "a number", format!("`{text}`")))?;
            tokens.push((Token::Number(number), column));
        } else if first.is_ascii_alphabetic() || first == '_' {
            let text = take(source, &mut chars, word_length(rest));
            tokens.push((Token::Word(text.to_owned()), column));
        } else if first == '"' || first == '\'' {
            let length = rest[1..]
                .find(first)
                .ok_or_else(|| syntax(column, format!("a closing `{first}`"), "none"))?;
            let text = take(source, &mut chars, length + 2);
            tokens.push((Token::Text(text[1..=length].to_owned()), column));
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            take(source, &mut chars, symbol.len());
            tokens.push((Token::Symbol(symbol), column));
        } else {
            let expected = "a name, a value or an operator";
            return Err(syntax(column, expected, format!("`{first}`")));
        }
    }
    tokens.push((Token::End, column_of(source, source.len())));
    Ok(tokens)
}

fn take<'a>(source: &'a str, chars: &mut Peekable<CharIndices<'_>>, length: usize) -> &'a str {
    let start = chars.peek().map_or(source.len(), |(start, _)| *start);
    while chars.next_if(|(at, _)| *at < start + length).is_some() {}
    &source[start..start + length]
}

fn column_of(source: &str, byte: usize) -> usize {
    source[..byte].chars().count() + 1
}

fn word_length(rest: &str) -> usize {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    rest.find(|c| !part_of_word(c)).unwrap_or(rest.len())
}

/// Digits, a fraction, an exponent.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        let end = bytes[from..].iter().position(|b| !b.is_ascii_digit());
        end.map_or(bytes.len(), |length| from + length)
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

fn syntax(column: usize, expected: impl Into<String>, found: impl Into<String>) -> ExprError {
    ExprError::Syntax {
        column,
        expected: expected.into(),
        found: found.into(),
    }
}

pub(super) fn parse(source: &str) -> Result<Node, ExprError> {
    if source.len() > MAX_LENGTH {
        let expected = format!("at most {MAX_LENGTH} characters");
        return Err(syntax(1, expected, source.len().to_string()));
    }
    let mut parser = Parser {
        tokens: lex(source)?,
        at: 0,
        depth: 0,
    };
    let root = parser.disjunction()?;
    if *parser.peek() == Token::End {
        Ok(root)
    } else {
        Err(parser.expected("an operator or the end"))
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn column(&self) -> usize {
        self.tokens[self.at].1
    }

    fn expected(&self, what: &str) -> ExprError {
        syntax(self.column(), what, self.peek().describe())
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(w) if w == word);
        if found {
            self.advance();
        }
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(s) if *s == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), ExprError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{symbol}`")))
        }
    }

    fn disjunction(&mut self) -> Result<Node, ExprError> {
        let mut left = self.conjunction()?;
        loop {
            let column = self.column();
            if !self.take_word("or") {
                return Ok(left);
            }
            left = binary(Binary::Or, column, left, self.conjunction()?);
        }
    }

    fn conjunction(&mut self) -> Result<Node, ExprError> {
        let mut left = self.negation()?;
        loop {
            let column = self.column();
            if !self.take_word("and") {
                return Ok(left);
            }
            left = binary(Binary::And, column, left, self.negation()?);
        }
    }

    fn negation(&mut self) -> Result<Node, ExprError> {
        let column = self.column();
        if self.take_word("not") {
            let of = self.deeper(Self::negation)?;
            return Ok(unary(Unary::Not, column, of));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node, ExprError> {
        let left = self.sum()?;
        let column = self.column();
        let Some(op) = self.take_comparison() else {
            return Ok(left);
        };
        let right = self.sum()?;
        if COMPARISONS
            .iter()
            .any(|c| *self.peek() == Token::Symbol(c.symbol()))
        {
            return Err(self.expected("`and` between two comparisons"));
        }
        Ok(binary(Binary::Compare(op), column, left, right))
    }

    fn take_comparison(&mut self) -> Option<Comparison> {
        COMPARISONS
            .into_iter()
            .find(|op| self.take_symbol(op.symbol()))
    }

    fn sum(&mut self) -> Result<Node, ExprError> {
        self.chain(&[Arithmetic::Add, Arithmetic::Subtract], Self::product)
    }

    fn product(&mut self) -> Result<Node, ExprError> {
        let ops = [
            Arithmetic::Multiply,
            Arithmetic::Divide,
            Arithmetic::Remainder,
        ];
        self.chain(&ops, Self::factor)
    }

    /// Operands joined by operators of one strength, from the left.
    fn chain(
        &mut self,
        ops: &[Arithmetic],
        operand: fn(&mut Self) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        let mut left = operand(self)?;
        loop {
            let column = self.column();
            let Some(op) = ops.iter().find(|op| self.take_symbol(op.symbol())) else {
                return Ok(left);
            };
            left = binary(Binary::Compute(*op), column, left, operand(self)?);
        }
    }

    fn factor(&mut self) -> Result<Node, ExprError> {
        let column = self.column();
        if self.take_symbol("-") {
            let of = self.deeper(Self::factor)?;
            return Ok(unary(Unary::Negate, column, of));
        }
        if self.take_symbol("(") {
            let inner = self.deeper(Self::disjunction)?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let node = match self.peek().clone() {
            Token::Number(number) => Node::Value(Cell::Number(number)),
            Token::Text(text) => Node::Value(Cell::Text(text)),
            Token::Word(word) => return self.word(word),
            Token::Symbol(_) | Token::End => return Err(self.expected("a value or a name")),
        };
        self.advance();
        Ok(node)
    }

    fn word(&mut self, word: String) -> Result<Node, ExprError> {
        let column = self.column();
        let malformed = word.split('.').any(str::is_empty);
        if malformed || matches!(word.as_str(), "and" | "or" | "not") {
            return Err(self.expected("a value or a name"));
        }
        self.advance();
        match word.as_str() {
            "true" => Ok(Node::Value(Cell::Bool(true))),
            "false" => Ok(Node::Value(Cell::Bool(false))),
            "null" => Ok(Node::Value(Cell::Null)),
            _ if *self.peek() == Token::Symbol("(") => self.call(&word, column),
            _ => Ok(Node::Name { name: word, column }),
        }
    }

    fn call(&mut self, function: &str, column: usize) -> Result<Node, ExprError> {
        let op = match function {
            "abs" => None,
            "min" => Some(Arithmetic::Min),
            "max" => Some(Arithmetic::Max),
            _ => {
                let found = format!("`{function}(`");
                return Err(syntax(column, "a function: `min`, `max` or `abs`", found));
            }
        };
        self.expect_symbol("(")?;
        let first = self.deeper(Self::disjunction)?;
        let node = match op {
            None => unary(Unary::Abs, column, first),
            Some(op) => {
                self.expect_symbol(",")?;
                let second = self.deeper(Self::disjunction)?;
                binary(Binary::Compute(op), column, first, second)
            }
        };
        self.expect_symbol(")")?;
        Ok(node)
    }

    fn deeper(
        &mut self,
        part: fn(&mut Self) -> Result<Node, ExprError>,
    ) -> Result<Node, ExprError> {
        if self.depth == MAX_DEPTH {
            return Err(self.expected(&format!("at most {MAX_DEPTH} levels of nesting")));
        }
        self.depth += 1;
        let node = part(self);
        self.depth -= 1;
        node
    }
}

fn unary(op: Unary, column: usize, of: Node) -> Node {
    Node::Unary {
        op,
        column,
        of: Box::new(of),
    }
}

fn binary(op: Binary, column: usize, left: Node, right: Node) -> Node {
    Node::Binary {
        op,
        column,
        left: Box::new(left),
        right: Box::new(right),
    }
}
