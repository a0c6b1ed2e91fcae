//! What may be built in, by the lists of `deny.toml`, checked offline: licences, sources, bans,
//! and how many crates are named in `Cargo.toml`. `just deny` does the same with cargo-deny.

use std::collections::BTreeSet;

use serde_json::Value;

const MOST_DIRECT: usize = 46;
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn toml(file: &str) -> toml::Table {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.parse().unwrap()
}

fn words<'a>(list: &'a toml::Value, key: Option<&str>) -> Vec<&'a str> {
    let word = |item: &'a toml::Value| match key {
        Some(key) => item[key].as_str(),
        None => item.as_str(),
    };
    list.as_array().unwrap().iter().filter_map(word).collect()
}

/// Packages that are part of a build on this machine, tests included. The optional ones are among
/// them once they were fetched, which any build with `local-llm` does.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells about the package that is tested"
)]
fn packages() -> Vec<Value> {
    let os = match std::env::consts::OS {
        "macos" => "apple-darwin",
        _ => "unknown-linux-gnu",
    };
    let triple = format!("{}-{os}", std::env::consts::ARCH);
    let ask = |features: &str| {
        std::process::Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--locked", "--format-version", "1"])
            .args(["--filter-platform", &triple, features])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap()
    };
    let mut output = ask("--all-features");
    if !output.status.success() {
        output = ask("--features=default");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let used: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let all = metadata["packages"].as_array().unwrap();
    all.iter()
        .filter(|p| used.contains(p["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

#[test]
fn every_licence_is_allowed() {
    let deny = toml("deny.toml");
    let allowed = words(&deny["licenses"]["allow"], None);
    let mut bad = Vec::new();
    let packages = packages();
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in &packages {
        let licence = package["license"].as_str().unwrap_or("");
        if !is_met(licence, &allowed) {
            bad.push(format!("{}: `{licence}`", package["name"]));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn crates_come_from_crates_io_and_none_is_banned() {
    let deny = toml("deny.toml");
    let banned = words(&deny["bans"]["deny"], Some("name"));
    assert!(banned.contains(&"openssl-sys"), "{banned:?}");
    let lock = toml("Cargo.lock");
    let mut bad = Vec::new();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        match package.get("source").and_then(toml::Value::as_str) {
            Some(CRATES_IO) => {}
            None if name == "rigs" => {}
            source => bad.push(format!("{name} comes from {source:?}")),
        }
        if banned.contains(&name) {
            bad.push(format!("{name} is banned"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn few_crates_are_named_and_each_with_a_version() {
    let manifest = toml("Cargo.toml");
    let mut names = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies"] {
        for (name, entry) in manifest[section].as_table().unwrap() {
            if entry.get("path").is_some() {
                continue;
            }
            let version = entry.as_str().or_else(|| entry.get("version")?.as_str());
            assert!(version.is_some_and(|v| v != "*"), "{name}: {version:?}");
            names.insert(name.as_str());
        }
    }
    assert!(names.len() <= MOST_DIRECT, "{}: {names:?}", names.len());
}

/// Whether a licence expression is met by the allowed licences alone. `/` is an old `OR`.
fn is_met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words: Vec<String> = Vec::new();
    let mut parts = spaced.split_whitespace();
    while let Some(part) = parts.next() {
        match (part, words.last_mut()) {
            ("WITH", Some(licence)) => {
                let exception = parts.next().unwrap_or_default();
                *licence = format!("{licence} WITH {exception}");
            }
            _ => words.push(part.to_owned()),
        }
    }
    let mut rest = words.as_slice();
    either(&mut rest, allowed) && rest.is_empty()
}

fn either(rest: &mut &[String], allowed: &[&str]) -> bool {
    let mut met = both(rest, allowed);
    while next_is(rest, "OR") {
        met |= both(rest, allowed);
    }
    met
}

fn both(rest: &mut &[String], allowed: &[&str]) -> bool {
    let mut met = one(rest, allowed);
    while next_is(rest, "AND") {
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[String], allowed: &[&str]) -> bool {
    if next_is(rest, "(") {
        let met = either(rest, allowed);
        return next_is(rest, ")") && met;
    }
    let Some((licence, after)) = rest.split_first() else {
        return false;
    };
    *rest = after;
    allowed.contains(&licence.as_str())
}

fn next_is(rest: &mut &[String], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if first == word => {
            *rest = after;
            true
        }
        Some(_) | None => false,
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR Zlib) AND MIT", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0", false),
        ("", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
