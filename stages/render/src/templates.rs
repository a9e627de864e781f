use std::sync::LazyLock;

use handlebars::{Handlebars, handlebars_helper};
use serde::Serialize;
use serde_json::Value;

// A text in double quotes, as JSON and YAML read it.
handlebars_helper!(quote: |text: Value| text.to_string());
handlebars_helper!(join: |first: str, second: str| format!("{first}{second}"));

macro_rules! templates {
    ($registry:ident: $($name:literal),+) => {
        $( $registry
            .register_template_string($name, include_str!(concat!("../templates/", $name, ".hbs")))
            .expect("the embedded templates are tested to parse"); )+
    };
}

static HTML: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    templates!(registry: "style.html", "report.html", "recorded.html", "pareto.svg", "tail.svg", "search_trace.svg", "chart.svg");
    registry
});

static TEXT: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // A bar would end a cell of a table, and a line break its row.
    registry.register_escape_fn(|text| text.replace('|', "\\|").replace('\n', " "));
    templates!(registry:
        "report.md", "recorded.md", "comparison.md", "stability.md", "capacity_plan.md", "README_snippet.md",
        "card.md", "deploy/serve.sh", "deploy/unit.service", "deploy/compose.yaml", "deploy/kubernetes.yaml",
        "deploy/production-stack.yaml", "deploy/kserve.yaml", "deploy/alerts.yaml");
    registry.register_helper("quote", Box::new(quote));
    registry.register_helper("join", Box::new(join));
    registry
});

/// Fills a template; markup is escaped in HTML and SVG, and only there.
pub(crate) fn fill<T: Serialize>(name: &str, view: &T) -> Result<String, handlebars::RenderError> {
    let markup = name.ends_with(".html") || name.ends_with(".svg");
    let registry = if markup { &HTML } else { &TEXT };
    registry.render(name, view)
}
