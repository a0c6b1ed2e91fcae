//! What tokens cost, for programs and servers that report tokens but no money.
//!
//! List prices without discounts, surcharges for long prompts, or taxes: what a subscription has
//! paid for already is priced as if it had been bought. A model that is not in the table has no
//! price, which is not a price of nothing: its runs add tokens to the ledger and no money, until
//! the entry says its `price`.

use crate::config::ProviderSettings;
use crate::config::settings::Price;
use crate::core::{MicroUsd, ProviderKind, Usage};

/// Micro-USD per million tokens, which is US dollars per million times a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

/// In thousandths of a dollar per million tokens: input, output, cache read, cache write.
const fn rates(input: u64, output: u64, cache_read: u64, cache_write: u64) -> Rates {
    Rates {
        input: input * 1000,
        output: output * 1000,
        cache_read: cache_read * 1000,
        cache_write: cache_write * 1000,
    }
}

/// Names of models, without dates of releases. Read on 2026-11-20:
/// platform.claude.com "Pricing" (cache writes for five minutes; Haiku 5.5 below 100,000 tokens),
/// developers.openai.com "Pricing" (cache writes are input), ai.google.dev "Pricing" (prompts
/// below 200,000 tokens).
const TABLE: &[(&str, Rates)] = &[
    ("claude-fable-5-1", rates(10_000, 50_000, 250, 12_500)),
    ("claude-fable-5", rates(10_000, 50_000, 1_000, 12_500)),
    ("claude-opus-5-5", rates(4_000, 20_000, 200, 5_000)),
    ("claude-opus-5", rates(5_000, 25_000, 500, 6_250)),
    ("claude-opus-4-8", rates(5_000, 25_000, 500, 6_250)),
    ("claude-opus-4-7", rates(5_000, 25_000, 500, 6_250)),
    ("claude-opus-4-6", rates(5_000, 25_000, 500, 6_250)),
    ("claude-opus-4-5", rates(5_000, 25_000, 500, 6_250)),
    ("claude-opus-4-1", rates(15_000, 75_000, 1_500, 18_750)),
    ("claude-sonnet-5-5", rates(2_000, 10_000, 100, 2_500)),
    ("claude-sonnet-5", rates(2_000, 10_000, 200, 2_500)),
    ("claude-sonnet-4-6", rates(3_000, 15_000, 300, 3_750)),
    ("claude-sonnet-4-5", rates(3_000, 15_000, 300, 3_750)),
    ("claude-haiku-5-5", rates(100, 500, 10, 125)),
    ("claude-haiku-4-5", rates(1_000, 5_000, 100, 1_250)),
    ("gpt-5.4", rates(2_500, 15_000, 250, 2_500)),
    ("gpt-5.4-mini", rates(750, 4_500, 75, 750)),
    ("gpt-5.3-codex", rates(1_750, 14_000, 175, 1_750)),
    ("gpt-5.2-codex", rates(1_750, 14_000, 175, 1_750)),
    ("gpt-5.2", rates(1_750, 14_000, 175, 1_750)),
    ("gpt-5.1-codex-max", rates(1_250, 10_000, 125, 1_250)),
    ("gpt-5.1-codex", rates(1_250, 10_000, 125, 1_250)),
    ("gpt-5.1", rates(1_250, 10_000, 125, 1_250)),
    ("gpt-5-codex", rates(1_250, 10_000, 125, 1_250)),
    ("gpt-5", rates(1_250, 10_000, 125, 1_250)),
    ("gpt-5-mini", rates(250, 2_000, 25, 250)),
    ("gpt-5-nano", rates(50, 400, 5, 50)),
    ("gpt-4.1", rates(2_000, 8_000, 500, 2_000)),
    ("gpt-4.1-mini", rates(400, 1_600, 100, 400)),
    ("gpt-4.1-nano", rates(100, 400, 25, 100)),
    ("gpt-4o", rates(2_500, 10_000, 1_250, 2_500)),
    ("gpt-4o-mini", rates(150, 600, 75, 150)),
    ("gemini-3.8-flash", rates(750, 3_750, 75, 750)),
    ("gemini-3.5-flash", rates(1_500, 9_000, 150, 1_500)),
    ("gemini-3.1-pro", rates(2_000, 12_000, 200, 2_000)),
    ("gemini-3.1-flash-lite", rates(250, 1_500, 25, 250)),
    ("gemini-3-flash", rates(500, 3_000, 50, 500)),
    ("gemini-2.5-pro", rates(1_250, 10_000, 125, 1_250)),
    ("gemini-2.5-flash", rates(300, 2_500, 30, 300)),
    ("gemini-2.5-flash-lite", rates(100, 400, 10, 100)),
];

impl Rates {
    /// What the vendor asks for `model`, with or without the vendor's name before it and a date
    /// behind it.
    fn listed(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model).to_lowercase();
        let named = |key: &str| name.strip_prefix(key).is_some_and(is_release);
        TABLE
            .iter()
            .find(|(key, _)| named(key))
            .map(|(_, rates)| *rates)
    }

    /// What the entry says.
    fn given(price: &Price) -> Self {
        let micro = |usd: f64| u64::try_from(MicroUsd::from_usd(usd).0).unwrap_or(0);
        Self {
            input: micro(price.input),
            output: micro(price.output),
            cache_read: micro(price.cache_read.unwrap_or(price.input)),
            cache_write: micro(price.cache_write.unwrap_or(price.input)),
        }
    }

    /// Rounded up to whole micro-USD.
    fn cost(&self, used: &Usage) -> MicroUsd {
        let of = |tokens: u64, rate: u64| u128::from(tokens) * u128::from(rate);
        let millionths = of(used.input, self.input)
            + of(used.output, self.output)
            + of(used.cache_read, self.cache_read)
            + of(used.cache_write, self.cache_write);
        MicroUsd(i64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(i64::MAX))
    }
}

/// Nothing, a preview, or the date or number of a release: still the same model.
fn is_release(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix('-') else {
        return rest.is_empty();
    };
    let rest = rest.strip_prefix("preview").unwrap_or(rest);
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    rest.is_empty()
        || rest == "latest"
        || matches!(digits, 3 | 4 | 6 | 8) && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

/// `used` with its cost, where the provider did not say it and it is known. Whoever runs models
/// on machines of their own pays nothing by the token.
pub(crate) fn with_cost(
    kind: ProviderKind,
    entry: &ProviderSettings,
    model: Option<&str>,
    used: Usage,
) -> Usage {
    if used.cost_micro_usd.0 > 0 || used.tokens().saturating_add(used.cache_read) == 0 {
        return used;
    }
    let rates = match (&entry.price, kind) {
        // What never happened costs nothing, whatever the entry says.
        (_, ProviderKind::Sim) | (None, ProviderKind::Ollama | ProviderKind::Embedded) => None,
        (Some(price), _) => Some(Rates::given(price)),
        (
            None,
            ProviderKind::Claude
            | ProviderKind::Codex
            | ProviderKind::Gemini
            | ProviderKind::Opencode
            | ProviderKind::Command
            | ProviderKind::Openai
            | ProviderKind::Anthropic
            | ProviderKind::Google,
        ) => model.and_then(Rates::listed),
    };
    Usage {
        cost_micro_usd: rates.map_or(MicroUsd(0), |rates| rates.cost(&used)),
        ..used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: Usage = Usage {
        input: 1200,
        output: 34,
        cache_read: 800,
        cache_write: 100,
        requests: 1,
        cost_micro_usd: MicroUsd(0),
    };

    fn cost(kind: ProviderKind, entry: &ProviderSettings, model: Option<&str>) -> i64 {
        with_cost(kind, entry, model, USED).cost_micro_usd.0
    }

    #[test]
    fn a_price_is_what_the_vendors_own_program_makes_of_it() {
        // As Claude Code 2.1.328 reported them for these tokens.
        for (model, micro) in [("claude-opus-5-5", 6140), ("claude-sonnet-5-5", 3070)] {
            let entry = ProviderSettings::default();
            assert_eq!(cost(ProviderKind::Anthropic, &entry, Some(model)), micro);
        }
    }

    #[test]
    fn models_are_known_by_name_with_and_without_vendor_and_release() {
        let known = |model| Rates::listed(model).is_some();
        for model in [
            "gpt-5",
            "gpt-5-2026-01-15",
            "openai/gpt-5-mini",
            "claude-haiku-4-5-20251001",
            "models/gemini-2.5-flash-001",
            "gemini-3.1-pro-preview",
            "Gemini-2.5-flash-preview-09-2025",
            "claude-opus-5-5-latest",
        ] {
            assert!(known(model), "{model}");
        }
        for model in [
            "gpt-5.9",
            "gpt-5-ultra",
            "gpt-oss-20b",
            "claude-opus-5-9",
            "gemini",
            "flash",
            "",
        ] {
            assert!(!known(model), "{model}");
        }
    }

    #[test]
    fn what_is_unknown_local_or_told_is_not_priced_and_the_entry_outranks_the_table() {
        let plain = ProviderSettings::default();
        assert_eq!(cost(ProviderKind::Codex, &plain, None), 0);
        assert_eq!(cost(ProviderKind::Codex, &plain, Some("gpt-9")), 0);
        assert_eq!(cost(ProviderKind::Ollama, &plain, Some("gpt-5")), 0);
        let told = Usage {
            cost_micro_usd: MicroUsd(7),
            ..USED
        };
        assert_eq!(
            with_cost(ProviderKind::Codex, &plain, Some("gpt-5"), told),
            told
        );
        let own = ProviderSettings {
            price: Some(Price {
                input: 1.0,
                output: 2.0,
                cache_read: Some(0.1),
                cache_write: None,
            }),
            ..ProviderSettings::default()
        };
        assert_eq!(cost(ProviderKind::Codex, &own, Some("gpt-5")), 1448);
        assert_eq!(cost(ProviderKind::Ollama, &own, None), 1200 + 68 + 80 + 100);
    }

    #[test]
    fn the_largest_figures_do_not_overflow() {
        let most = Usage {
            input: u64::MAX,
            output: u64::MAX,
            ..USED
        };
        let entry = ProviderSettings::default();
        let used = with_cost(ProviderKind::Openai, &entry, Some("gpt-5.4"), most);
        assert_eq!(used.cost_micro_usd, MicroUsd(i64::MAX));
    }
}
