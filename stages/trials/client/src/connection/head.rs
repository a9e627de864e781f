use sbt_schemas::RequestStatus;

use super::body::Body;
use crate::answer::Fault;

/// Header fields of an answer that are looked at; more are refused.
const MOST_FIELDS: usize = 100;

/// The head of an answer, as far as anything asks for it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) body: Body,
    /// Whether the connection serves on when the body has ended.
    pub(crate) keeps: bool,
    pub(crate) content_type: Option<String>,
    retry_after: Option<String>,
    date: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Head {
    /// Reads a head with the bytes that it takes; none while it is not whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(no_answer(&error.to_string())),
        };
        let field = |name: &str| {
            let mut all = answer.headers.iter();
            let found = all.find(|field| field.name.eq_ignore_ascii_case(name))?;
            let text = std::str::from_utf8(found.value).ok()?;
            Some(text.trim().to_owned())
        };
        let has = |name: &str, word: &str| {
            let fields = answer.headers.iter();
            let mut fields = fields.filter(|field| field.name.eq_ignore_ascii_case(name));
            fields.any(|field| {
                let mut words = field.value.split(|byte| *byte == b',');
                words.any(|found| found.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
            })
        };
        let status = answer.code.unwrap_or_default();
        let body = match (status, field("content-length")) {
            (100..=199 | 204 | 304, _) => Body::Done,
            _ if has("transfer-encoding", "chunked") => Body::chunked(),
            (_, Some(length)) => Body::Length(
                length
                    .parse()
                    .map_err(|_| no_answer(&format!("content-length is `{length}`")))?,
            ),
            (_, None) => Body::UntilClose,
        };
        let keeps = match answer.version {
            Some(1) => !has("connection", "close"),
            Some(_) | None => has("connection", "keep-alive"),
        };
        let head = Self {
            status,
            keeps: keeps && !matches!(body, Body::UntilClose),
            body,
            content_type: field("content-type"),
            retry_after: field("retry-after"),
            date: field("date"),
            location: field("location"),
            request_id: field("x-request-id"),
        };
        Ok(Some((head, length)))
    }

    /// The pause that it asks for, seconds: as such, or up to a date. That counts from the date of the answer
    /// itself, so that no clock but the server's is asked.
    pub(crate) fn retry_after_s(&self) -> Option<f64> {
        let asked = self.retry_after.as_deref()?;
        if let Ok(s) = asked.parse::<f64>() {
            return Some(s).filter(|s| s.is_finite() && *s >= 0.0);
        }
        let until = httpdate::parse_http_date(asked).ok()?;
        let now = httpdate::parse_http_date(self.date.as_deref()?).ok()?;
        let pause = until.duration_since(now);
        Some(pause.map_or(0.0, |pause| pause.as_secs_f64()))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn no_answer(why: &str) -> Fault {
    (
        RequestStatus::SseGarbage,
        format!("no answer of HTTP: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Head, usize) {
        Head::read(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn body_and_future_of_a_connection_follow_from_the_fields() {
        for (fields, body, keeps) in [
            ("Content-Length: 5\r\n", Body::Length(5), true),
            (
                "transfer-encoding: gzip, Chunked\r\ncontent-length: 5\r\n",
                Body::chunked(),
                true,
            ),
            (
                "transfer-encoding: chunked\r\nConnection: TE, Close\r\n",
                Body::chunked(),
                false,
            ),
            ("", Body::UntilClose, false),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            let (head, length) = read(&text);
            assert_eq!(
                (head.body, head.keeps, length),
                (body, keeps, text.len()),
                "{fields}"
            );
        }
        let (head, _) = read("HTTP/1.0 204 No Content\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!((head.body, head.keeps), (Body::Done, true));
        assert!(!read("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").0.keeps);
    }

    #[test]
    fn head_is_read_when_it_is_whole() {
        let whole = b"HTTP/1.1 429 Slow\r\nRetry-After:  7 \r\ncontent-length: 0\r\n\r\n";
        for end in 0..whole.len() {
            assert!(Head::read(&whole[..end]).unwrap().is_none(), "{end}");
        }
        let (head, _) = Head::read(whole).unwrap().unwrap();
        assert_eq!((head.status, head.retry_after.as_deref()), (429, Some("7")));
        assert!(Head::read(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n").is_err());
    }
}
