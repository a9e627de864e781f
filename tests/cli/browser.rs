//! The report in headless Chromium.

use std::fs;
use std::process::Command;

use crate::decision::{SMALL, small_decision};
use crate::sandbox::Sandbox;

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=2000",
];

/// Loads a page at a width and returns its document after a script has measured it.
fn measured(sandbox: &Sandbox, width: u32) -> Option<String> {
    let report = sandbox.read("results/agent_like/report.html");
    let probe = "<script>const d=document.documentElement;\
        d.dataset.wide=d.scrollWidth>d.clientWidth;\
        d.dataset.loads=performance.getEntriesByType('resource').length;\
        d.dataset.plots=[...document.querySelectorAll('svg')].filter(s=>s.getBoundingClientRect().height>50).length;\
        </script></body>";
    let page = sandbox.write("probe.html", &report.replace("</body>", probe));
    let profile = sandbox.path(&format!("chromium-{width}"));
    let output = Command::new("chromium")
        .args(FLAGS)
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output();
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            println!("skipped: no chromium on this machine ({error})");
            None
        }
    }
}

#[test]
fn report_in_chromium_fits_phone_and_desk_and_loads_nothing() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    for width in [500, 1200] {
        let Some(document) = measured(&sandbox, width) else {
            return;
        };
        assert!(
            document.contains("data-wide=\"false\""),
            "scrolls sideways at {width}"
        );
        assert!(document.contains("data-loads=\"0\""), "loads something");
        assert!(
            document.contains("data-plots=\"3\""),
            "three plots are drawn at {width}"
        );
    }
}

#[test]
fn report_prints_to_paper() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let pdf = sandbox.path("report.pdf");
    let status = Command::new("chromium")
        .args(FLAGS)
        .arg(format!(
            "--user-data-dir={}",
            sandbox.path("chromium").display()
        ))
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!(
            "file://{}",
            sandbox.path("results/agent_like/report.html").display()
        ))
        .output();
    if let Err(error) = status {
        println!("skipped: no chromium on this machine ({error})");
        return;
    }
    assert!(fs::metadata(&pdf).is_ok_and(|file| file.len() > 10_000));
}
