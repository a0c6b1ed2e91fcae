//! Text and tokens: the vocabulary of a model, its chat format, and bytes that are not yet text.
//!
//! The format is ChatML, which SmolLM2 and all Qwen models use. The tokens that structure a chat
//! are put in by number, by us only: the same characters in a message are ordinary text.

use std::collections::{HashMap, HashSet};

use candle_core::quantized::gguf_file::{Content, Value, VersionedMagic};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use tokenizers::Tokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use crate::llm::{Message, Role};

/// A model's vocabulary.
pub(super) struct Vocabulary {
    tokenizer: Tokenizer,
    /// What each token stands for; `None` for the tokens that are no text.
    bytes: Vec<Option<Vec<u8>>>,
    turn_start: u32,
    turn_end: u32,
    /// Any of these ends an answer.
    ends: HashSet<u32>,
    /// Of models that think unless an empty thought is put into their mouth.
    thought: Option<(u32, u32)>,
}

impl Vocabulary {
    pub(super) fn of(metadata: &HashMap<String, Value>) -> Result<Self, String> {
        let content = Content {
            magic: VersionedMagic::GgufV3,
            metadata: metadata.clone(),
            tensor_infos: HashMap::new(),
            tensor_data_offset: 0,
        };
        let mut tokenizer = Tokenizer::from_gguf(&content).map_err(|e| e.to_string())?;
        tokenizer.set_encode_special_tokens(true);
        let text = |key: &str| metadata.get(key).and_then(|v| v.to_string().ok());
        // Where candle knows no better it puts a space before every text, which no model of
        // these families was trained on.
        match text("tokenizer.ggml.pre").map(String::as_str) {
            Some("smollm") => {
                let parts = vec![
                    Digits::new(true).into(),
                    ByteLevel::new(false, true, true).into(),
                ];
                tokenizer.with_pre_tokenizer(Some(Sequence::new(parts)));
            }
            Some("qwen2" | "llama3" | "smaug-bpe" | "lfm2") => {}
            Some(_) | None => {
                tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
            }
        }

        let list = |key: &str| metadata.get(key).and_then(|v| v.to_vec().ok());
        let names = list("tokenizer.ggml.tokens").ok_or("it has no vocabulary")?;
        let kinds = list("tokenizer.ggml.token_type");
        let mut bytes = Vec::with_capacity(names.len());
        let mut numbers = HashMap::new();
        for (number, name) in names.iter().enumerate() {
            let name = name.to_string().map_err(|e| e.to_string())?;
            numbers.insert(name.as_str(), number as u32);
            let kind = kinds.and_then(|k| k.get(number));
            bytes.push(match kind.and_then(as_number) {
                // Control, unknown and unused ones are no text; the user's own are verbatim.
                Some(2 | 3 | 5) => None,
                Some(4) => Some(name.clone().into_bytes()),
                Some(_) | None => Some(spelled(name)),
            });
        }
        let number = |name: &str| numbers.get(name).copied();
        let (Some(turn_start), Some(turn_end)) = (number("<|im_start|>"), number("<|im_end|>"))
        else {
            return Err(
                "its chat format is not ChatML, the only one that is supported here".into(),
            );
        };
        let mut ends = HashSet::from([turn_end]);
        ends.extend(number("<|endoftext|>"));
        ends.extend(
            metadata
                .get("tokenizer.ggml.eos_token_id")
                .and_then(as_number),
        );
        let thinks = text("general.architecture").is_some_and(|a| a == "qwen3");
        Ok(Self {
            thought: number("<think>").zip(number("</think>")).filter(|_| thinks),
            tokenizer,
            bytes,
            turn_start,
            turn_end,
            ends,
        })
    }

    /// The tokens of a chat, up to where the answer begins.
    pub(super) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        for message in messages {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            tokens.push(self.turn_start);
            self.encode(&format!("{role}\n{}", message.content), &mut tokens)?;
            tokens.push(self.turn_end);
            self.encode("\n", &mut tokens)?;
        }
        tokens.push(self.turn_start);
        self.encode("assistant\n", &mut tokens)?;
        if let Some((open, close)) = self.thought {
            tokens.push(open);
            self.encode("\n\n", &mut tokens)?;
            tokens.push(close);
            self.encode("\n\n", &mut tokens)?;
        }
        Ok(tokens)
    }

    fn encode(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), String> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|e| e.to_string())?;
        // The tokenizer is told to; that it obeys is too important to be believed.
        let text_only = |token: &&u32| !self.is_control(**token);
        tokens.extend(encoding.get_ids().iter().filter(text_only));
        Ok(())
    }

    fn is_control(&self, token: u32) -> bool {
        self.ends.contains(&token)
            || token == self.turn_start
            || self.bytes.get(token as usize).is_none_or(Option::is_none)
    }

    pub(super) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The token by which the model ends its answer.
    pub(super) fn end(&self) -> u32 {
        self.turn_end
    }

    pub(super) fn bytes(&self) -> &[Option<Vec<u8>>] {
        &self.bytes
    }
}

fn as_number(value: &Value) -> Option<u32> {
    match value {
        Value::I32(n) => u32::try_from(*n).ok(),
        Value::U32(n) => Some(*n),
        other => other.to_u64().ok().and_then(|n| u32::try_from(n).ok()),
    }
}

/// The bytes behind a token's name. Byte-level vocabularies spell bytes as printable characters:
/// those that are printable as themselves, the others from U+0100 on, in order (GPT-2's table).
fn spelled(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len());
    for c in name.chars() {
        match u32::from(c) {
            n @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => bytes.push(n as u8),
            n @ 0x100..=0x120 => bytes.push((n - 0x100) as u8),
            n @ 0x121..=0x142 => bytes.push((n - 0x121 + 0x7f) as u8),
            0x143 => bytes.push(0xad),
            _ => bytes.extend(c.to_string().bytes()),
        }
    }
    bytes
}

/// Bytes in, text out as soon as it is certain: a character may be spread over several tokens.
#[derive(Default)]
pub(super) struct Utf8 {
    held: Vec<u8>,
}

impl Utf8 {
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            let (valid, wrong) = match std::str::from_utf8(&self.held) {
                Ok(all) => {
                    text.push_str(all);
                    self.held.clear();
                    return text;
                }
                Err(e) => (e.valid_up_to(), e.error_len()),
            };
            text.push_str(&String::from_utf8_lossy(&self.held[..valid]));
            match wrong {
                None => {
                    self.held.drain(..valid);
                    return text;
                }
                Some(n) => {
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.held.drain(..valid + n);
                }
            }
        }
    }

    pub(super) fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_spelling() {
        let spelling: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet()
            .into_iter()
            .collect();
        let mut all: Vec<u8> = spelling
            .iter()
            .flat_map(|c| spelled(&c.to_string()))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..=255).collect::<Vec<u8>>());
        assert_eq!(spelled("Ġhi\u{10a}"), b" hi\n");
    }

    #[test]
    fn characters_spread_over_tokens_are_put_together() {
        let mut utf8 = Utf8::default();
        let parts = [&b"a\xc3"[..], b"\xa9", b"\xffb", b"\xe2\x82"];
        let got = parts.map(|p| utf8.push(p));
        assert_eq!(got, ["a", "é", "\u{fffd}b", ""]);
        assert_eq!(utf8.finish(), "\u{fffd}");
    }
}
