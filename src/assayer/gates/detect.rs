//! Which gates a repository has, seen from a few small files, read as data. Nothing is run.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::{GATES, Gate};
use crate::assayer::inside;

/// Enough of a manifest or makefile.
const MAX: u64 = 512 * 1024;
/// Enough of a test file to see what it imports.
const HEAD: u64 = 16 * 1024;
/// Folders with more entries than this are looked at in part.
const ENTRIES: usize = 2000;

/// The gates of the repository at `root`, best first: the first one is the test gate. A general
/// runner (just, make) counts only where no language's own tool is found.
pub(crate) fn detect(root: &Path) -> Vec<&'static Gate> {
    let names = inside::names(root, ".", ENTRIES);
    let repo = Repo { root, names };
    let mut found: Vec<&'static str> = Vec::new();
    found.extend(repo.has("Cargo.toml").then_some("cargo-test"));
    found.extend(repo.has("go.mod").then_some("go-test"));
    found.extend(repo.javascript());
    found.extend(repo.python());
    found.extend(repo.jvm());
    found.extend(repo.ruby());
    found.extend(repo.dotnet().then_some("dotnet-test"));
    found.extend(repo.has("mix.exs").then_some("mix-test"));
    found.extend(repo.composer().then_some("composer-test"));
    found.extend(repo.has("Package.swift").then_some("swift-test"));
    if found.is_empty() {
        found.extend(repo.runner());
    }
    GATES
        .iter()
        .filter(|gate| found.contains(&gate.name))
        .collect()
}

struct Repo<'a> {
    root: &'a Path,
    /// Names at the top.
    names: Vec<String>,
}

impl Repo<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name) && inside::is_file(self.root, name)
    }

    fn read(&self, name: &str) -> Option<String> {
        self.has(name)
            .then(|| inside::read(self.root, name, MAX))
            .flatten()
    }

    fn folder(&self, name: &str) -> bool {
        inside::locate(self.root, name).is_some_and(|path| path.is_dir())
    }

    /// `scripts.test`, run by the package manager whose lock file lies there.
    fn javascript(&self) -> Option<&'static str> {
        let Some(manifest) = self.json("package.json") else {
            return (self.has("deno.json") || self.has("deno.jsonc")).then_some("deno-test");
        };
        let script = manifest.pointer("/scripts/test")?.as_str()?;
        // What `npm init` writes.
        if script.trim().is_empty() || script.contains("no test specified") {
            return None;
        }
        let manager = manifest
            .get("packageManager")
            .and_then(|v| v.as_str())
            .unwrap_or_default();
        let by = |name: &str, locks: &[&str]| {
            manager.starts_with(name)
                || (manager.is_empty() && locks.iter().any(|lock| self.has(lock)))
        };
        Some(if by("pnpm", &["pnpm-lock.yaml"]) {
            "pnpm-test"
        } else if by("yarn", &["yarn.lock"]) {
            "yarn-test"
        } else if by("bun", &["bun.lock", "bun.lockb"]) {
            "bun-test"
        } else {
            "npm-test"
        })
    }

    fn json(&self, name: &str) -> Option<serde_json::Value> {
        serde_json::from_str(self.read(name)?.trim_start_matches('\u{feff}')).ok()
    }

    /// pytest where it is configured or imported, or where tests are not written for unittest.
    fn python(&self) -> Option<&'static str> {
        let configured = self.has("pytest.ini")
            || self.has("conftest.py")
            || inside::is_file(self.root, "tests/conftest.py")
            || [
                ("pyproject.toml", "[tool.pytest"),
                ("tox.ini", "[pytest]"),
                ("setup.cfg", "[tool:pytest]"),
            ]
            .iter()
            .any(|(file, mark)| self.read(file).is_some_and(|text| text.contains(mark)));
        if configured {
            return Some("pytest");
        }
        let in_root = test_files(&self.names, "");
        let folder = ["tests", "test"].into_iter().find(|f| self.folder(f));
        let in_folder = folder
            .map(|f| test_files(&inside::names(self.root, f, ENTRIES), f))
            .unwrap_or_default();
        let files: Vec<&String> = in_root.iter().chain(&in_folder).take(8).collect();
        if files.is_empty() {
            return None;
        }
        let heads: Vec<String> = files
            .iter()
            .filter_map(|file| inside::read(self.root, file, HEAD))
            .collect();
        let unittest = heads.iter().any(|head| head.contains("unittest"))
            && !heads.iter().any(|head| head.contains("pytest"));
        Some(match (unittest, in_folder.is_empty(), folder) {
            (true, false, Some("tests")) if !inside::is_file(self.root, "tests/__init__.py") => {
                "unittest-tests"
            }
            (true, ..) => "unittest",
            (false, ..) => "pytest",
        })
    }

    fn jvm(&self) -> Option<&'static str> {
        let gradle = [
            "build.gradle",
            "build.gradle.kts",
            "settings.gradle",
            "settings.gradle.kts",
        ];
        if gradle.iter().any(|file| self.has(file)) {
            return Some(if self.has("gradlew") {
                "gradlew-test"
            } else {
                "gradle-test"
            });
        }
        self.has("pom.xml").then(|| {
            if self.has("mvnw") {
                "mvnw-test"
            } else {
                "maven-test"
            }
        })
    }

    fn ruby(&self) -> Option<&'static str> {
        if !self.has("Gemfile") {
            return None;
        }
        if self.folder("spec") {
            return Some("rspec");
        }
        (self.has("Rakefile") && self.folder("test")).then_some("rake-test")
    }

    fn dotnet(&self) -> bool {
        let ends = [".sln", ".slnx", ".csproj", ".fsproj"];
        self.names
            .iter()
            .any(|name| ends.iter().any(|end| name.ends_with(end)))
    }

    fn composer(&self) -> bool {
        self.json("composer.json")
            .is_some_and(|manifest| manifest.pointer("/scripts/test").is_some())
    }

    /// A recipe named `test` that needs no argument.
    fn runner(&self) -> Option<&'static str> {
        static RECIPE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^@?test((?:[ \t]+(?:\*\w+|\w+=\S+))*)[ \t]*:(?:[^=]|$)")
                .expect("invariant: the pattern is valid")
        });
        static TARGET: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^(?:[\w.-]+[ \t]+)*(test|check)(?:[ \t]+[\w.-]+)*[ \t]*::?(?:[^=:]|$)")
                .expect("invariant: the pattern is valid")
        });
        let just = ["justfile", "Justfile", ".justfile"];
        if just
            .iter()
            .filter_map(|file| self.read(file))
            .any(|text| RECIPE.is_match(&text))
        {
            return Some("just-test");
        }
        // The order in which make itself looks.
        let makefile = ["GNUmakefile", "makefile", "Makefile"]
            .iter()
            .find_map(|file| self.read(file))?;
        let targets: Vec<&str> = TARGET
            .captures_iter(&makefile)
            .filter_map(|found| found.get(1).map(|m| m.as_str()))
            .collect();
        if targets.contains(&"test") {
            return Some("make-test");
        }
        targets.contains(&"check").then_some("make-check")
    }
}

fn test_files(names: &[String], folder: &str) -> Vec<String> {
    let is_test = |name: &str| {
        name.strip_suffix(".py")
            .is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"))
    };
    names
        .iter()
        .filter(|name| is_test(name))
        .map(|name| match folder {
            "" => name.clone(),
            folder => format!("{folder}/{name}"),
        })
        .collect()
}
