//! A JSON Schema as a grammar over tokens: what may come next, so that the answer is always
//! valid as far as it goes.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use super::chat::Vocabulary;

/// What is shared by all answers of one model.
pub(super) struct Grammars {
    factory: ParserFactory,
}

/// The grammar of one answer.
pub(super) struct Grammar {
    matcher: Matcher,
}

impl Grammars {
    pub(super) fn of(vocabulary: &Vocabulary) -> Result<Self, String> {
        let words: Vec<Vec<u8>> = vocabulary
            .bytes()
            .iter()
            .enumerate()
            .map(|(number, bytes)| match bytes {
                Some(bytes) => bytes.clone(),
                // The marker makes it a token that no text can be.
                None => [
                    &[TokTrie::SPECIAL_TOKEN_MARKER],
                    format!("<{number}>").as_bytes(),
                ]
                .concat(),
            })
            .collect();
        let info = TokRxInfo::new(words.len() as u32, vocabulary.end());
        let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words)));
        let mut factory = ParserFactory::new(&tokens, InferenceCapabilities::default(), &[])
            .map_err(|e| e.to_string())?;
        factory.quiet();
        Ok(Self { factory })
    }

    pub(super) fn of_schema(&self, schema: &Value) -> Result<Grammar, String> {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            // Else a weak model writes spaces until its tokens are used up.
            schema.insert("x-guidance".into(), json!({ "whitespace_flexible": false }));
        }
        let parser = self
            .factory
            .create_parser(TopLevelGrammar::from_json_schema(schema));
        let matcher = Matcher::new(parser);
        match matcher.get_error() {
            Some(error) => Err(format!("the schema cannot be a grammar: {error}")),
            None => Ok(Grammar { matcher }),
        }
    }
}

impl Grammar {
    /// Rules out, in `logits`, every token that cannot come next.
    pub(super) fn constrain(&mut self, logits: &mut [f32]) -> Result<(), String> {
        let allowed = self.matcher.compute_mask().map_err(|e| e.to_string())?;
        for (token, logit) in logits.iter_mut().enumerate() {
            if token >= allowed.len() || !allowed.is_allowed(token as u32) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    /// Takes the token that came; `true` when nothing can follow.
    pub(super) fn take(&mut self, token: u32) -> Result<bool, String> {
        self.matcher
            .consume_token(token)
            .map_err(|e| e.to_string())?;
        Ok(self.matcher.is_stopped())
    }
}
