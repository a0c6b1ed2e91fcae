//! The backends of the assayer and the order in which they are asked. The rules are not in the
//! list: they stand behind it, always.

use std::sync::Arc;
use std::time::Duration;

use crate::llm::LanguageModel;

/// A model that may do a stage.
#[derive(Clone)]
pub(crate) struct Backend {
    /// How notes, plans and traces name it.
    pub(crate) label: String,
    pub(crate) model: Arc<dyn LanguageModel>,
    /// Of one call.
    pub(crate) timeout: Duration,
}

impl Backend {
    pub(crate) fn new(model: Arc<dyn LanguageModel>, timeout: Duration) -> Self {
        Self {
            label: model.label(),
            model,
            timeout,
        }
    }
}

/// A model that was found on this machine or in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The name by which `[assayer] backends` lists it: `ollama`, or a provider's name.
    pub(crate) name: String,
    pub(crate) model: String,
    /// Billions of parameters, where the server or the file says so, times ten: 15 is 1.5B.
    pub(crate) tenths_of_billions: Option<u32>,
    /// Its calls cost money or count against a subscription.
    pub(crate) paid: bool,
}

/// Below this a model plans worse than the rules: measured with 0.1B and 0.3B, and 1.5B about
/// level with them.
const SMALLEST: u32 = 15;

/// Which of the found models plan, best first, as positions in `found`. What the settings list
/// is taken as listed; without a list: free ones large enough, the largest first. Paid models
/// are used only when listed.
pub(crate) fn order(found: &[Found], listed: Option<&[String]>) -> Vec<usize> {
    if let Some(names) = listed {
        return names
            .iter()
            .take_while(|name| name.as_str() != "rules")
            .filter_map(|name| found.iter().position(|f| f.name == *name))
            .collect();
    }
    let mut order: Vec<usize> = (0..found.len())
        .filter(|at| {
            let model = &found[*at];
            !model.paid && model.tenths_of_billions.is_none_or(|size| size >= SMALLEST)
        })
        .collect();
    // A model of unknown size goes last: the known ones have something to show.
    order.sort_by_key(|at| std::cmp::Reverse(found[*at].tenths_of_billions.unwrap_or(0)));
    order
}

/// The size a model's name tells, in tenths of billions of parameters: `qwen2.5-coder:7b` 70,
/// `Qwen2.5-Coder-1.5B-Instruct` 15, `smollm2:135m` 1.
pub(crate) fn size_in_name(model: &str) -> Option<u32> {
    model
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .filter_map(|part| {
            let lower = part.to_ascii_lowercase();
            let (number, thousandths) = match lower.strip_suffix('b') {
                Some(number) => (number, 1000.0),
                None => (lower.strip_suffix('m')?, 1.0),
            };
            let number: f64 = number.parse().ok()?;
            Some(((number * thousandths / 100.0).round() as u32).max(1))
        })
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, size: Option<u32>, paid: bool) -> Found {
        Found {
            name: name.into(),
            model: "m".into(),
            tenths_of_billions: size,
            paid,
        }
    }

    #[test]
    fn free_models_that_are_large_enough_come_largest_first() {
        let all = [
            found("tiny", Some(1), false),
            found("unknown", None, false),
            found("seven", Some(70), false),
            found("deepseek", None, true),
            found("thirty", Some(320), false),
        ];
        let names = |listed: Option<&[String]>| -> Vec<&str> {
            order(&all, listed)
                .into_iter()
                .map(|at| all[at].name.as_str())
                .collect()
        };
        assert_eq!(names(None), ["thirty", "seven", "unknown"]);
        let listed = ["deepseek", "gone", "tiny", "rules", "seven"].map(String::from);
        assert_eq!(names(Some(&listed)), ["deepseek", "tiny"]);
        assert_eq!(names(Some(&[])), Vec::<&str>::new());
    }

    #[test]
    fn a_name_often_tells_the_size() {
        for (name, size) in [
            ("qwen2.5-coder:7b", Some(70)),
            ("Qwen2.5-Coder-1.5B-Instruct-Q4_K_M", Some(15)),
            ("smollm2:135m", Some(1)),
            ("llama3.1:70b-instruct", Some(700)),
            ("gpt-5", None),
            ("mb", None),
        ] {
            assert_eq!(size_in_name(name), size, "{name}");
        }
    }
}
