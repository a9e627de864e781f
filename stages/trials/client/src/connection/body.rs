use std::ops::Range;

use sbt_schemas::RequestStatus;

use crate::answer::Fault;

/// Bytes of a line between chunks; chosen: extensions are hardly ever used.
const LINE_CAP: usize = 4 << 10;

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    Done,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// All that comes.
    UntilClose,
}

/// Where a body of chunks stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// Before the line with a size.
    Size,
    /// So many bytes before a chunk's end.
    Data(u64),
    /// Before the line that ends a chunk.
    End,
    /// After the last chunk.
    Trailer,
}

/// What the bytes at hand hold of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Content, at these places; all before it is used up as well.
    Content(Range<usize>),
    /// No content; so many bytes are used up, and more must come.
    More(usize),
    /// The end; so many bytes are used up.
    End(usize),
}

impl Body {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Takes the next content from the bytes at hand.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Piece, Fault> {
        let all = bytes.len();
        Ok(match self {
            Self::Done | Self::Length(0) => Piece::End(0),
            Self::Length(_) | Self::UntilClose if all == 0 => Piece::More(0),
            Self::UntilClose => Piece::Content(0..all),
            Self::Length(left) => Piece::Content(0..take(left, all)),
            Self::Chunked(chunk) => match chunk.next(bytes)? {
                Piece::End(used) => {
                    *self = Self::Done;
                    Piece::End(used)
                }
                piece @ (Piece::Content(_) | Piece::More(_)) => piece,
            },
        })
    }
}

impl Chunk {
    fn next(&mut self, bytes: &[u8]) -> Result<Piece, Fault> {
        let mut at = 0;
        loop {
            if let Self::Data(left) = self {
                if at == bytes.len() {
                    return Ok(Piece::More(at));
                }
                let end = at + take(left, bytes.len() - at);
                if *left == 0 {
                    *self = Self::End;
                }
                return Ok(Piece::Content(at..end));
            }
            let Some(end) = memchr::memchr(b'\n', &bytes[at..]) else {
                if bytes.len() - at > LINE_CAP {
                    return Err(broken("a line without end between its chunks"));
                }
                return Ok(Piece::More(at));
            };
            let line = bytes[at..at + end].trim_ascii();
            at += end + 1;
            *self = match self {
                Self::Size => match size(line)? {
                    0 => Self::Trailer,
                    size => Self::Data(size),
                },
                Self::Trailer if line.is_empty() => return Ok(Piece::End(at)),
                Self::Trailer => Self::Trailer,
                Self::End if line.is_empty() => Self::Size,
                Self::End | Self::Data(_) => return Err(broken("a chunk longer than its size")),
            };
        }
    }
}

/// Takes at most `most` from what is left.
fn take(left: &mut u64, most: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(most);
    *left -= taken as u64;
    taken
}

fn size(line: &[u8]) -> Result<u64, Fault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let digits = std::str::from_utf8(digits.trim_ascii()).ok();
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    size.ok_or_else(|| broken("a chunk without a size"))
}

fn broken(what: &str) -> Fault {
    (RequestStatus::StreamCut, format!("the answer holds {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The content of a body that comes in pieces; none where it is broken, or not at its end.
    fn read(mut body: Body, pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let (mut content, mut held) = (Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            loop {
                match body.next(&held).ok()? {
                    Piece::Content(range) => {
                        content.extend_from_slice(&held[range.clone()]);
                        held.drain(..range.end);
                    }
                    Piece::More(used) => {
                        held.drain(..used);
                        break;
                    }
                    Piece::End(_) => return Some(content),
                }
            }
        }
        None
    }

    #[test]
    fn chunks_with_extensions_and_trailers_are_read() {
        let text = b"4;a=b\r\nwiki\r\n0005 \r\npedia\r\n0\r\nexpires: never\r\n\r\n";
        assert_eq!(read(Body::chunked(), &[text]).unwrap(), b"wikipedia");
        assert_eq!(read(Body::chunked(), &[b"1\na\n0\n\n"]).unwrap(), b"a");
    }

    #[test]
    fn broken_chunks_are_faults() {
        for text in [
            "zz\r\n",
            "\r\n",
            "-1\r\n",
            "2\r\nabc\r\n",
            "fffffffffffffffff\r\n",
        ] {
            assert_eq!(read(Body::chunked(), &[text.as_bytes()]), None, "{text}");
        }
        let endless = vec![b'0'; LINE_CAP + 1];
        assert!(Body::chunked().next(&endless).is_err());
    }

    #[test]
    fn counted_body_ends_with_its_last_byte() {
        assert_eq!(read(Body::Length(3), &[b"a", b"bcd"]).unwrap(), b"abc");
        assert_eq!(read(Body::Length(0), &[b""]).unwrap(), b"");
        assert_eq!(read(Body::Length(3), &[b"ab"]), None);
        assert_eq!(Body::UntilClose.next(b"ab"), Ok(Piece::Content(0..2)));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_content(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend(format!("{:X}\r\n", chunk.len()).into_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(read(Body::chunked(), &pieces), Some(chunks.concat()));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(Body::chunked(), &[&bytes]);
            let _ = crate::connection::head::Head::read(&bytes);
        }
    }
}
