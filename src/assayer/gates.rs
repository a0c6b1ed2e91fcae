//! The gates that rigs knows by name: how a project's tests are run, and how to see that from
//! what the repository contains. A planner or a file of the repository may only name a gate of
//! this table; a command of its own comes from a person or from trusted config.

mod detect;

pub(crate) use detect::detect;

/// One way to check a repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    /// Run in the worktree; the first word is a program in PATH, or `./…` in the worktree.
    pub(crate) argv: &'static [&'static str],
    /// Output that says the tool itself is missing, so that it is no fault of the work.
    pub(crate) missing: &'static [&'static str],
}

impl Gate {
    pub(crate) fn argv(&self) -> Vec<String> {
        self.argv.iter().map(|word| (*word).to_owned()).collect()
    }

    /// As a person would type it.
    pub(crate) fn command(&self) -> String {
        self.argv.join(" ")
    }
}

const fn gate(name: &'static str, argv: &'static [&'static str]) -> Gate {
    Gate {
        name,
        argv,
        missing: &[],
    }
}

/// Every gate, by order of preference: a language's own tool before a general runner.
pub(crate) static GATES: &[Gate] = &[
    gate("cargo-test", &["cargo", "test"]),
    gate("go-test", &["go", "test", "./..."]),
    gate("pnpm-test", &["pnpm", "test"]),
    gate("yarn-test", &["yarn", "test"]),
    gate("bun-test", &["bun", "run", "test"]),
    gate("npm-test", &["npm", "test"]),
    gate("deno-test", &["deno", "test"]),
    Gate {
        name: "pytest",
        argv: &["python3", "-m", "pytest", "-q"],
        missing: &["No module named pytest"],
    },
    gate("unittest", &["python3", "-m", "unittest", "discover"]),
    // Without the folder named, discovery from the root skips one that is no package.
    gate(
        "unittest-tests",
        &["python3", "-m", "unittest", "discover", "-s", "tests"],
    ),
    gate("gradlew-test", &["./gradlew", "test"]),
    gate("gradle-test", &["gradle", "test"]),
    gate("mvnw-test", &["./mvnw", "-q", "test"]),
    gate("maven-test", &["mvn", "-q", "test"]),
    gate("rspec", &["bundle", "exec", "rspec"]),
    gate("rake-test", &["bundle", "exec", "rake", "test"]),
    gate("dotnet-test", &["dotnet", "test"]),
    gate("mix-test", &["mix", "test"]),
    gate("composer-test", &["composer", "test"]),
    gate("swift-test", &["swift", "test"]),
    gate("just-test", &["just", "test"]),
    gate("make-test", &["make", "test"]),
    gate("make-check", &["make", "check"]),
];

/// The gate of that name.
pub(crate) fn find(name: &str) -> Option<&'static Gate> {
    GATES.iter().find(|gate| gate.name == name)
}

#[cfg(test)]
mod tests;
