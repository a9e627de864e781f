//! What `sbt stages` says of servers.

use sbt_stages::{KnobSpec, ServerSpec};
use serde_json::{Value, json};

use super::stages::section;
use crate::terminal::style::Paint;

/// Names of all servers with what they are.
pub(super) fn list() -> Vec<(String, String)> {
    let servers = ServerSpec::names();
    let servers = servers
        .into_iter()
        .filter_map(|name| ServerSpec::named(name).ok());
    servers
        .map(|server| {
            let knobs = server.knobs.len();
            (
                server.name.clone(),
                format!("{} {knobs} knobs.", server.about),
            )
        })
        .collect()
}

pub(super) fn reference(server: &ServerSpec, paint: Paint) -> String {
    let mut text = format!(
        "{}  {} Described as of {}.\n",
        paint.bold(&server.name),
        server.about,
        server.version
    );
    let knobs = in_file_order(server).into_iter();
    let knobs = knobs.map(|(name, knob)| (name.clone(), about(knob)));
    section(&mut text, paint, "knobs", knobs);
    let rules = server.rules.iter();
    let rules = rules.map(|rule| (rule.expect.clone(), String::new()));
    section(&mut text, paint, "rules", rules);
    text
}

pub(super) fn json(server: &ServerSpec) -> Value {
    let knobs = in_file_order(server).into_iter().map(|(name, knob)| {
        json!({
            "name": name,
            "flag": knob.flag,
            "values": knob.kind.to_string(),
            "default": knob.default,
            "default_about": knob.default_about,
            "restart": knob.restart,
            "quality": knob.quality,
            "about": knob.about,
            "source": knob.source,
        })
    });
    let rules = server.rules.iter();
    let rules = rules.map(|rule| json!({ "expect": rule.expect, "message": rule.message }));
    json!({
        "name": server.name,
        "version": server.version,
        "about": server.about,
        "knobs": knobs.collect::<Value>(),
        "rules": rules.collect::<Value>(),
    })
}

fn in_file_order(server: &ServerSpec) -> Vec<(&String, &KnobSpec)> {
    let mut knobs: Vec<_> = server.knobs.iter().collect();
    knobs.sort_by_key(|(_, knob)| knob.place);
    knobs
}

fn about(knob: &KnobSpec) -> String {
    let default = match (&knob.default, &knob.default_about) {
        (Some(value), _) => value.to_string(),
        (None, about) => about.clone().unwrap_or_default(),
    };
    let quality = if knob.quality {
        " Can change answers."
    } else {
        ""
    };
    format!(
        "{} [default: {default}]: {}{quality}",
        knob.kind, knob.about
    )
}
