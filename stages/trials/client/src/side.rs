//! Calls beside the load: what a server is, how it counts tokens, its metrics, its resets.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::chunk::error_of;
use crate::fault::chain;
use crate::{ApiKey, Target, redact, tls};

/// Why a side call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SideError {
    /// The server answered otherwise than with success.
    #[error("{url} answered {status}: {said}")]
    Refused {
        /// What was called.
        url: String,
        /// HTTP status.
        status: u16,
        /// Text of the answer, at most 512 bytes, without keys.
        said: String,
    },
    /// There was no answer.
    #[error("{url} gave no answer: {said}")]
    NoAnswer {
        /// What was called.
        url: String,
        /// Why.
        said: String,
    },
    /// The answer has another form than this call's.
    #[error("{url} answered with something else: {said}")]
    OtherForm {
        /// What was called.
        url: String,
        /// What came.
        said: String,
    },
    /// The calls could not be prepared.
    #[error("no calls can be made: {0}")]
    Setup(String),
}

/// A model that a server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Name that requests use.
    pub id: String,
    /// Longest sequence, tokens (vLLM and SGLang `max_model_len`, llama.cpp `meta.n_ctx`).
    pub max_tokens: Option<u64>,
}

/// How a server tokenizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizeForm {
    /// POST `/tokenize` with `{model, prompt}`: `{count, tokens}`. SGLang answers alike.
    Vllm,
    /// POST `/tokenize` with `{content}`: `{tokens}`.
    Llamacpp,
}

/// Side calls to one target, each with the same time limit. Blocks: not for the inside of a runtime.
pub struct Side {
    target: Target,
    client: Client,
    runtime: Runtime,
}

impl Side {
    /// Prepares calls that take at most `limit` each.
    ///
    /// # Errors
    /// When the certificates to trust cannot be used or the system refuses a runtime.
    pub fn new(target: &Target, limit: Duration) -> Result<Self, SideError> {
        let setup = |e: &dyn std::fmt::Display| SideError::Setup(e.to_string());
        let mut builder = Client::builder()
            .timeout(limit)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        // without TLS the certificates of the system are not read
        let roots = if target.is_tls() {
            tls::config(&target.roots).map_err(|e| setup(&e))?
        } else {
            tls::config_without_roots().map_err(|e| setup(&e))?
        };
        builder = builder.tls_backend_preconfigured(roots);
        if let Some(address) = target.address {
            builder = builder.resolve(target.host(), address);
        }
        Ok(Self {
            target: target.clone(),
            client: builder.build().map_err(|e| setup(&e))?,
            runtime: crate::run::runtime().map_err(|e| setup(&e))?,
        })
    }

    /// Models at `./models`, below the base.
    ///
    /// # Errors
    /// As all calls: refused, no answer, or another form.
    pub fn models(&self) -> Result<Vec<Model>, SideError> {
        let answer = self.json_at("./models")?;
        let list = answer["data"].as_array();
        let list = list.ok_or_else(|| self.other_form("./models", &answer))?;
        Ok(list.iter().filter_map(model).collect())
    }

    /// Version at `/version` (vLLM) or `build_info` at `/props` (llama.cpp).
    ///
    /// # Errors
    /// When neither answers; of the first.
    pub fn version(&self) -> Result<String, SideError> {
        let of = |path: &str, field: &str| {
            let answer = self.json_at(path)?;
            let version = answer[field].as_str().map(str::to_owned);
            version.ok_or_else(|| self.other_form(path, &answer))
        };
        of("/version", "version").or_else(|first| of("/props", "build_info").map_err(|_| first))
    }

    /// Tokens of a text, without any that the server adds.
    ///
    /// # Errors
    /// As all calls.
    pub fn tokenize(&self, form: TokenizeForm, text: &str) -> Result<Vec<u64>, SideError> {
        let body = match form {
            TokenizeForm::Vllm => json!({
                "model": self.target.model, "prompt": text, "add_special_tokens": false,
            }),
            TokenizeForm::Llamacpp => json!({ "content": text, "add_special": false }),
        };
        let request = self.request(Method::POST, "/tokenize").json(&body);
        let answer = self.json("/tokenize", request)?;
        let tokens = answer["tokens"].as_array();
        let tokens: Option<Vec<_>> =
            tokens.and_then(|tokens| tokens.iter().map(Value::as_u64).collect());
        tokens.ok_or_else(|| self.other_form("/tokenize", &answer))
    }

    /// Text of `/metrics`; [`crate::prometheus::parse`] reads it.
    ///
    /// # Errors
    /// As all calls.
    pub fn metrics(&self) -> Result<String, SideError> {
        self.text("/metrics", self.request(Method::GET, "/metrics"))
    }

    /// Calls a path that empties the prefix cache. That it answers does not tell that it did.
    ///
    /// # Errors
    /// As all calls, or when `method` is none.
    pub fn reset(&self, method: &str, path: &str) -> Result<(), SideError> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| SideError::Setup(format!("`{method}` is no HTTP method")))?;
        self.text(path, self.request(method, path)).map(|_| ())
    }

    /// Whether a path answers GET with success.
    ///
    /// # Errors
    /// As all calls.
    pub fn health(&self, path: &str) -> Result<(), SideError> {
        self.text(path, self.request(Method::GET, path)).map(|_| ())
    }

    /// The answer to GET, which is JSON.
    ///
    /// # Errors
    /// As all calls.
    pub fn json_at(&self, path: &str) -> Result<Value, SideError> {
        self.json(path, self.request(Method::GET, path))
    }

    /// The answer to POST of a JSON body, which is JSON.
    ///
    /// # Errors
    /// As all calls.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, SideError> {
        self.json(path, self.request(Method::POST, path).json(body))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, self.target.side_url(path));
        match self.target.key.as_ref().map(ApiKey::header) {
            Some(key) => request.header(reqwest::header::AUTHORIZATION, key),
            None => request,
        }
    }

    fn json(&self, path: &str, request: RequestBuilder) -> Result<Value, SideError> {
        let text = self.text(path, request)?;
        serde_json::from_str(&text).map_err(|_| SideError::OtherForm {
            url: self.target.side_url(path),
            said: redact(&text, self.target.key.as_ref()),
        })
    }

    fn text(&self, path: &str, request: RequestBuilder) -> Result<String, SideError> {
        let url = self.target.side_url(path);
        let key = self.target.key.as_ref();
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            let status = response.status();
            Ok((status, response.text().await?))
        });
        let (status, text) = answer.map_err(|e: reqwest::Error| SideError::NoAnswer {
            url: url.clone(),
            said: redact(&chain(&e.without_url()), key),
        })?;
        if !status.is_success() {
            let said = error_of(text.as_bytes()).unwrap_or(text);
            return Err(SideError::Refused {
                url,
                status: status.as_u16(),
                said: redact(&said, key),
            });
        }
        Ok(text)
    }

    fn other_form(&self, path: &str, answer: &Value) -> SideError {
        SideError::OtherForm {
            url: self.target.side_url(path),
            said: redact(&answer.to_string(), self.target.key.as_ref()),
        }
    }
}

fn model(entry: &Value) -> Option<Model> {
    let max_tokens = entry["max_model_len"]
        .as_u64()
        .or_else(|| entry["meta"]["n_ctx"].as_u64());
    Some(Model {
        id: entry["id"].as_str()?.to_owned(),
        max_tokens,
    })
}
