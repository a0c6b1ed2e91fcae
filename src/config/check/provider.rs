//! What the values of one entry of `[providers]` must be.

use std::path::Path;

use super::{Checker, affinity};
use crate::config::settings::{Command, ProviderSettings, SimSettings, WindowLimit};
use crate::core::redact::redact;
use crate::core::{Length, LimitKind, LimitUnit, ProviderKind, Way};

pub(super) fn entry(c: &mut Checker<'_>, name: &str, p: &ProviderSettings) {
    // What has no kind was told already.
    let Some(kind) = p.kind else {
        return;
    };
    let key = |key| ["providers", name, key];
    for (field, value) in [
        ("threshold_yellow", p.threshold_yellow),
        ("threshold_red", p.threshold_red),
        ("reserve", p.reserve),
    ] {
        c.ratio(value, &key(field));
    }
    c.require(
        p.threshold_red <= p.threshold_yellow,
        &key("threshold_red"),
        "must not be above `threshold_yellow`",
    );
    affinity(c, &key("affinity"), &p.affinity);
    c.require(
        p.max_parallel > 0,
        &key("max_parallel"),
        "must be at least 1",
    );
    for (field, span) in [
        ("timeout", p.timeout),
        ("idle_timeout", p.idle_timeout),
        ("startup_timeout", p.startup_timeout),
    ] {
        c.require(!span.0.is_zero(), &key(field), "must be longer than 0");
    }
    keys(c, name, p);
    command(c, name, kind, p.command.as_ref());
    if let Some(url) = &p.base_url {
        base_url(c, &key("base_url"), url);
    }
    let models = p.model.iter().chain(&p.fallback_model).chain(&p.models);
    for model in models {
        // It becomes an argument of a program: it must not be able to be a flag.
        let fine =
            !model.is_empty() && !model.starts_with('-') && !model.contains(char::is_control);
        c.require(fine, &key("model"), "is not the name of a model");
    }
    let needs_model = matches!(
        kind,
        ProviderKind::Openai | ProviderKind::Anthropic | ProviderKind::Google
    );
    if needs_model && p.enabled && p.model.is_none() && p.models.is_empty() {
        c.add(
            &["providers", name],
            "needs a `model`",
            Some("add model = \"...\" with one that the server has".to_owned()),
        );
    }
    if let Some(price) = &p.price {
        let told = [
            Some(price.input),
            Some(price.output),
            price.cache_read,
            price.cache_write,
        ];
        c.require(
            told.into_iter()
                .flatten()
                .all(|usd| (0.0..1e6).contains(&usd)),
            &key("price"),
            "must be US dollars per million tokens, 0 or more",
        );
    }
    simulated(c, name, kind, p);
    for (i, hours) in p.reserve_hours.iter().enumerate() {
        let path = ["providers", name, "reserve_hours", &i.to_string()];
        c.ratio(hours.share, &path);
        c.require(
            hours.hours.is_some() || hours.days.is_some(),
            &path,
            "needs `hours` or `days`; for the whole week set `reserve`",
        );
    }
    for (i, limit) in p.limits.iter().enumerate() {
        window(c, &["providers", name, "limits", &i.to_string()], limit);
    }
}

/// What a simulated run is drawn from. What never happened has no price and no key.
fn simulated(c: &mut Checker<'_>, name: &str, kind: ProviderKind, p: &ProviderSettings) {
    let sim = &p.sim;
    if kind != ProviderKind::Sim {
        c.require(
            *sim == SimSettings::default(),
            &["providers", name, "sim"],
            "is for kind `sim` only",
        );
        return;
    }
    let key = |key| ["providers", name, "sim", key];
    c.require(
        p.price.is_none(),
        &["providers", name, "price"],
        "has no meaning for kind `sim`, whose runs cost nothing",
    );
    c.require(
        sim.tokens_p50
            .is_none_or(|n| (1..=1_000_000_000).contains(&n)),
        &key("tokens_p50"),
        "must be between 1 and 1,000,000,000",
    );
    for (field, sigma) in [
        ("tokens_sigma", sim.tokens_sigma),
        ("seconds_sigma", sim.seconds_sigma),
    ] {
        let fine = (0.0..=3.0).contains(&sigma);
        c.require(fine, &key(field), "must be between 0 and 3");
    }
    c.require(
        (0.0..=86_400.0).contains(&sim.seconds_p50),
        &key("seconds_p50"),
        "must be between 0 and 86400, a day",
    );
    c.require(
        (1..=604_800).contains(&sim.wall_seconds),
        &key("wall_seconds"),
        "must be between 1 and 604800, a week",
    );
    let shares = sim.shares();
    for (field, share) in shares {
        c.ratio(share, &key(field));
    }
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    c.require(
        sum <= 1.0 + 1e-9,
        &["providers", name, "sim"],
        "gives shares of runs that are more than 1 together",
    );
}

/// Keys are named, never written down. A refused value is not repeated: it may be the key.
fn keys(c: &mut Checker<'_>, name: &str, p: &ProviderSettings) {
    let key = |key| ["providers", name, key];
    let given = [
        p.api_key_env.is_some(),
        p.api_key_file.is_some(),
        p.api_key_command.is_some(),
    ];
    c.require(
        given.iter().filter(|given| **given).count() <= 1,
        &["providers", name],
        "give one of `api_key_env`, `api_key_file` and `api_key_command`, not several",
    );
    if p.api_key_env.as_deref().is_some_and(|v| !is_variable(v)) {
        c.add(
            &key("api_key_env"),
            "must be the NAME of an environment variable, not a key",
            Some(format!(
                "export the key and write api_key_env = \"{}_API_KEY\"; if the key was saved here, replace it at the provider",
                name.to_uppercase().replace('-', "_")
            )),
        );
    }
    c.require(
        p.api_key_command
            .as_ref()
            .is_none_or(|argv| argv.first().is_some_and(|program| !program.is_empty())),
        &key("api_key_command"),
        "must name a program",
    );
    c.require(
        p.api_key_file
            .as_ref()
            .is_none_or(|file| file.is_absolute()),
        &key("api_key_file"),
        "must be an absolute path",
    );
    let names = p.env.keys().chain(&p.env_pass);
    c.require(
        names.clone().all(|name| is_variable(name)),
        &key("env"),
        "holds something that is not the name of a variable",
    );
}

/// The NAME of a variable, never a key; a refused value is not repeated.
pub(super) fn variable(c: &mut Checker<'_>, path: &[&str], name: Option<&str>) {
    c.require(
        name.is_none_or(is_variable),
        path,
        "must be the NAME of an environment variable, not a key",
    );
}

/// Whether `text` can be the name of a variable and does not look like a key.
fn is_variable(text: &str) -> bool {
    let shape = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    let random = text.len() >= 20
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_lowercase());
    shape && !random && redact(text) == text
}

fn command(c: &mut Checker<'_>, name: &str, kind: ProviderKind, command: Option<&Command>) {
    let path = ["providers", name, "command"];
    match (kind.way(), command) {
        (Way::Program, None) => c.add(
            &path,
            "is needed for kind `command`",
            Some("write command = [\"program\", \"argument\"]".to_owned()),
        ),
        (Way::Agent, Some(Command::Argv(_))) => c.add(
            &path,
            "must be one program; only kind `command` takes a list",
            Some("put further arguments into `args`".to_owned()),
        ),
        (_, Some(Command::Argv(argv))) if argv.is_empty() => {
            c.add(&path, "must name a program", None);
        }
        (_, Some(Command::Program(program))) => program_name(c, &path, program),
        (_, Some(Command::Argv(argv))) => program_name(c, &path, &argv[0]),
        (_, None) => {}
    }
}

fn program_name(c: &mut Checker<'_>, path: &[&str], program: &str) {
    // A relative path would mean another program in each folder, even one from a repository.
    let fine = !program.is_empty() && (!program.contains('/') || Path::new(program).is_absolute());
    c.require(
        fine,
        path,
        "must be the name of a program in PATH or an absolute path",
    );
}

pub(super) fn base_url(c: &mut Checker<'_>, path: &[&str], text: &str) {
    match reqwest::Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => c.add(
            path,
            "must begin with http:// or https:// and name a host",
            None,
        ),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => c.add(
            path,
            "must not hold a user or a password",
            Some("use `api_key_env`".to_owned()),
        ),
        Ok(_) => {}
        Err(_) => c.add(path, "is not a URL such as http://127.0.0.1:8080/v1", None),
    }
}

fn window(c: &mut Checker<'_>, path: &[&str], limit: &WindowLimit) {
    let (kind, unit) = (limit.kind, limit.unit);
    let percent = (kind == LimitKind::Percent, unit == LimitUnit::Percent);
    if percent.0 != percent.1 {
        c.add(
            path,
            "kind `percent` and unit `percent` belong together",
            None,
        );
        return;
    }
    let span = limit.window.and_then(Length::span);
    match kind {
        LimitKind::Calendar => c.require(
            limit.window.is_some_and(|w| w.period().is_some()),
            path,
            "needs a `window` of day, week or month",
        ),
        LimitKind::Refill | LimitKind::Anchored | LimitKind::Rolling | LimitKind::Percent => c
            .require(
                span.is_some_and(|w| !w.0.is_zero()),
                path,
                "needs a `window`, its length such as 5h",
            ),
        LimitKind::Balance => c.require(
            limit.window.is_none(),
            path,
            "has no `window`: money does not come back with time",
        ),
        LimitKind::Concurrency => {}
    }
    c.require(
        limit.zone.is_none() || kind == LimitKind::Calendar,
        path,
        "has a `zone`, which only kind `calendar` follows",
    );
    c.require(
        limit
            .burst
            .is_none_or(|n| n > 0 && kind == LimitKind::Refill),
        path,
        "has a `burst`, which only kind `refill` knows, and which must be above 0",
    );
    c.require(
        kind == LimitKind::Percent || limit.amount.is_some_and(|n| n > 0),
        path,
        "needs an `amount` above 0",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables_are_told_from_keys() {
        for name in [
            "OPENAI_API_KEY",
            "key",
            "_X1",
            "MY_VERY_LONG_VARIABLE_NAME_2",
        ] {
            assert!(is_variable(name), "{name}");
        }
        for key in [
            "",
            "1X",
            "sk-ant-REDACTED",
            "gsk_abcdefghijklmnopqrst",
            "abcdef0123456789abcdef0123456789",
            "two words",
        ] {
            assert!(!is_variable(key), "{key}");
        }
    }
}
