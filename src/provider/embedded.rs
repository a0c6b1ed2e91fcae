//! Kind `embedded`: a model inside this process. It has no limits and no words of its own: what
//! can go wrong is in the rows for all kinds without a program.

use super::rule::Rule;

pub(super) const TABLE: &[Rule] = &[];

#[cfg(test)]
mod tests {
    use crate::core::{ProviderKind, Timestamp};
    use crate::llm::LlmError;
    use crate::provider::Class;
    use crate::provider::text::classify;

    #[test]
    fn a_model_that_cannot_be_used_needs_a_person() {
        let error = LlmError::Unusable("this rigs was built without `local-llm`".into());
        let outcome = classify(
            ProviderKind::Embedded,
            &error,
            None,
            Timestamp::from_secs(0),
        );
        assert_eq!(
            (outcome.class, outcome.rule),
            (Class::BadModel, "model_unusable")
        );
    }
}
