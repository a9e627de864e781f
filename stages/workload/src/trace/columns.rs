use super::record::{Column, Header, Record, Records};
use super::{Recorded, Request, TraceError};
use crate::params::Columns;

/// Where the columns of a plain trace are.
struct Places {
    arrival_s: Option<Column>,
    prompt_tokens: Column,
    output_tokens: Column,
    session: Option<Column>,
    think_s: Option<Column>,
    duration_s: Option<Column>,
    category: Option<Column>,
    prompt: Option<Column>,
}

/// Reads a plain trace by the names of its columns.
pub(super) fn read(
    file: &str,
    records: Records<'_>,
    columns: &Columns,
) -> Result<Recorded, TraceError> {
    let places = Places::find(&records.header, columns)?;
    let requests = records.rows.map(|record| places.request(&record?));
    Ok(Recorded {
        has_times: places.arrival_s.is_some(),
        ..Recorded::new(file, requests.collect::<Result<_, _>>()?)
    })
}

impl Places {
    fn find(header: &Header, columns: &Columns) -> Result<Self, TraceError> {
        let optional = |given: &Option<String>, name: &str| match given {
            Some(given) => header.need(given).map(Some),
            None => Ok(header.find(name)),
        };
        let needed = |given: &Option<String>, name: &str| match given {
            Some(given) => header.need(given),
            None => header.need_or(
                name,
                &format!("; say which one it is by `columns = {{ {name} = \"…\" }}`"),
            ),
        };
        Ok(Self {
            arrival_s: optional(&columns.arrival_s, "arrival_s")?,
            prompt_tokens: needed(&columns.prompt_tokens, "prompt_tokens")?,
            output_tokens: needed(&columns.output_tokens, "output_tokens")?,
            session: optional(&columns.session, "session")?,
            think_s: optional(&columns.think_s, "think_s")?,
            duration_s: optional(&columns.duration_s, "duration_s")?,
            category: optional(&columns.category, "category")?,
            prompt: optional(&columns.prompt, "prompt")?,
        })
    }

    fn request(&self, record: &Record) -> Result<Request, TraceError> {
        let filled = |column: Option<Column>| column.filter(|c| !record.text(*c).is_empty());
        let text = |column| filled(column).map(|c| record.text(c).to_owned());
        let number = |column| filled(column).map(|c| record.number(c)).transpose();
        let arrival_s = self
            .arrival_s
            .map(|column| record.number(column))
            .transpose()?;
        Ok(Request {
            arrival_s: arrival_s.unwrap_or(0.0),
            prompt_tokens: record.whole(self.prompt_tokens)?,
            output_tokens: record.whole(self.output_tokens)?,
            block_ids: Vec::new(),
            session: text(self.session),
            think_s: number(self.think_s)?.map(|s| s.max(0.0)),
            duration_s: number(self.duration_s)?.unwrap_or(0.0),
            category: text(self.category).unwrap_or_else(|| "trace".to_owned()),
            prompt: text(self.prompt),
        })
    }
}
