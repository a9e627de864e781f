//! Short ways to say what a workload is: a profile by its name, and single numbers that replace
//! parts of it. 0 stands for "as the profile or the trace has it".

use sbt_engine::{ParamError, nearest_name};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::arrival::Arrival;
use crate::distribution::Distribution;
use crate::params::WorkloadParams;
use crate::profile::Profile;

/// A profile, or the name of one of `profiles`.
pub(crate) fn profile_or_name(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string" }, generator.subschema_for::<Profile>(), { "type": "null" }]
    })
}

/// The parameters with the profile in the place of its name.
///
/// # Errors
/// At `profile`, with the nearest name, when there is none of that name.
pub(crate) fn with_named_profile(with: &Value) -> Result<Value, Vec<ParamError>> {
    let Some(name) = with["profile"].as_str() else {
        return Ok(with.clone());
    };
    let named = with["profiles"].as_object();
    let Some(profile) = named.and_then(|profiles| profiles.get(name)) else {
        let names: Vec<&str> = named
            .into_iter()
            .flat_map(|profiles| profiles.keys().map(String::as_str))
            .collect();
        let error = ParamError::at(&["profile"], format!("there is no profile `{name}`"));
        return Err(vec![match nearest_name(name, names.iter().copied()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => error.help("give the profile itself, or `profiles`"),
            None => error.help(format!("known: {}", names.join(", "))),
        }]);
    };
    let mut with = with.clone();
    with["profile"] = profile.clone();
    Ok(with)
}

impl WorkloadParams {
    /// The parameters with their short forms written out.
    ///
    /// # Errors
    /// When a short form and what it stands for are both given.
    pub(crate) fn written_out(mut self) -> Result<Self, Vec<ParamError>> {
        self.profiles.clear();
        self.target_rps = self.target_rps.filter(|rps| *rps != 0.0);
        if let Some(profile) = &mut self.profile {
            let lengths = [
                (&mut profile.prompt_tokens, &mut self.prompt_tokens),
                (&mut profile.output_tokens, &mut self.output_tokens),
            ];
            for (of_profile, tokens) in lengths {
                if *tokens > 0 {
                    *of_profile = Distribution::fixed(std::mem::take(tokens) as f64);
                }
            }
        }
        let users = std::mem::take(&mut self.users);
        if users == 0 {
            return Ok(self);
        }
        if self.target_rps.is_some() || self.arrival.is_some() {
            let both = "a number of users is an arrival of its own: leave `target_rps` and `arrival` out, or `users`";
            return Err(vec![ParamError::at(&["users"], both)]);
        }
        self.arrival = Some(Arrival::closed_loop(users));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use sbt_engine::StageKind as _;
    use serde_json::{Value, json};

    use crate::WorkloadKind;

    fn profiles() -> Value {
        json!({ "chat": {
            "category": "chat",
            "arrival": { "kind": "poisson", "rps": 2.0 },
            "prompt_tokens": { "kind": "uniform", "min": 10.0, "max": 90.0 },
            "output_tokens": { "kind": "fixed", "value": 8.0 },
        }})
    }

    fn key(with: &Value) -> Result<Value, String> {
        match WorkloadKind.plan(with) {
            Ok(stage) => Ok(stage.key_params()),
            Err(errors) => Err(format!("{errors:?}")),
        }
    }

    #[test]
    fn name_and_profile_are_the_same_workload() {
        let named = json!({ "profile": "chat", "profiles": profiles(), "target_rps": 0.0 });
        let written = json!({ "profile": profiles()["chat"] });
        assert_eq!(key(&named), key(&written));
    }

    #[test]
    fn unknown_name_is_an_error_with_the_nearest_one() {
        let wrong = key(&json!({ "profile": "chit", "profiles": profiles() })).unwrap_err();
        assert!(wrong.contains("did you mean `chat`?"), "{wrong}");
    }

    #[test]
    fn numbers_replace_parts_of_the_profile() {
        let short = key(&json!({
            "profile": "chat", "profiles": profiles(), "prompt_tokens": 100, "users": 4,
        }))
        .unwrap();
        assert_eq!(
            short["profile"]["prompt_tokens"],
            json!({ "kind": "fixed", "value": 100.0 })
        );
        assert_eq!(short["profile"]["output_tokens"]["value"], 8.0);
        assert_eq!(short["arrival"]["kind"], "closed_loop");
        assert_eq!(short["arrival"]["users"], 4);
    }

    #[test]
    fn users_and_a_rate_are_an_error() {
        let both = json!({
            "profile": "chat", "profiles": profiles(), "users": 4, "target_rps": 2.0,
        });
        assert!(key(&both).unwrap_err().contains("leave `target_rps`"));
    }
}
