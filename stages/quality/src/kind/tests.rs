use sbt_engine::{StageContext, StageKind};
use sbt_schemas::{Provenance, QualityRow, Verdict};
use serde_json::{Value, json};

use super::QualityKind;

fn example() -> Value {
    toml::from_str(QualityKind.example()).unwrap()
}

fn rows(with: &Value) -> Vec<QualityRow> {
    let dir = tempfile::tempdir().unwrap();
    let ctx = StageContext::for_test(dir.path());
    QualityKind.plan(with).unwrap().run(&ctx).unwrap();
    ctx.written_rows("quality").unwrap()
}

fn row(rows: &[QualityRow], variant: &str, family: &str) -> QualityRow {
    let found = rows
        .iter()
        .find(|r| r.variant == variant && r.family == family);
    found
        .unwrap_or_else(|| panic!("{variant} {family}"))
        .clone()
}

const FP8: &str = r#"{"quantization":"fp8"}"#;
const KV_FP8: &str = r#"{"kv_cache_dtype":"fp8"}"#;
const BOTH: &str = r#"{"kv_cache_dtype":"fp8","quantization":"fp8"}"#;

#[test]
fn reference_keeps_everything_and_its_unknown_scores_decide_nothing() {
    let rows = rows(&example());
    let overall = row(&rows, "{}", "overall");
    assert_eq!(
        (overall.relative, overall.relative_lo),
        (Some(1.0), Some(1.0))
    );
    assert_eq!(
        (overall.score, overall.verdict),
        (overall.reference_score, Verdict::Pass)
    );
    assert_eq!(row(&rows, "{}", "summary").verdict, Verdict::Pass);
    let structured = row(&rows, "{}", "structured");
    assert_eq!((structured.score, structured.relative), (None, Some(1.0)));
    assert_eq!(structured.verdict, Verdict::Inconclusive);
    assert!(rows.iter().all(|r| r.provenance == Provenance::Inferred));
}

#[test]
fn fp8_weights_pass_overall_on_published_items() {
    let rows = rows(&example());
    let overall = row(&rows, FP8, "overall");
    assert!(
        (overall.relative.unwrap() - 0.9986).abs() < 5e-4,
        "{overall:?}"
    );
    assert!(overall.relative_lo.unwrap() > 0.98);
    assert_eq!(overall.verdict, Verdict::Pass);
    assert!(overall.source.contains("huggingface.co/neuralmagic"));
}

#[test]
fn small_benchmark_certifies_nothing() {
    let code = row(&rows(&example()), FP8, "code");
    assert_eq!(code.relative, Some(1.0));
    assert!(code.relative_lo.unwrap() < 0.97, "164 items: {code:?}");
    assert_eq!(code.verdict, Verdict::Inconclusive);
}

#[test]
fn family_without_publication_is_unknown_and_says_so() {
    let rows = rows(&example());
    let summary = row(&rows, FP8, "summary");
    assert_eq!((summary.score, summary.relative), (None, None));
    assert_eq!(summary.verdict, Verdict::Inconclusive);
    assert!(
        summary.source.contains("no published effect found"),
        "{}",
        summary.source
    );
    let mut strict = example();
    strict["unknown"] = json!("fail");
    assert_eq!(
        row(&super::tests::rows(&strict), FP8, "summary").verdict,
        Verdict::Fail
    );
}

#[test]
fn effects_multiply_and_those_of_other_models_pass_nothing() {
    let rows = rows(&example());
    let of = |variant| row(&rows, variant, "overall");
    let (both, fp8, kv) = (of(BOTH), of(FP8), of(KV_FP8));
    let product = fp8.relative.unwrap() * kv.relative.unwrap();
    assert!((both.relative.unwrap() - product).abs() < 1e-12);
    assert!(both.relative_lo < kv.relative_lo);
    assert!(both.source.contains("multiplied"));
    assert_eq!(
        (kv.verdict, both.verdict),
        (Verdict::Inconclusive, Verdict::Inconclusive)
    );
}

#[test]
fn model_without_published_scores_still_has_relative_ones() {
    let mut with = example();
    with["model"] = json!("qwen2.5-7b");
    let rows = rows(&with);
    let overall = row(&rows, FP8, "overall");
    assert_eq!((overall.score, overall.reference_score), (None, None));
    assert_eq!(overall.verdict, Verdict::Inconclusive);
    assert_eq!(overall.expected(), overall.relative);
    assert_eq!(row(&rows, "{}", "overall").expected(), Some(1.0));
}

#[test]
fn key_follows_variants_and_not_other_knobs() {
    let key = |with: &Value| QualityKind.plan(with).unwrap().key_params();
    let mut wider = example();
    wider["space"]["max_num_seqs"] = json!({ "int": { "min": 8, "max": 256 } });
    assert_eq!(key(&example()), key(&wider));
    wider["space"]["quantization"] = json!(["none", "gptq"]);
    assert_ne!(key(&example()), key(&wider));
}

#[test]
fn every_mistake_is_reported_where_it_stands() {
    let mut with = example();
    with["server"] = json!("vlm");
    with["gates"]["relative"]["qa"] = json!(99);
    let errors = QualityKind.plan(&with).err().unwrap();
    let paths: Vec<String> = errors.iter().map(|e| e.path.join(".")).collect();
    assert_eq!(paths, ["gates.relative.qa", "server"]);
}

#[test]
fn schema_describes_every_parameter() {
    let schema = QualityKind.params();
    let properties = schema.get("properties").unwrap().as_object().unwrap();
    for (name, property) in properties {
        assert!(property.get("description").is_some(), "{name}");
    }
}

fn asking() -> Value {
    json!({
        "backend": { "kind": "server", "server": "llamacpp", "model": "m-q8_0.gguf" },
        "config": { "name": "reference", "parallel": 4, "model": "m-q8_0.gguf" },
        "space": { "model": ["m-q8_0.gguf", "m-q4_0.gguf"], "parallel": [1, 2] },
    })
}

#[test]
fn asking_needs_a_backend_and_little_else() {
    let stage = QualityKind.plan(&asking()).unwrap();
    let names: Vec<String> = stage.outputs().into_iter().map(|o| o.name).collect();
    assert_eq!(names, ["quality", "quality_items", "verdicts"]);
    assert!(stage.measured());
    let key = stage.key_params();
    let variants = json!([r#"{"model":"m-q4_0.gguf"}"#, r#"{"model":"m-q8_0.gguf"}"#]);
    assert_eq!(key["space"], variants);
    assert_eq!(key["suites"].as_array().unwrap().len(), 5);
}

#[test]
fn mistakes_of_asking_are_reported_where_they_stand() {
    let paths = |change: &dyn Fn(&mut Value)| {
        let mut with = asking();
        change(&mut with);
        let errors = QualityKind.plan(&with).err().unwrap();
        let paths = errors.iter().map(|e| e.path.join("."));
        paths.collect::<Vec<String>>()
    };
    assert_eq!(
        paths(&|w| w["margins"] = json!({ "qa": 2.0 })),
        ["margins.qa"]
    );
    assert_eq!(paths(&|w| w["looks"] = json!(0)), ["looks"]);
    assert_eq!(paths(&|w| w["concurrency"] = json!(0)), ["concurrency"]);
    assert_eq!(paths(&|w| w["timeout_s"] = json!(-1.0)), ["timeout_s"]);
    assert_eq!(paths(&|w| w["model"] = json!("m")), ["model"]);
    assert_eq!(
        paths(&|w| w["config"]["parallel"] = json!(0)),
        ["config.parallel"]
    );
    let suites = json!([{ "shipped": "qa", "path": "x" }, { "url": "http://h/x" }]);
    assert_eq!(
        paths(&|w| w["suites"] = suites.clone()),
        ["suites.0.shipped", "suites.1.sha256"]
    );
    let endpoint = json!({ "kind": "endpoint", "url": "http://h/v1", "model": "m" });
    let found = paths(&|w| w["backend"] = endpoint.clone());
    assert!(found.contains(&"space".to_owned()), "{found:?}");
    let judge = json!({ "url": "", "model": "m", "families": ["summary"] });
    assert_eq!(paths(&|w| w["judge"] = judge.clone()), ["judge.url"]);
}

#[test]
fn publications_have_no_use_for_suites() {
    let mut with = example();
    with["suites"] = json!([{ "shipped": "qa" }]);
    let errors = QualityKind.plan(&with).err().unwrap();
    assert_eq!(errors[0].path, ["suites"]);
}
