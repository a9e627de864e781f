//! Server-sent events: bytes in, events out, in place where an event lies whole in its bytes.

/// Bytes of a line, and of the data of one event. Chosen: a hundred times the longest event seen.
pub(crate) const LINE_CAP: usize = 1 << 20;

/// One thing of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// The data of an event, its lines joined by newlines.
    Data(&'a [u8]),
    /// The data of an event that is named an error.
    Error(&'a [u8]),
    /// A comment: the server is alive.
    Comment,
    /// A line that is none of the format, or longer than the cap. The reader is at its end after the
    /// latter.
    Malformed(&'a [u8]),
}

/// Holds what a piece of the stream left unfinished; never more than a few times the cap.
#[derive(Debug, Default)]
pub(crate) struct SseReader {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    is_error: bool,
    is_over: bool,
}

impl SseReader {
    /// Reads on, wherever the bytes were cut.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        while !self.is_over && !bytes.is_empty() {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.hold(bytes, sink);
                return;
            };
            let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.line.is_empty() {
                if self.whole_event(head, rest, sink) {
                    bytes = after_blank(rest);
                } else {
                    self.read_line(head, sink);
                }
            } else {
                self.hold(head, sink);
                let line = std::mem::take(&mut self.line);
                if !self.is_over {
                    self.read_line(&line, sink);
                }
                // the buffer is used again
                self.line = line;
                self.line.clear();
            }
        }
    }

    /// Whether the stream ended within its terminator, which servers may leave without a blank line.
    pub(crate) fn ends_with_terminator(&self) -> bool {
        let held = if self.has_data {
            &self.data
        } else {
            value_of(trimmed(&self.line), b"data").unwrap_or_default()
        };
        held == TERMINATOR
    }

    /// Emits an event of one line at once, without a copy, when its blank line follows.
    fn whole_event(&self, head: &[u8], rest: &[u8], sink: &mut impl FnMut(Event<'_>)) -> bool {
        if self.has_data || self.is_error || head.len() > LINE_CAP || !starts_blank(rest) {
            return false;
        }
        let Some(data) = value_of(trimmed(head), b"data") else {
            return false;
        };
        sink(Event::Data(data));
        true
    }

    fn hold(&mut self, bytes: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        if self.line.len() + bytes.len() > LINE_CAP {
            self.overflow(sink);
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn overflow(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        self.is_over = true;
        sink(Event::Malformed(b"a line or event of more than 1 MiB"));
        self.line = Vec::new();
        self.data = Vec::new();
    }

    fn read_line(&mut self, line: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        if line.len() > LINE_CAP {
            self.overflow(sink);
            return;
        }
        let line = trimmed(line);
        if line.is_empty() {
            self.dispatch(sink);
        } else if line.starts_with(b":") {
            sink(Event::Comment);
        } else if let Some(data) = value_of(line, b"data") {
            self.add(data, sink);
        } else if let Some(name) = value_of(line, b"event") {
            self.is_error = name == b"error";
        } else if let Some(data) = value_of(line, b"error") {
            // llama.cpp before b5000 named the field and not the event
            self.is_error = true;
            self.add(data, sink);
        } else if value_of(line, b"id").is_none() && value_of(line, b"retry").is_none() {
            sink(Event::Malformed(line));
        }
    }

    fn add(&mut self, data: &[u8], sink: &mut impl FnMut(Event<'_>)) {
        if self.data.len() + data.len() >= LINE_CAP {
            self.overflow(sink);
            return;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(data);
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(Event<'_>)) {
        if self.has_data {
            sink(if self.is_error {
                Event::Error(&self.data)
            } else {
                Event::Data(&self.data)
            });
        }
        self.data.clear();
        self.has_data = false;
        self.is_error = false;
    }
}

/// Data that ends a stream.
pub(crate) const TERMINATOR: &[u8] = b"[DONE]";

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn starts_blank(rest: &[u8]) -> bool {
    rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
}

fn after_blank(rest: &[u8]) -> &[u8] {
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    rest.strip_prefix(b"\n").unwrap_or(rest)
}

/// What follows `name:` and at most one space; a bare `name` has an empty value.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Events as text, so that they outlive the reader's buffers.
    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = SseReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            reader.feed(piece, &mut |event| {
                let shown = |kind: &str, data: &[u8]| format!("{kind}{}", data.escape_ascii());
                events.push(match event {
                    Event::Data(data) => shown("", data),
                    Event::Error(data) => shown("error ", data),
                    Event::Comment => "ping".to_owned(),
                    Event::Malformed(line) => shown("malformed ", line),
                });
            });
            assert!(reader.line.len() <= LINE_CAP && reader.data.len() <= LINE_CAP);
        }
        events
    }

    #[test]
    fn lines_of_one_event_are_joined() {
        assert_eq!(read(&[b"data: a\ndata:b\ndata\n\n"]), ["a\\nb\\n"]);
    }

    #[test]
    fn both_line_ends_and_comments_are_read() {
        let stream = b": keep-alive\r\n\r\ndata: 1\r\n\r\nid: 7\nretry: 5\ndata: 2\n\n";
        assert_eq!(read(&[stream]), ["ping", "1", "2"]);
    }

    #[test]
    fn error_is_known_by_event_and_by_field() {
        let stream = b"event: error\ndata: x\n\nerror: y\n\nevent: message\ndata: z\n\n";
        assert_eq!(read(&[stream]), ["error x", "error y", "z"]);
    }

    #[test]
    fn line_of_another_format_is_malformed() {
        let stream = b"<html>\n{\"error\": 1}\ndata: a\n\n";
        assert_eq!(
            read(&[stream]),
            ["malformed <html>", "malformed {\\\"error\\\": 1}", "a"]
        );
    }

    #[test]
    fn endless_line_and_endless_event_end_the_reader() {
        let over = "malformed a line or event of more than 1 MiB";
        let line = vec![b'x'; LINE_CAP + 1];
        assert_eq!(read(&[&line, b"\ndata: a\n\n"]), [over]);
        let event = b"data: 0123456789abcdef\n".repeat(LINE_CAP / 16 + 1);
        assert_eq!(read(&[&event]), [over]);
        let whole = [b"data: ", line.as_slice(), b"\n\n"].concat();
        assert_eq!(read(&[&whole]), [over]);
    }

    #[test]
    fn terminator_needs_no_blank_line() {
        for end in ["data: [DONE]", "data: [DONE]\n", "data:[DONE]\r"] {
            let mut reader = SseReader::default();
            reader.feed(b"data: a\n\n", &mut |_| {});
            assert!(!reader.ends_with_terminator());
            reader.feed(end.as_bytes(), &mut |event| panic!("{event:?}"));
            assert!(reader.ends_with_terminator(), "{end:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            lines in prop::collection::vec(
                prop::sample::select(vec![
                    "data: {\"a\":\"é€😀\"}", "data: x", "data:", "", "", "", ": ping", "event: error",
                    "error: y", "id: 1", "oops", "data: [DONE]", "\r", "data: z\r", "event: message\r",
                ]), 0..40),
            cuts in prop::collection::vec(0_usize..400, 0..30),
        ) {
            let stream = lines.join("\n").into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            let bytes: Vec<_> = stream.chunks(1).collect();
            let whole = read(&[&stream]);
            prop_assert_eq!(&read(&pieces), &whole);
            prop_assert_eq!(&read(&bytes), &whole);
        }

        #[test]
        fn any_bytes_are_survived(pieces in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
            let whole = pieces.concat();
            prop_assert_eq!(read(&pieces), read(&[&whole]));
        }
    }
}
