//! A root of its own: the interpreter, its libraries and an empty `/tmp`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::protocol::{Refusal, Step};
use crate::Python;

/// Where the dynamic loader looks by itself.
const LIBRARIES: [&str; 6] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
];

/// Devices that hold nothing of the machine.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/urandom"];

/// Where the old root hangs while the new one is built.
const OLD: &str = "/old";

/// The program's text in the new root.
pub(super) const PROGRAM: &str = "/program.py";

/// Replaces the root. `owner` (user and group) owns `/tmp`, which holds `tmp_mb` MB.
pub(super) fn replace_root(
    python: &Python,
    program: &str,
    tmp_mb: u64,
    owner: u32,
) -> Result<(), Refusal> {
    let visible = visible(python);
    swap().step("change the root directory")?;
    for (place, origin) in &visible {
        show(place, origin).step("show the interpreter's files")?;
    }
    fs::write(PROGRAM, program).step("write the program")?;
    let options = format!("size={tmp_mb}m,nr_inodes=1024,mode=0700,uid={owner},gid={owner}");
    fs::create_dir("/tmp").step("make a temporary directory")?;
    tmpfs("/tmp", &options).step("make a temporary directory")?;
    rustix::mount::unmount(OLD, UnmountFlags::DETACH).step("leave the old root")?;
    fs::remove_dir(OLD).step("leave the old root")?;
    let sealed = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount("/", sealed, "").step("seal the root directory")?;
    std::env::set_current_dir("/tmp").step("enter the temporary directory")
}

/// What exists of the files to show, by place and origin (a path without symbolic links, which
/// would lead astray below the old root).
fn visible(python: &Python) -> Vec<(PathBuf, PathBuf)> {
    let mut places: Vec<&Path> = LIBRARIES.iter().chain(&DEVICES).map(Path::new).collect();
    places.extend(python.library.iter().map(PathBuf::as_path));
    places.extend(python.shared.iter().map(PathBuf::as_path));
    places.push(&python.executable);
    places.sort();
    places.dedup();
    let mut shown: Vec<(PathBuf, PathBuf)> = Vec::new();
    for place in places {
        let inside = shown.iter().any(|(above, _)| place.starts_with(above));
        if let (false, Ok(origin)) = (inside, fs::canonicalize(place)) {
            shown.push((place.to_owned(), origin));
        }
    }
    shown
}

/// Makes an empty root and hangs the old one below it.
fn swap() -> io::Result<()> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private)?;
    tmpfs("/tmp", "size=16m,mode=0755")?;
    fs::create_dir("/tmp/old")?;
    rustix::process::pivot_root("/tmp", "/tmp/old")?;
    std::env::set_current_dir("/")
}

fn tmpfs(place: &str, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount(
        "tmpfs",
        place,
        "tmpfs",
        flags,
        options.as_c_str(),
    )?)
}

/// Binds `origin` of the old root to `place`, read-only.
fn show(place: &Path, origin: &Path) -> io::Result<()> {
    let below = origin.strip_prefix("/").map_err(io::Error::other)?;
    let origin = Path::new(OLD).join(below);
    if origin.is_dir() {
        fs::create_dir_all(place)?;
    } else {
        fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))?;
        fs::write(place, "")?;
    }
    rustix::mount::mount_bind_recursive(&origin, place)?;
    let flags = locked(statvfs(place)?.f_flag) | MountFlags::BIND | MountFlags::RDONLY;
    Ok(rustix::mount::mount_remount(
        place,
        flags | MountFlags::NOSUID,
        "",
    )?)
}

/// The flags of the origin's mount, which a user namespace may not take off.
fn locked(flags: StatVfsMountFlags) -> MountFlags {
    [
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ]
    .into_iter()
    .filter(|(present, _)| flags.contains(*present))
    .fold(MountFlags::empty(), |all, (_, flag)| all | flag)
}
