//! Files outside can be neither read nor written.

use std::fs;
use std::path::PathBuf;

use crate::{attempt, isolated};

/// A file in the home directory, where secrets are, else in the temporary one; removed at the end.
struct Secret(PathBuf);

impl Secret {
    fn new(name: &str) -> Self {
        let name = format!(".sbt-sandbox-{name}-{}", std::process::id());
        let home = std::env::home_dir().map(|home| home.join(&name));
        let path = home
            .filter(|path| fs::write(path, "the secret").is_ok())
            .unwrap_or_else(|| std::env::temp_dir().join(&name));
        fs::write(&path, "the secret").unwrap();
        Self(path)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn secret_file_is_not_there() {
    let Some(sandbox) = isolated() else { return };
    let secret = Secret::new("read");
    assert_eq!(
        attempt(&sandbox, &format!("print(open({:?}).read())", secret.0)),
        "FileNotFoundError"
    );
    for path in [
        "/proc/1/environ",
        "/proc/self/environ",
        "/etc/passwd",
        "/sys/kernel",
        "/old/etc/passwd",
    ] {
        assert_eq!(
            attempt(&sandbox, &format!("print(open({path:?}).read())")),
            "FileNotFoundError",
            "{path}"
        );
    }
}

#[test]
fn symlink_leads_nowhere() {
    let Some(sandbox) = isolated() else { return };
    let secret = Secret::new("link");
    let body = format!(
        "os.symlink({:?}, 'link')\nprint(open('link').read())",
        secret.0
    );
    assert_eq!(attempt(&sandbox, &body), "FileNotFoundError");
    let upwards = format!(
        "print(open('../' * 20 + {:?}).read())",
        secret.0.strip_prefix("/").unwrap()
    );
    assert_eq!(attempt(&sandbox, &upwards), "FileNotFoundError");
}

#[test]
fn nothing_outside_is_written() {
    let Some(sandbox) = isolated() else { return };
    let secret = Secret::new("write");
    let overwrite = format!("open({:?}, 'w').write('gone')", secret.0);
    assert_ne!(attempt(&sandbox, &overwrite), "");
    assert_eq!(fs::read_to_string(&secret.0).unwrap(), "the secret");
    for path in [
        "/new",
        "/usr/lib/new",
        "/dev/new",
        "/program.py",
        "/lib/new",
    ] {
        let refused = attempt(&sandbox, &format!("open({path:?}, 'w')"));
        assert!(
            ["PermissionError", "OSError"].contains(&refused.as_str()),
            "{path}: {refused}"
        );
    }
    let temporary =
        "open('/tmp/left-behind-by-sandbox', 'w').write('x')\nprint(os.listdir('/tmp'))";
    assert_eq!(attempt(&sandbox, temporary), "['left-behind-by-sandbox']");
    assert!(!fs::exists("/tmp/left-behind-by-sandbox").unwrap());
}

#[test]
fn root_directory_holds_the_interpreter_alone() {
    let Some(sandbox) = isolated() else { return };
    let listed = attempt(
        &sandbox,
        "print(' '.join(sorted(set(os.listdir('/')) - {'root', 'home', 'opt', 'nix'})))",
    );
    let known = ["dev", "etc", "lib", "lib64", "program.py", "tmp", "usr"];
    assert!(
        listed.split(' ').all(|name| known.contains(&name)),
        "{listed}"
    );
    assert_eq!(
        attempt(&sandbox, "print(sorted(os.listdir('/etc')))"),
        "['ld.so.cache']"
    );
}

#[test]
fn files_left_open_by_the_caller_are_closed() {
    let Some(sandbox) = isolated() else { return };
    let secret = Secret::new("open");
    let file = fs::File::open(&secret.0).unwrap();
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
    let tries = "
for fd in range(3, 64):
    try:
        print(fd, os.read(fd, 100))
    except OSError:
        pass";
    assert_eq!(attempt(&sandbox, tries), "");
}
