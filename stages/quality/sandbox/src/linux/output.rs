//! A pipe that is emptied without waiting, of which only the beginning is kept.

use std::io::{self, Read};

use crate::Stream;

/// One pipe of the program. More than the cap is read and thrown away, so that the program never
/// waits for a reader.
pub(super) struct Output<R> {
    pub(super) pipe: R,
    pub(super) open: bool,
    kept: Vec<u8>,
    most: usize,
    cut: bool,
}

impl<R: Read> Output<R> {
    /// `pipe` must not block.
    pub(super) fn new(pipe: R, most: usize) -> Self {
        Self {
            pipe,
            open: true,
            kept: Vec::new(),
            most,
            cut: false,
        }
    }

    /// Reads what is there, at most a few buffers, so that one pipe cannot hold up the others
    /// (but more than a pipe holds).
    pub(super) fn drain(&mut self) {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..16 {
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.open = false,
                Ok(n) => self.keep(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.open = false,
            }
            if !self.open {
                return;
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.most - self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.cut |= room < bytes.len();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.kept
    }

    pub(super) fn into_stream(self) -> Stream {
        Stream {
            text: String::from_utf8_lossy(&self.kept).into_owned(),
            cut: self.cut,
        }
    }
}
