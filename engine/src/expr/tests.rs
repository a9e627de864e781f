use proptest::prelude::*;
use sbt_schemas::Cell;

use super::{Expr, ExprError};

fn lookup(name: &str) -> Option<Cell> {
    match name {
        "seqs" => Some(Cell::Number(96.0)),
        "zero" => Some(Cell::Number(0.0)),
        "infinite" => Some(Cell::Number(f64::INFINITY)),
        "missing" => Some(Cell::Null),
        "dtype" => Some(Cell::Text("fp8".to_owned())),
        "eager" => Some(Cell::Bool(false)),
        "baseline.e2e_p95_s" => Some(Cell::Number(4.0)),
        _ => None,
    }
}

fn eval(source: &str) -> Cell {
    Expr::parse(source).unwrap().eval(&lookup).unwrap()
}

fn violation(source: &str) -> Option<f64> {
    Expr::parse(source).unwrap().violation(&lookup).unwrap()
}

fn parse_error(source: &str) -> String {
    Expr::parse(source).unwrap_err().to_string()
}

fn eval_error(source: &str) -> String {
    let expr = Expr::parse(source).unwrap();
    expr.eval(&lookup).unwrap_err().to_string()
}

#[test]
fn operators_bind_as_in_arithmetic() {
    assert_eq!(eval("1 + 2 * 3 - 8 / 4"), Cell::Number(5.0));
    assert_eq!(eval("10 - 3 - 2"), Cell::Number(5.0));
    assert_eq!(eval("-(2 + 3) * 2"), Cell::Number(-10.0));
    assert_eq!(eval("7 % 4 + 1.5e1"), Cell::Number(18.0));
    assert_eq!(eval("min(3, max(1, 2)) + abs(-1)"), Cell::Number(3.0));
    assert_eq!(eval("not 1 > 2 and 2 > 1 or false"), Cell::Bool(true));
    assert_eq!(eval("true or true and false"), Cell::Bool(true));
}

#[test]
fn names_and_texts_are_read() {
    assert_eq!(
        eval("seqs <= 0.5 * baseline.e2e_p95_s * 48"),
        Cell::Bool(true)
    );
    assert_eq!(
        eval("dtype == 'fp8' and dtype != \"auto\""),
        Cell::Bool(true)
    );
    assert_eq!(eval("eager or seqs >= 96"), Cell::Bool(true));
    let expr = Expr::parse("a.b + c <= min(c, d)").unwrap();
    assert_eq!(
        expr.names().into_iter().collect::<Vec<_>>(),
        ["a.b", "c", "d"]
    );
}

#[test]
fn null_passes_through_and_only_null_literals_ask_for_it() {
    assert_eq!(eval("missing + 1 > 0"), Cell::Null);
    assert_eq!(eval("missing == missing"), Cell::Null);
    assert_eq!(eval("missing == null"), Cell::Bool(true));
    assert_eq!(eval("seqs != null"), Cell::Bool(true));
    assert_eq!(eval("seqs / zero"), Cell::Null);
    assert_eq!(eval("infinite"), Cell::Null);
    assert_eq!(eval("false and missing > 1"), Cell::Bool(false));
    assert_eq!(eval("true or missing > 1"), Cell::Bool(true));
    assert_eq!(eval("not (missing > 1)"), Cell::Null);
}

#[test]
fn syntax_error_says_column_expectation_and_finding() {
    assert_eq!(
        parse_error("seqs <= )"),
        "column 9: expected a value or a name, found `)`"
    );
    assert_eq!(
        parse_error("(1 + 2"),
        "column 7: expected `)`, found the end"
    );
    assert_eq!(
        parse_error("1 2"),
        "column 3: expected an operator or the end, found `2`"
    );
    assert_eq!(
        parse_error("1 < 2 < 3"),
        "column 7: expected `and` between two comparisons, found `<`"
    );
    assert_eq!(
        parse_error("ä"),
        "column 1: expected a name, a value or an operator, found `ä`"
    );
    assert_eq!(
        parse_error("'x"),
        "column 1: expected a closing `'`, found none"
    );
    assert_eq!(
        parse_error("mean(1)"),
        "column 1: expected a function: `min`, `max` or `abs`, found `mean(`"
    );
    assert_eq!(
        parse_error(""),
        "column 1: expected a value or a name, found the end"
    );
    assert!(parse_error(&"(".repeat(100)).contains("at most 64 levels"));
    assert!(parse_error(&"1+".repeat(10_000)).contains("at most 4096 characters"));
}

#[test]
fn unknown_name_is_an_error_with_the_nearest_one() {
    assert_eq!(eval_error("1 + sqs"), "column 5: unknown name `sqs`");
    let expr = Expr::parse("1 + e2e_p59_s").unwrap();
    let error = expr.check_names(&["ttft_p95_s", "e2e_p95_s"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column 5: unknown name `e2e_p59_s`; did you mean `e2e_p95_s`?"
    );
    assert_eq!(expr.check_names(&["e2e_p59_s"]), Ok(()));
}

#[test]
fn wrong_type_says_what_the_operator_takes() {
    assert_eq!(
        eval_error("seqs + dtype"),
        "column 6: `+` takes two numbers, not a number and text"
    );
    assert_eq!(
        eval_error("dtype == 1"),
        "column 7: cannot compare text with a number"
    );
    assert_eq!(
        eval_error("not seqs"),
        "column 1: `not` takes true or false, not a number"
    );
    assert_eq!(
        eval_error("seqs and true"),
        "column 1: `and` takes true or false, not a number"
    );
    let not_a_condition = Expr::parse("seqs").unwrap().violation(&lookup);
    assert!(matches!(not_a_condition, Err(ExprError::WrongType { .. })));
}

#[test]
fn violation_is_relative_to_the_limit_and_adds_up() {
    assert_eq!(violation("seqs <= 96"), Some(0.0));
    assert_eq!(violation("seqs <= 48"), Some(1.0));
    assert_eq!(violation("seqs >= 192"), Some(0.5));
    assert_eq!(violation("seqs <= zero"), Some(96.0));
    assert_eq!(violation("seqs <= -96"), Some(2.0));
    assert_eq!(violation("seqs <= 48 and (seqs >= 192)"), Some(1.5));
    assert_eq!(violation("seqs <= 48 or seqs >= 192"), Some(0.5));
    assert_eq!(violation("missing <= 1"), None);
    assert_eq!(violation("missing <= 1 and seqs <= 96"), None);
    assert_eq!(violation("missing <= 1 or seqs <= 96"), Some(0.0));
    assert_eq!(violation("dtype == 'auto'"), Some(1.0));
    assert_eq!(violation("eager"), Some(1.0));
    assert!(violation("seqs < 96").unwrap() > 0.0);
}

#[test]
fn expression_prints_as_it_was_written() {
    let source = "min(a,b)  <= 3";
    assert_eq!(Expr::parse(source).unwrap().to_string(), source);
}

/// Sources of conditions over `a`, `b` and `missing`.
fn conditions() -> impl Strategy<Value = String> {
    let operand = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("missing".to_owned()),
        (-9..9_i32).prop_map(|n| format!("({n})")),
        Just("(a - b) * 2".to_owned()),
    ];
    let op = prop_oneof![
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">="),
        Just("=="),
        Just("!=")
    ];
    let leaf = (operand.clone(), op, operand).prop_map(|(l, op, r)| format!("{l} {op} {r}"));
    leaf.prop_recursive(3, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l}) and ({r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l}) or ({r})")),
            inner.prop_map(|of| format!("not ({of})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_parses_or_errs_without_panic(source in "[ -~äé€]{0,40}") {
        let _ = Expr::parse(&source).map(|expr| expr.eval(&lookup));
    }

    #[test]
    fn violation_is_zero_exactly_when_the_condition_holds(
        source in conditions(), a in -1e3..1e3_f64, b in -1e3..1e3_f64,
    ) {
        let lookup = |name: &str| match name {
            "a" => Some(Cell::Number(a)),
            "b" => Some(Cell::Number(b)),
            _ => Some(Cell::Null),
        };
        let expr = Expr::parse(&source).unwrap();
        let violation = expr.violation(&lookup).unwrap();
        if let Cell::Bool(holds) = expr.eval(&lookup).unwrap() {
            prop_assert!(violation.is_none_or(|v| (v == 0.0) == holds));
            prop_assert!(violation.is_some() || !holds);
        } else {
            prop_assert_eq!(violation, None);
        }
    }

    #[test]
    fn sums_and_products_agree_with_rust(a in -1e6..1e6_f64, b in 0.1..1e6_f64) {
        let value = Expr::parse("a * b + a / b - a % b").unwrap().eval(&|name| {
            Some(Cell::Number(if name == "a" { a } else { b }))
        }).unwrap();
        prop_assert_eq!(value, Cell::Number(a * b + a / b - a % b));
    }
}
