use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::process::{self, Process};
use crate::{GpuLevels, Gpus};

const MB: f64 = 1e6;
/// Samples between two looks for new processes: listing all of the machine's costs more than
/// reading the server's.
const LOOK_EVERY: u32 = 8;

/// What a server uses at one moment; `T` is what the caller reads of the server itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<T> {
    /// When, from the sampler's origin, s.
    pub time_s: f64,
    /// Its GPUs.
    pub gpu: GpuLevels,
    /// Its processes.
    pub group: GroupLevels,
    /// What the server says.
    pub server: T,
}

/// The processes of a server at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct GroupLevels {
    /// How many run.
    pub processes: u32,
    /// Resident memory, 10^6 bytes; pages shared between processes count in each.
    pub rss_mb: f64,
    /// Processor cores in use since the sample before. None in the first sample.
    pub cpu_cores: Option<f64>,
}

/// A thread that takes samples at a fixed rate. Dropping it stops it.
#[derive(Debug)]
pub struct Sampler<T> {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample<T>>>,
}

impl<T: Send + 'static> Sampler<T> {
    /// Samples the process group `pid` `hz` times a second, with times from `origin`. `server`
    /// is called for each sample, on the sampler's thread; a sample that it delays is later, and
    /// those that were due meanwhile are left out. Without `gpus` their levels are null.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        pid: u32,
        gpus: Option<Gpus>,
        hz: f64,
        origin: Instant,
        mut server: impl FnMut() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let period = Duration::from_secs_f64(1.0 / hz.clamp(0.01, 100.0));
        let work = move || {
            let mut group = Group::new(pid);
            let mut samples = Vec::new();
            let mut due = Instant::now();
            loop {
                samples.push(Sample {
                    time_s: origin.elapsed().as_secs_f64(),
                    gpu: gpus.as_ref().map(Gpus::levels).unwrap_or_default(),
                    group: group.levels(),
                    server: server(),
                });
                let now = Instant::now();
                while due <= now {
                    due += period;
                }
                match stopped.recv_timeout(due - now) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return samples,
                }
            }
        };
        let thread = thread::Builder::new().name("sampler".to_owned());
        Ok(Self {
            stop,
            thread: thread.spawn(work)?,
        })
    }

    /// Ends the sampling and gives every sample, the first at the start.
    ///
    /// # Panics
    /// When the caller's closure did.
    #[must_use]
    pub fn stop(self) -> Vec<Sample<T>> {
        // The thread is gone only when it panicked.
        let _ = self.stop.send(());
        match self.thread.join() {
            Ok(samples) => samples,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A process group between two samples.
struct Group {
    id: u32,
    known: Vec<Process>,
    looks: u32,
    read: Instant,
}

impl Group {
    fn new(id: u32) -> Self {
        Self {
            id,
            known: Vec::new(),
            looks: 0,
            read: Instant::now(),
        }
    }

    fn levels(&mut self) -> GroupLevels {
        let members = self.members();
        let now = Instant::now();
        let elapsed_s = now.duration_since(self.read).as_secs_f64();
        let first = self.known.is_empty();
        let used_s: f64 = members.iter().map(|member| self.used_s(member)).sum();
        let levels = GroupLevels {
            processes: u32::try_from(members.len()).unwrap_or(u32::MAX),
            rss_mb: members.iter().map(|m| m.rss_bytes() as f64 / MB).sum(),
            cpu_cores: (!first && elapsed_s > 0.0).then(|| used_s / elapsed_s),
        };
        self.known = members;
        self.read = now;
        levels
    }

    fn members(&mut self) -> Vec<Process> {
        let look = self.looks.is_multiple_of(LOOK_EVERY);
        self.looks = self.looks.wrapping_add(1);
        if look {
            return process::members(self.id);
        }
        let known = self
            .known
            .iter()
            .filter_map(|known| Process::read(known.pid));
        known
            .filter(|now| now.group == self.id && now.is_alive())
            .collect()
    }

    /// CPU time of a member since the sample before, s. One that was not seen then counts from
    /// now on: what it used before belongs to no sample.
    fn used_s(&self, member: &Process) -> f64 {
        let same = |known: &&Process| known.pid == member.pid && known.started == member.started;
        let before = self.known.iter().find(same);
        before.map_or(0.0, |before| member.cpu_s() - before.cpu_s())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    /// Waits until the sampler has seen enough, or a generous limit.
    fn samples_of(script: &str, enough: usize) -> Vec<Sample<usize>> {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .spawn()
            .unwrap();
        let (seen, seeing) = channel();
        let mut count = 0;
        let sampler = Sampler::start(child.id(), None, 50.0, Instant::now(), move || {
            count += 1;
            let _ = seen.send(count);
            count
        });
        let sampler = sampler.unwrap();
        while seeing.recv_timeout(Duration::from_secs(30)).unwrap() < enough {}
        let samples = sampler.stop();
        process::signal(child.id(), rustix::process::Signal::KILL);
        child.wait().unwrap();
        samples
    }

    #[test]
    fn busy_group_shows_its_processes_memory_and_cores() {
        let samples = samples_of("while :; do :; done & while :; do :; done", 25);
        let last = samples.last().unwrap();
        assert_eq!(last.group.processes, 2);
        assert!(last.group.rss_mb > 0.0);
        assert!(
            samples.iter().any(|s| s.group.cpu_cores > Some(0.0)),
            "{samples:?}"
        );
        assert_eq!(samples[0].group.cpu_cores, None);
        assert!(samples.is_sorted_by(|a, b| a.time_s < b.time_s && a.server < b.server));
        assert_eq!(last.gpu, GpuLevels::default());
    }

    #[test]
    fn group_that_ends_leaves_empty_samples() {
        let samples = samples_of("exit 0", 25);
        let none = GroupLevels::default();
        let last = samples.last().unwrap();
        assert_eq!(
            (last.group.processes, last.group.rss_mb),
            (none.processes, none.rss_mb)
        );
    }
}
