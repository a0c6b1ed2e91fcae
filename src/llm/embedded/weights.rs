//! The architectures that candle computes, behind one function.

use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Result, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};

use super::WINDOW;
use super::requantise::Requantised;

/// Weights, and the keys and values of the conversation so far.
pub(super) enum Weights {
    Llama(quantized_llama::ModelWeights),
    Qwen2(quantized_qwen2::ModelWeights),
    Qwen3(quantized_qwen3::ModelWeights),
}

/// A loaded file.
pub(super) struct Loaded {
    pub(super) weights: Weights,
    pub(super) metadata: std::collections::HashMap<String, Value>,
    /// Tokens of prompt and answer together.
    pub(super) window: usize,
    pub(super) parameters: usize,
}

pub(super) fn load(path: &Path) -> std::result::Result<Loaded, String> {
    let reason = |e: candle_core::Error| e.to_string();
    let mut file = fs_err::File::open(path).map_err(|e| e.to_string())?;
    let mut content = Content::read(&mut file).map_err(reason)?;
    let architecture = match content.metadata.get("general.architecture") {
        Some(Value::String(name)) => name.clone(),
        Some(_) | None => return Err("it names no architecture".into()),
    };
    // candle makes tables for the whole length that the file claims; more than we use is waste,
    // and a wild number would take all memory.
    let key = format!("{architecture}.context_length");
    let claimed = content.metadata.get(&key).and_then(|v| v.to_u64().ok());
    let window = claimed.unwrap_or(WINDOW).min(WINDOW);
    content.metadata.insert(key, Value::U32(window as u32));

    let metadata = content.metadata.clone();
    let parameters = content
        .tensor_infos
        .values()
        .map(|t| t.shape.elem_count())
        .sum();
    let (content, mut reader) = Requantised::of(content, file);
    let device = Device::Cpu;
    let weights = match architecture.as_str() {
        "llama" => quantized_llama::ModelWeights::from_gguf(content, &mut reader, &device)
            .map(Weights::Llama),
        "qwen2" => quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, &device)
            .map(Weights::Qwen2),
        "qwen3" => quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, &device)
            .map(Weights::Qwen3),
        other => {
            return Err(format!(
                "its architecture `{other}` is not supported (llama, qwen2 and qwen3 are)"
            ));
        }
    };
    Ok(Loaded {
        weights: weights.map_err(reason)?,
        metadata,
        window: window as usize,
        parameters,
    })
}

impl Weights {
    /// Reads `tokens` that stand at position `at`; how likely each token is to come next.
    pub(super) fn forward(&mut self, tokens: &[u32], at: usize) -> Result<Vec<f32>> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let logits = match self {
            Self::Llama(w) => w.forward(&tokens, at)?,
            Self::Qwen2(w) => w.forward(&tokens, at)?,
            Self::Qwen3(w) => w.forward(&tokens, at)?,
        };
        logits.flatten_all()?.to_vec1()
    }

    /// Forgets the conversation.
    pub(super) fn reset(&mut self) {
        match self {
            Self::Llama(w) => w.clear_kv_cache(),
            Self::Qwen2(w) => w.clear_kv_cache(),
            Self::Qwen3(w) => w.clear_kv_cache(),
        }
    }

    /// candle's attention for qwen3 uses its pool in a way that must not be nested.
    pub(super) fn may_run_inside_the_pool(&self) -> bool {
        match self {
            Self::Llama(_) | Self::Qwen2(_) => true,
            Self::Qwen3(_) => false,
        }
    }
}
