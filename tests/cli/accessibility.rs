//! The report by the rules of axe-core, in light and dark.

use std::fs;
use std::path::Path;

use crate::browser::{measurement, opened};
use crate::decision::{SMALL, small_decision};
use crate::sandbox::{Sandbox, files_below};

/// Runs the rules and leaves in the document what they found of weight.
const PROBE: &str = r#"<script src="axe.min.js"></script><script>
axe.run().then(found => {
    const faults = found.violations.filter(v => ['serious', 'critical'].includes(v.impact));
    const lines = faults.map(v => `${v.id}: ${v.help}: ${v.nodes[0].html.slice(0, 120)}`);
    const list = document.createElement('pre');
    list.id = 'faults';
    list.textContent = lines.length ? lines.join('\n') : 'no faults';
    document.body.append(list);
});
</script></body>"#;

/// The script of axe-core, where it is installed.
fn axe() -> Option<String> {
    let Some(python) = std::env::var_os("SBT_CHECKS") else {
        println!("skipped: SBT_CHECKS is not set");
        return None;
    };
    let packages = Path::new(&python).parent()?.parent()?.join("lib");
    let script = files_below(&packages)
        .into_iter()
        .find(|file| file.ends_with("axe.min.js"));
    Some(fs::read_to_string(script.expect("tests/install/checks installs it")).unwrap())
}

fn assert_no_faults(sandbox: &Sandbox, pipeline: &str) {
    let Some(axe) = axe() else { return };
    sandbox.write("axe.min.js", &axe);
    let report = sandbox.read(&format!("results/{pipeline}/report.html"));
    let dark = report.replace("(prefers-color-scheme: dark)", "all");
    assert_ne!(report, dark, "the report has a dark mode");
    for page in [report, dark] {
        let Some(document) = opened(sandbox, &page.replace("</body>", PROBE), 1200) else {
            return;
        };
        let (_, faults) = document
            .split_once(r#"<pre id="faults">"#)
            .expect("the rules ran");
        let (faults, _) = faults.split_once("</pre>").unwrap();
        assert_eq!(faults, "no faults");
    }
}

#[test]
fn report_of_a_decision_has_no_serious_fault() {
    let sandbox = small_decision();
    sandbox.ok(SMALL);
    assert_no_faults(&sandbox, "agent_like");
}

#[test]
fn report_of_a_measurement_has_no_serious_fault() {
    let (sandbox, _) = measurement();
    assert_no_faults(&sandbox, "seen");
}
