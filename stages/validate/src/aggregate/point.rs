//! What a line of the file means: a model, a machine, a server, a load, and what was measured.

use sbt_simulator::{Experts, Gpu, Model, WeightsDtype};

use super::reader::Line;

/// A measured point that can be simulated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub(crate) model: Model,
    pub(crate) gpu: Gpu,
    pub(crate) server: Engine,
    pub(crate) tensor_parallel: u32,
    pub(crate) data_parallel: u32,
    pub(crate) expert_parallel: bool,
    pub(crate) kv_fp8: bool,
    pub(crate) input_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) concurrency: u32,
    pub(crate) ttft_s: Option<f64>,
    pub(crate) tpot_s: f64,
}

/// A server whose scheduler is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    /// vLLM, of a minor version (0.MINOR).
    Vllm(u32),
    /// SGLang.
    Sglang,
}

/// vLLM without a word on its version is taken to be new.
const VLLM_NEW: u32 = 33;
/// Least output that has a time per token.
const LEAST_OUTPUT: u32 = 2;

impl Point {
    /// # Errors
    /// Why the line cannot be simulated.
    pub(crate) fn read(line: &Line) -> Result<Self, String> {
        only_aggregated(line)?;
        let model = Model::called(line.text("model_path"))
            .ok_or_else(|| unknown("model", line.text("model_path")))?;
        let gpu =
            Gpu::called(line.text("system")).ok_or_else(|| unknown("GPU", line.text("system")))?;
        let output_tokens = count(line, "osl")?.ok_or("`osl` is empty")?;
        if output_tokens < LEAST_OUTPUT {
            return Err(format!(
                "answers of {output_tokens} tokens have no time per further one"
            ));
        }
        Ok(Self {
            model: quantised(model, line)?,
            gpu: gpu.clone(),
            server: engine(line)?,
            tensor_parallel: count(line, "tp_size")?.unwrap_or(1),
            data_parallel: count(line, "attention_dp_size")?.unwrap_or(1),
            expert_parallel: count(line, "moe_ep_size")?.is_some_and(|ranks| ranks > 1),
            kv_fp8: ["kv_cache_dtype", "kvcache_quant_mode"]
                .iter()
                .any(|column| line.text(column).contains("fp8")),
            input_tokens: count(line, "isl")?.ok_or("`isl` is empty")?,
            output_tokens,
            concurrency: concurrency(line)?,
            ttft_s: line
                .number("silicon_ttft_ms")?
                .filter(|ms| *ms > 0.0)
                .map(|ms| ms * 1e-3),
            tpot_s: line
                .number("silicon_tpot_ms")?
                .filter(|ms| *ms > 0.0)
                .map(|ms| ms * 1e-3)
                .ok_or("no time per output token was measured")?,
        })
    }

    /// Points of one group are taken to have the same host work and mixed attention.
    pub(crate) fn group(&self, version: &str) -> String {
        let layers = self.model.weights_dtype;
        let experts = self.model.experts.and_then(|experts| experts.weights_dtype);
        format!(
            "{} {} on {}, {} {version}",
            self.model.name,
            experts.unwrap_or(layers).name(),
            self.gpu.name,
            self.server.name()
        )
    }

    pub(crate) fn gpus(&self) -> u32 {
        self.tensor_parallel * self.data_parallel
    }
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vllm(_) => "vllm",
            Self::Sglang => "sglang",
        }
    }
}

/// Prefill and decode on other machines, and stages of layers, are other engines.
fn only_aggregated(line: &Line) -> Result<(), String> {
    let mode = line.text("mode");
    if !mode.is_empty() && !mode.starts_with("agg") {
        return Err(format!(
            "mode `{mode}` is not simulated: expected aggregated serving"
        ));
    }
    match count(line, "pp_size")? {
        None | Some(0 | 1) => Ok(()),
        Some(stages) => Err(format!(
            "pipeline parallelism (pp_size {stages}) is not simulated"
        )),
    }
}

fn unknown(what: &str, name: &str) -> String {
    if name.is_empty() {
        format!("the line names no {what}")
    } else {
        format!("the {what} `{name}` is not in the catalogue")
    }
}

/// A whole number; an empty cell and, but for lengths, 0 say nothing.
fn count(line: &Line, column: &str) -> Result<Option<u32>, String> {
    let number = line.number(column)?.filter(|number| *number > 0.0);
    match number {
        Some(number) if number.fract() != 0.0 || number > f64::from(1 << 24) => Err(format!(
            "`{column}` is {number}, expected a whole number up to 2^24"
        )),
        number => Ok(number.map(|number| number as u32)),
    }
}

/// Requests in flight, which the samples keep in a text. The batch is no word on it: some lines
/// have the batch of a plan.
fn concurrency(line: &Line) -> Result<u32, String> {
    let named = line
        .text("silicon_data_source")
        .split(';')
        .find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim() == "silicon_concurrency").then(|| value.trim().parse::<u32>().ok())
        });
    let found = match named {
        Some(parsed) => parsed,
        None => count(line, "concurrency")?,
    };
    found.filter(|users| *users > 0).ok_or_else(|| {
        "how many requests were in flight stands neither in `silicon_data_source` \
         (silicon_concurrency=) nor in a column `concurrency`"
            .to_owned()
    })
}

fn engine(line: &Line) -> Result<Engine, String> {
    let name = line.text("backend").to_lowercase();
    if name.contains("sglang") {
        return Ok(Engine::Sglang);
    }
    if name.contains("vllm") {
        let version = line.text("backend_version").trim_start_matches('v');
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        return Ok(Engine::Vllm(
            match (parts.next().flatten(), parts.next().flatten()) {
                (Some(0), Some(minor)) => minor,
                _ => VLLM_NEW,
            },
        ));
    }
    Err(format!(
        "the scheduler of `{name}` is not simulated: expected vllm or sglang"
    ))
}

/// The model with the weights that the line says: the mode of its products, its precision, else
/// the repository's name; what says nothing leaves the checkpoint's.
fn quantised(model: &Model, line: &Line) -> Result<Model, String> {
    let said = |column: &str| match line.text(column) {
        "" => Ok(None),
        text => match WeightsDtype::called(text) {
            Some(dtype) => Ok(Some(dtype)),
            None => Err(format!(
                "`{column}` is `{text}`, which is no data type that is known"
            )),
        },
    };
    let general = said("precision")?.or_else(|| WeightsDtype::called(line.text("model_path")));
    let dtype = said("gemm_quant_mode")?.or(general);
    let of_experts = said("moe_quant_mode")?.or(general);
    let mut model = model.clone();
    let checkpoint_has_own = model.experts.is_some_and(|e| e.weights_dtype.is_some());
    if checkpoint_has_own {
        // Such a checkpoint comes in one form.
        return Ok(model);
    }
    if let Some(dtype) = dtype {
        model.weights_dtype = dtype;
    }
    if let (Some(experts), Some(dtype)) = (&mut model.experts, of_experts) {
        *experts = Experts {
            weights_dtype: Some(dtype),
            ..*experts
        };
        let fp4 = matches!(dtype, WeightsDtype::Nvfp4 | WeightsDtype::Mxfp4);
        if fp4 && model.latent.is_some() && said("gemm_quant_mode")?.is_none() {
            // Checkpoints of such models leave attention as it is.
            model.weights_dtype = WeightsDtype::Bfloat16;
        }
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::reader::lines;

    const HEADER: &str = "silicon_data_source,backend,backend_version,model_path,system,precision,mode,isl,osl,tp_size,pp_size,silicon_tpot_ms\n";

    fn read(line: &str) -> Result<Point, String> {
        Point::read(&lines(&format!("{HEADER}{line}\n")).unwrap()[0])
    }

    #[test]
    fn line_says_model_machine_server_and_load() {
        let point = read(
            "source_file=x; silicon_concurrency=16,vllm,0.12.0,Qwen/Qwen3-32B,h100_sxm,fp8,agg,1024,128,2,1,20",
        )
        .unwrap();
        assert_eq!(point.model.name, "qwen3-32b");
        assert_eq!(point.model.weights_dtype, WeightsDtype::Fp8);
        assert_eq!((point.gpu.name.as_str(), point.gpus()), ("h100-sxm", 2));
        assert_eq!((point.server, point.concurrency), (Engine::Vllm(12), 16));
        assert_eq!((point.ttft_s, point.tpot_s), (None, 0.02));
        assert_eq!(
            point.group("0.12.0"),
            "qwen3-32b fp8 on h100-sxm, vllm 0.12.0"
        );
    }

    #[test]
    fn fp4_of_a_latent_model_leaves_attention_and_of_gpt_oss_is_the_checkpoint() {
        let of = |model: &str| {
            let line = format!(
                "silicon_concurrency=4,sglang,0.5,{model},b200_sxm,fp4,agg,1024,128,8,1,20"
            );
            let model = read(&line).unwrap().model;
            (model.weights_dtype, model.experts.unwrap().weights_dtype)
        };
        let (bf16, mxfp4) = (WeightsDtype::Bfloat16, Some(WeightsDtype::Mxfp4));
        assert_eq!(
            of("nvidia/DeepSeek-R1-0528-FP4"),
            (bf16, Some(WeightsDtype::Nvfp4))
        );
        assert_eq!(of("openai/gpt-oss-120b"), (bf16, mxfp4));
    }

    #[test]
    fn what_cannot_be_simulated_says_why() {
        for (line, part) in [
            (
                "silicon_concurrency=4,trtllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1,9,1,1,2",
                "`trtllm`",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen9-1B,h100_sxm,,agg,1,9,1,1,2",
                "`Qwen/Qwen9-1B`",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,mi300x,,agg,1,9,1,1,2",
                "`mi300x`",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,,disagg,1,9,1,1,2",
                "`disagg`",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1,9,1,2,2",
                "pp_size 2",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,int3,agg,1,9,1,1,2",
                "`int3`",
            ),
            (
                "x=1,vllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1,9,1,1,2",
                "in flight",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1,1,1,1,2",
                "1 tokens",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1,9,1,1,",
                "no time per",
            ),
            (
                "silicon_concurrency=4,vllm,1,Qwen/Qwen3-32B,h100_sxm,,agg,1.5,9,1,1,2",
                "1.5",
            ),
        ] {
            let reason = read(line).unwrap_err();
            assert!(reason.contains(part), "{line}: {reason}");
        }
    }
}
