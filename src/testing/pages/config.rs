//! `docs/config.md`: every key with its default and meaning, from the settings' own types.

use std::fmt::Write;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::config::settings::{
    AssayerSettings, BudgetSettings, ForemanSettings, GateSettings, GeneralSettings,
    NotifySettings, ProviderBudget, ProviderSettings, ReserveHours, RoutingSettings, SimSettings,
    SourcesSettings, WindowLimit,
};

const INTRO: &str = "\
`rigs init` writes a commented `config.toml`; without one, everything has a default. Four layers,
the later one wins, key by key:

1. the values built in,
2. `config.toml` in the home folder (`--home`, `RIGS_HOME`, else `~/.rigs`), or the file that
   `--config` names,
3. environment variables `RIGS_SECTION__KEY`, deeper levels joined by `__` too
   (`RIGS_PROVIDERS__CLAUDE__MODEL=opus`),
4. flags.

`rigs config show` names the source of every value, `rigs config check` says everything that is
wrong with file, line and column. An unknown key is an error. Durations are written `90s`, `45m`,
`5h`, `7d` or `1h30m`.

Without any `[providers.NAME]`, what is found on the machine is used: `claude` and `codex` in
PATH, an Ollama server that answers, the embedded model where it is built in. With at least one,
only those that are written down: who installs an agent later adds `[providers.claude]`.

A key is never written into the file: `api_key_env` names a variable, `api_key_file` a file that
only you can read, `api_key_command` a program that prints it.
";

const NAMES: &str = "
NAME is yours to choose. Where it is a kind's name (`claude`, `codex`, `command`, `ollama`,
`openai`, `embedded`, `sim`), `kind` may be left out; `deepseek`, `openrouter`, `groq`, `together` and
`xai` are of kind `openai` and bring their address and the name of their key's variable.
[agent-providers.md](agent-providers.md), [command-provider.md](command-provider.md) and
[simulated-provider.md](simulated-provider.md) say more.
";

const OLD: &str = "
`tokens_per_window` with `window_hours`, `requests_per_minute`, `daily_cap` and `weekly_cap` of a
provider are read as entries of `limits`.
";

const KINDS: &str = "
| kind | what it is | example |
| --- | --- | --- |
| `refill` | fills up steadily: `amount` per `window`, at most `burst` | requests or tokens per minute of an API |
| `anchored` | begins with the first use after the last one ended | the five hours of a subscription |
| `rolling` | what was used in the last `window` | |
| `calendar` | a day, week or month of a time zone, whatever its clock is set to | requests per day until midnight |
| `concurrency` | so many at once | |
| `balance` | paid in advance; only a person fills it up | credit in millionths of a dollar |
| `percent` | a share that the provider reports; how many tokens that is, is learned | a subscription |

`tokens` are input, output and cache writes, `input_tokens` without the output, `all_tokens` with what
is read from a cache.

```toml
limits = [
    { kind = \"refill\", window = \"1m\", unit = \"input_tokens\", amount = 80000 },
    { kind = \"calendar\", window = \"day\", zone = \"America/Los_Angeles\", unit = \"requests\", amount = 250 },
    { kind = \"balance\", unit = \"micro_usd\", amount = 20000000 },
]
```
";

const SIM: &str = "
How the runs of a provider of kind `sim` go; [simulated-provider.md](simulated-provider.md).
";

const HOURS: &str = "
```toml
[providers.claude]
reserve = 0.1

[[providers.claude.reserve_hours]]
hours = \"09-18\"
days = \"mon-fri\"
share = 0.4
```

While you are at your desk, 40 % of every window are yours, 10 % otherwise. A bead that does not fit
because of it waits until six o'clock, or for the window's reset if that comes first.
";

const VARIABLES: &str = "
## Other variables

| variable | meaning |
| --- | --- |
| `RIGS_HOME` | the home folder |
| `RUST_LOG` | what is logged to stderr, above `-v` and `general.log_level` |
| `NO_COLOR`, `COLUMNS` | no colours; the width of tables |
| `VISUAL`, `EDITOR` | what `rigs goal plan --edit` opens |
| `OLLAMA_HOST` | where Ollama listens, as Ollama itself reads it |
";

#[test]
fn the_page_of_the_settings_has_every_key() {
    let mut page = format!("# Configuration\n\n{}\n\n{INTRO}", super::MADE);
    section::<GeneralSettings>(&mut page, "[general]", "");
    section::<ProviderSettings>(&mut page, "[providers.NAME]", NAMES);
    section::<WindowLimit>(&mut page, "limits = [ { ... } ] of a provider", KINDS);
    section::<ProviderBudget>(&mut page, "budget = { ... } of a provider", "");
    page.push_str(OLD);
    section::<SimSettings>(&mut page, "[providers.NAME.sim]", SIM);
    section::<ReserveHours>(&mut page, "[[providers.NAME.reserve_hours]]", HOURS);
    section::<AssayerSettings>(&mut page, "[assayer]", "");
    section::<RoutingSettings>(&mut page, "[routing]", "");
    section::<GateSettings>(&mut page, "[gate]", "");
    section::<ForemanSettings>(&mut page, "[foreman]", "");
    section::<SourcesSettings>(&mut page, "[sources]", "");
    section::<BudgetSettings>(&mut page, "[budget]", "");
    section::<NotifySettings>(&mut page, "[notify]", "");
    page.push_str(VARIABLES);
    super::check("config.md", &page);
}

fn section<T: JsonSchema>(page: &mut String, title: &str, words: &str) {
    let schema = schema_for!(T);
    let schema = schema.as_value();
    let properties = schema["properties"].as_object().unwrap();
    write!(
        page,
        "\n## {title}\n{words}\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n"
    )
    .unwrap();
    for (key, property) in properties {
        let meaning = property["description"].as_str();
        let meaning = meaning.unwrap_or_else(|| panic!("{title}: `{key}` has no doc comment"));
        writeln!(
            page,
            "| `{key}` | {} | {} | {} |",
            super::cell(&kind(property, schema)),
            default(&property["default"]),
            super::cell(meaning)
        )
        .unwrap();
    }
}

/// What may be written, in words.
fn kind(property: &Value, root: &Value) -> String {
    if let Some(name) = property["$ref"].as_str() {
        let at = name.trim_start_matches('#');
        return kind(root.pointer(at).unwrap(), root);
    }
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return words.join(", ");
    }
    if let Some(either) = property["anyOf"].as_array() {
        let kinds: Vec<String> = either
            .iter()
            .filter(|p| p["type"] != "null")
            .map(|p| kind(p, root))
            .collect();
        return kinds.join(" or ");
    }
    let name = match &property["type"] {
        Value::Array(names) => names[0].as_str(),
        one => one.as_str(),
    };
    match name.unwrap_or_default() {
        "string" => property["format"].as_str().unwrap_or("text").to_owned(),
        "integer" => "whole number".to_owned(),
        "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => format!("list: {}", kind(&property["items"], root)),
        "object" => "table".to_owned(),
        other => panic!("no words for `{other}` in {property}"),
    }
}

fn default(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(table) if table.is_empty() => "`{}`".to_owned(),
        other => format!("`{other}`"),
    }
}
