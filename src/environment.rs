use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr, stdout};

/// What the process was started in: read once, here and nowhere else.
pub(crate) struct Environment {
    /// All variables that are valid text.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether standard output is a terminal that wants colours.
    pub(crate) colour_out: bool,
    /// Whether standard error is a terminal that wants colours.
    pub(crate) colour_err: bool,
    /// Whether progress can be drawn as bars.
    pub(crate) bars: bool,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
        let dumb = variables.get("TERM").is_some_and(|term| term == "dumb");
        let colour = !set("NO_COLOR") && !dumb;
        Self {
            colour_out: colour && stdout().is_terminal(),
            colour_err: colour && stderr().is_terminal(),
            bars: stderr().is_terminal() && !dumb && !set("CI"),
            variables,
        }
    }
}
