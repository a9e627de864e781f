//! TOML values as figment's, which have no dates and keep keys sorted.

use std::ops::Range;

use figment::value::{Dict, Num, Tag, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

/// A number that no JSON document, and so no key, can hold.
pub(crate) struct Unfit {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

/// A table without the values that do not fit.
pub(crate) fn dict(table: &DeTable<'_>, unfit: &mut Vec<Unfit>) -> Dict {
    let entries = table.iter().filter_map(|(key, item)| {
        let key = key.get_ref().to_string();
        Some((key, value(item, unfit)?))
    });
    entries.collect()
}

/// A value, if it fits.
pub(crate) fn value(item: &Spanned<DeValue<'_>>, unfit: &mut Vec<Unfit>) -> Option<Value> {
    let tag = Tag::Default;
    let number = match item.get_ref() {
        DeValue::String(text) => return Some(Value::String(tag, text.to_string())),
        DeValue::Boolean(flag) => return Some(Value::Bool(tag, *flag)),
        DeValue::Datetime(datetime) => return Some(Value::String(tag, datetime.to_string())),
        DeValue::Table(table) => return Some(Value::Dict(tag, dict(table, unfit))),
        DeValue::Array(items) => {
            let items = items.iter().filter_map(|item| value(item, unfit));
            return Some(Value::Array(tag, items.collect()));
        }
        DeValue::Integer(number) => integer(number),
        DeValue::Float(number) => float(number),
    };
    match number {
        Ok(number) => Some(Value::Num(tag, number)),
        Err(message) => {
            unfit.push(Unfit {
                span: item.span(),
                message,
            });
            None
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Result<Num, String> {
    let (digits, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(digits, radix).map(Num::I64);
    signed
        .or_else(|_| u64::from_str_radix(digits, radix).map(Num::U64))
        .map_err(|_| format!("{number} does not fit into 64 bits"))
}

fn float(number: &DeFloat<'_>) -> Result<Num, String> {
    let finite = number.as_str().parse().ok().filter(|f: &f64| f.is_finite());
    finite
        .map(Num::F64)
        .ok_or_else(|| format!("expected a finite number, found {number}"))
}

/// The value as JSON. Strings stay as written.
pub(crate) fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::String(_, text) => Json::String(text.clone()),
        Value::Char(_, c) => Json::String(c.to_string()),
        Value::Bool(_, flag) => Json::Bool(*flag),
        Value::Num(_, number) => number_json(*number),
        Value::Empty(..) => Json::Null,
        Value::Dict(_, entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.clone(), json(value)));
            Json::Object(entries.collect())
        }
        Value::Array(_, items) => items.iter().map(json).collect(),
    }
}

fn number_json(number: Num) -> serde_json::Value {
    match number {
        Num::U8(n) => n.into(),
        Num::U16(n) => n.into(),
        Num::U32(n) => n.into(),
        Num::U64(n) => n.into(),
        Num::I8(n) => n.into(),
        Num::I16(n) => n.into(),
        Num::I32(n) => n.into(),
        Num::I64(n) => n.into(),
        Num::F32(n) => n.into(),
        Num::F64(n) => n.into(),
        Num::USize(n) => n.into(),
        Num::ISize(n) => n.into(),
        // Neither is made here: TOML's integers are read as 64 bits.
        Num::U128(n) => n.to_string().into(),
        Num::I128(n) => n.to_string().into(),
    }
}
