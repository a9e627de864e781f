use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often a lock that is held is tried again.
const POLL: Duration = Duration::from_millis(100);

/// The right to measure on one part of the machine, such as `gpu-0`, `cpu` or `port-8000`. The
/// kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

impl MachineLock {
    /// Waits for the lock `name` of a folder that all runs of the machine share. `on_wait` is
    /// called once, with what the holder said of itself, when the lock is held. None when
    /// `cancelled` says so first.
    ///
    /// # Errors
    /// When the file cannot be made or locked, or `name` is no plain name.
    pub fn acquire(
        state_dir: &Path,
        name: &str,
        on_wait: impl FnOnce(&str),
        cancelled: &dyn Fn() -> bool,
    ) -> io::Result<Option<Self>> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            let message = format!("`{name}` is no name of a lock");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let folder = state_dir.join("locks");
        fs::create_dir_all(&folder)?;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(folder.join(name))?;
        let mut on_wait = Some(on_wait);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {}
            }
            if cancelled() {
                return Ok(None);
            }
            if let Some(on_wait) = on_wait.take() {
                on_wait(&holder(&mut file));
            }
            thread::sleep(POLL);
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "process {}", std::process::id())?;
        Ok(Some(Self { _file: file }))
    }
}

fn holder(file: &mut File) -> String {
    let mut said = String::new();
    // What the holder says is for people; that it holds is known without.
    let read = file
        .rewind()
        .and_then(|()| file.take(256).read_to_string(&mut said));
    match read {
        Ok(count) if count > 0 => said,
        Ok(_) | Err(_) => "another process".to_owned(),
    }
}
