//! The log of a server: what it prints, within a limit.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Bytes at the end of a log that failures show.
const TAIL: usize = 4_000;
/// The least that a log keeps, bytes.
const LEAST: u64 = 4_096;

/// A log that a thread of its own writes.
pub(crate) struct Log {
    path: PathBuf,
    limit: u64,
    /// Receives the writer's result when everything that held the pipe is gone.
    end: Receiver<io::Result<()>>,
    broken: Option<io::Error>,
}

impl Log {
    /// Copies what arrives on `output` to a new file at `path`.
    pub(crate) fn start(path: &Path, limit: u64, output: PipeReader) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = Bounded::create(path, limit)?;
        let (done, end) = channel();
        thread::Builder::new()
            .name("server-log".to_owned())
            .spawn(move || {
                // Nobody listens when the server was dropped.
                let _ = done.send(file.copy(output));
            })?;
        Ok(Self {
            path: path.to_owned(),
            limit: limit.max(LEAST),
            end,
            broken: None,
        })
    }

    /// Waits until the last of the output is written; not longer than a moment, since a process
    /// that left the group may hold the pipe for ever.
    pub(crate) fn drain(&mut self) {
        match self.end.recv_timeout(Duration::from_secs(1)) {
            Ok(written) => self.broken = written.err(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    /// Why the log is not whole, after [`Log::drain`].
    pub(crate) fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// All that is kept so far; an unreadable log is empty.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(file) = File::open(&self.path) {
            let _ = file.take(self.limit).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The last line of a log that says something.
pub(crate) fn last_line(text: &str) -> String {
    let mut lines = text.rsplit(['\n', '\r']).map(plain);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// The last lines of a log.
pub(crate) fn tail(text: &str) -> String {
    let from = text.floor_char_boundary(text.len().saturating_sub(TAIL));
    let cut = &text[from..];
    let whole_lines = cut.split_once('\n').filter(|_| from > 0);
    whole_lines
        .map_or(cut, |(_, lines)| lines)
        .trim_end()
        .to_owned()
}

/// A line without what moves a terminal's cursor.
fn plain(line: &str) -> String {
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    line.trim().to_owned()
}

/// A file that keeps the begin and the end of what is written. It is whole at every moment, so
/// that a reader, or a run that was killed, sees the latest lines.
struct Bounded {
    file: File,
    limit: u64,
    written: u64,
    length: u64,
}

impl Bounded {
    fn create(path: &Path, limit: u64) -> io::Result<Self> {
        let mut options = File::options();
        options.create(true).truncate(true).read(true).write(true);
        Ok(Self {
            file: options.open(path)?,
            limit: limit.max(LEAST),
            written: 0,
            length: 0,
        })
    }

    /// Reads to the end in any case: a server must never wait for its log.
    fn copy(&mut self, mut output: PipeReader) -> io::Result<()> {
        let mut chunk = vec![0; 64 << 10];
        let mut result = Ok(());
        loop {
            match output.read(&mut chunk) {
                Ok(0) => return result,
                Ok(count) if result.is_ok() => result = self.write(&chunk[..count]),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return result.and(Err(error)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        self.written += bytes.len() as u64;
        if self.length > self.limit {
            self.leave_out()?;
        }
        Ok(())
    }

    /// Leaves out the middle: half of the limit stays from the begin, a quarter from the end.
    fn leave_out(&mut self) -> io::Result<()> {
        let (begin, end) = (self.limit / 2, self.limit / 4);
        let mut kept = vec![0; usize::try_from(end).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut kept, self.length - end)?;
        let out = self.written - begin - end;
        let mut rest = format!("\n… {out} bytes left out …\n").into_bytes();
        rest.append(&mut kept);
        self.file.write_all_at(&rest, begin)?;
        self.length = begin + rest.len() as u64;
        self.file.set_len(self.length)?;
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: u64, chunks: &[&[u8]]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/server.log");
        let (reader, mut writer) = io::pipe().unwrap();
        let mut log = Log::start(&path, limit, reader).unwrap();
        for chunk in chunks {
            writer.write_all(chunk).unwrap();
        }
        drop(writer);
        log.drain();
        assert!(log.broken().is_none());
        log.text()
    }

    #[test]
    fn short_log_is_kept_whole() {
        assert_eq!(written(4_096, &[b"one\n", b"two\n"]), "one\ntwo\n");
    }

    #[test]
    fn flood_keeps_its_begin_and_its_end_and_counts_the_rest() {
        let lines: Vec<u8> = (0..100_000)
            .flat_map(|i| format!("line {i}\n").into_bytes())
            .collect();
        let text = written(8_192, &[&lines]);
        assert!(text.len() <= 8_192, "{}", text.len());
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 99999\n"));
        let marker = text.lines().find(|line| line.starts_with('…')).unwrap();
        let out: usize = marker.split(' ').nth(1).unwrap().parse().unwrap();
        let frame = format!("\n… {out} bytes left out …\n").len();
        assert_eq!(text.len() - frame + out, lines.len());
    }

    #[test]
    fn tail_is_whole_lines() {
        let text: String = (0..2_000).map(|i| format!("é {i}\n")).collect();
        let tail = tail(&text);
        assert!(tail.starts_with("é ") && tail.ends_with("é 1999") && tail.len() <= TAIL);
        assert_eq!(super::tail("short\n"), "short");
    }

    #[test]
    fn last_line_is_the_last_that_says_something() {
        assert_eq!(last_line("a\n 10 %\r 20 %\r\n \u{1b}\n"), "20 %");
        assert_eq!(last_line(""), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        assert!(written(4_096, &[b"\xff\xfe ok"]).ends_with(" ok"));
    }
}
