//! What an entry of `[providers]` means by its name alone: the kind, and for well-known
//! OpenAI-compatible services their endpoint and the variable that holds their key.

use super::env::Env;
use super::origin::Origin;
use super::problem::Problem;
use super::tree::{Node, Table};
use crate::core::ProviderKind;
use crate::core::suggest::nearest;

/// Name, endpoint, variable of the key.
const SERVICES: &[(&str, &str, &str)] = &[
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    (
        "deepseek",
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
    ),
    (
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
    ),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    (
        "together",
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
    ),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    ("grok", "https://api.x.ai/v1", "XAI_API_KEY"),
];

/// Services whose key variable is set, as (name, variable).
pub(crate) fn services_with_key(env: &Env) -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, &str)> = SERVICES
        .iter()
        .filter(|(_, _, key)| env.get(key).is_some())
        .map(|(name, _, key)| (*name, *key))
        .collect();
    found.dedup_by_key(|(_, key)| *key);
    found
}

/// Fills in what the names of the entries imply.
pub(crate) fn complete(providers: &mut Table, env: &Env) -> Vec<Problem> {
    let entries = providers.iter_mut();
    entries
        .filter_map(|(name, node)| entry(name, node, env).err())
        .collect()
}

fn entry(name: &str, node: &mut Node, env: &Env) -> Result<(), Problem> {
    let origin = node.origin.clone();
    let key = format!("providers.{}", crate::core::text::one_line(name, 70));
    name.parse::<crate::core::ProviderName>()
        .map_err(|e| Problem::new(&origin, &key, e.to_string()))?;
    let Some(table) = node.as_table_mut() else {
        return Ok(());
    };
    let word = match table.get("kind") {
        // A kind that is no text is a type error, told when the entry is read.
        Some(kind) => match kind.as_str() {
            Some(word) => word.to_owned(),
            None => return Ok(()),
        },
        None => match SERVICES.iter().find(|(service, ..)| *service == name) {
            Some(_) => "openai".to_owned(),
            None => name.to_owned(),
        },
    };
    let Ok(kind) = word.parse::<ProviderKind>() else {
        return Err(no_kind(table, &origin, &key, &word));
    };
    table
        .entry("kind".to_owned())
        .or_insert_with(|| Node::leaf(word, Origin::BuiltIn));
    endpoint(name, kind, table, env);
    Ok(())
}

fn no_kind(table: &Table, origin: &Origin, key: &str, word: &str) -> Problem {
    let kinds = ProviderKind::WORDS.join(", ");
    let Some(given) = table.get("kind") else {
        return Problem::new(origin, key, "needs a `kind`, because its name is none")
            .hint(format!("add kind = \"...\" with one of: {kinds}"));
    };
    let shown = crate::core::redact::redact(&crate::core::text::one_line(word, 40));
    let problem = Problem::new(
        &given.origin,
        &format!("{key}.kind"),
        format!("unknown kind `{shown}`"),
    );
    match nearest(word, ProviderKind::WORDS.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("the kinds are: {kinds}")),
    }
}

/// Endpoint and key variable, where the entry gives none. A key is never sent to an endpoint
/// other than its own service's: who sets `base_url` names the key too.
fn endpoint(name: &str, kind: ProviderKind, table: &mut Table, env: &Env) {
    if table.contains_key("base_url") {
        return;
    }
    match kind {
        ProviderKind::Openai => {
            let service = SERVICES
                .iter()
                .find(|(service, ..)| *service == name)
                .unwrap_or(&SERVICES[0]);
            let mut fill = |key: &str, value: &str| {
                table.insert(key.to_owned(), Node::leaf(value, Origin::BuiltIn))
            };
            fill("base_url", service.1);
            key_of(table, service.2);
        }
        ProviderKind::Ollama => {
            let (url, origin) = ollama(env);
            table.insert("base_url".to_owned(), Node::leaf(url, origin));
        }
        // Their endpoint is known to their client; a key for another one is named by whoever
        // names that.
        ProviderKind::Anthropic => key_of(table, "ANTHROPIC_API_KEY"),
        ProviderKind::Google => key_of(table, "GEMINI_API_KEY"),
        ProviderKind::Claude
        | ProviderKind::Codex
        | ProviderKind::Gemini
        | ProviderKind::Opencode
        | ProviderKind::Command
        | ProviderKind::Embedded
        | ProviderKind::Sim => {}
    }
}

/// The variable of the key, where the entry says of none where it is.
fn key_of(table: &mut Table, variable: &str) {
    let own = ["api_key_env", "api_key_file", "api_key_command"];
    if !own.iter().any(|key| table.contains_key(*key)) {
        table.insert(
            "api_key_env".to_owned(),
            Node::leaf(variable, Origin::BuiltIn),
        );
    }
}

/// Where Ollama listens, from `OLLAMA_HOST` in any of the forms that Ollama itself takes.
pub(crate) fn ollama(env: &Env) -> (String, Origin) {
    const PORT: u16 = 11434;
    let Some(host) = env.get("OLLAMA_HOST") else {
        return (format!("http://127.0.0.1:{PORT}"), Origin::BuiltIn);
    };
    let (scheme, rest) = match host.trim().split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("http", host.trim()),
    };
    let rest = rest.trim_end_matches('/');
    // The address to listen on everywhere is not one to connect to.
    let rest = rest.replacen("0.0.0.0", "127.0.0.1", 1);
    let port_given = rest
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let url = match (port_given, rest.starts_with(':')) {
        (true, true) => format!("{scheme}://127.0.0.1{rest}"),
        (true, false) => format!("{scheme}://{rest}"),
        (false, _) if scheme == "https" => format!("{scheme}://{rest}"),
        (false, _) => format!("{scheme}://{rest}:{PORT}"),
    };
    (url, Origin::Env("OLLAMA_HOST".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::config::tree::parse;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Env::new(vars, PathBuf::from("/"))
    }

    fn completed(text: &str) -> (toml::Value, Vec<String>) {
        let mut tree = parse(&Arc::default(), text).unwrap();
        let problems = complete(tree.as_table_mut().unwrap(), &env(&[]));
        let problems = problems.iter().map(|p| p.message.clone()).collect();
        (tree.to_value(), problems)
    }

    #[test]
    fn a_name_that_is_a_kind_or_a_service_says_enough() {
        let (value, problems) = completed("[claude]\n[deepseek]\nmodel = \"deepseek-chat\"\n");
        let want: toml::Value = toml::from_str(
            r#"
            claude.kind = "claude"
            [deepseek]
            kind = "openai"
            model = "deepseek-chat"
            base_url = "https://api.deepseek.com/v1"
            api_key_env = "DEEPSEEK_API_KEY"
            "#,
        )
        .unwrap();
        assert_eq!((value, problems), (want, vec![]));
    }

    #[test]
    fn a_key_is_never_sent_to_another_endpoint() {
        let (value, _) = completed("[deepseek]\nbase_url = \"http://127.0.0.1:8080/v1\"\n");
        assert!(value["deepseek"].get("api_key_env").is_none());
    }

    #[test]
    fn other_names_need_a_kind_and_kinds_must_exist() {
        let (_, problems) = completed("[mine]\n[other]\nkind = \"cluade\"\n");
        assert_eq!(
            problems,
            [
                "needs a `kind`, because its name is none",
                "unknown kind `cluade`",
            ]
        );
    }

    #[test]
    fn ollama_is_found_in_every_form_of_its_variable() {
        for (host, url) in [
            ("box", "http://box:11434"),
            ("box:1234", "http://box:1234"),
            (":1234", "http://127.0.0.1:1234"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("https://box.example/", "https://box.example"),
        ] {
            assert_eq!(ollama(&env(&[("OLLAMA_HOST", host)])).0, url);
        }
        assert_eq!(ollama(&env(&[])).0, "http://127.0.0.1:11434");
    }
}
