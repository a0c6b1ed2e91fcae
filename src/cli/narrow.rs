//! The part of the command tree that one command line needs. Building all of it takes as long as
//! the work of a short command; what shells and scripts call in loops is read with its own branch
//! only. Whatever that branch does not understand, help and errors among it, is left to the whole
//! tree.

use std::ffi::OsString;

use clap::{Args as _, FromArgMatches as _};

use super::{Cli, Global, bead, status, tank, why};

/// A command by its name, and what adds its arguments.
pub(super) type Leaf = (&'static str, fn(clap::Command) -> clap::Command);

const GROUPS: [(&str, &[Leaf]); 2] = [("bead", bead::LEAVES), ("tank", tank::LEAVES)];

const LEAVES: &[Leaf] = &[
    ("status", status::Args::augment_args),
    ("why", why::Args::augment_args),
];

/// The command line, if it is a plain call of a command that is known here.
pub(super) fn parse(args: &[OsString]) -> Option<Cli> {
    let command = branch(args)?;
    let matches = command.try_get_matches_from(args).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

/// Global options before the command are left to the whole tree.
fn branch(args: &[OsString]) -> Option<clap::Command> {
    let built = |leaves: &[Leaf], at: usize| {
        let typed = args.get(at)?;
        let (name, augment) = leaves.iter().find(|(name, _)| typed == name)?;
        Some(augment(clap::Command::new(*name)))
    };
    let group = GROUPS
        .iter()
        .find(|(name, _)| args.get(1).is_some_and(|arg| arg == name));
    let command = match group {
        Some((name, leaves)) => clap::Command::new(*name).subcommand(built(leaves, 2)?),
        None => built(LEAVES, 1)?,
    };
    Some(Global::augment_args(clap::Command::new("rigs")).subcommand(command))
}

/// What `rigs --version` prints, when that is all that is asked.
pub(super) fn version(args: &[OsString]) -> Option<clap::Error> {
    let [_, only] = args else { return None };
    if only != "--version" && only != "-V" {
        return None;
    }
    let version = env!("CARGO_PKG_VERSION");
    clap::Command::new("rigs")
        .version(version)
        .try_get_matches_from(args)
        .err()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    const LINES: [&str; 14] = [
        "rigs bead create x",
        "rigs bead create x -p high -t test --json --label a --label b --depends-on gt-1",
        "rigs bead create - --home /h -vv --not-before 2h --color never -q",
        "rigs bead create -- --help",
        "rigs bead list",
        "rigs bead list --ready --limit 20 --config f",
        "rigs bead show gt-1",
        "rigs bead cancel gt-1",
        "rigs bead retry gt-1",
        "rigs tank list",
        "rigs tank status claude",
        "rigs status --json",
        "rigs why gt-1",
        "rigs why gt-1 --home=/h",
    ];

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_branch_reads_what_the_tree_reads() {
        for line in LINES {
            let narrow = parse(&words(line)).unwrap_or_else(|| panic!("`{line}` is not known"));
            let whole = Cli::try_parse_from(words(line)).unwrap();
            assert_eq!(format!("{narrow:?}"), format!("{whole:?}"), "{line}");
        }
    }

    #[test]
    fn help_errors_and_everything_else_are_left_to_the_tree() {
        for line in [
            "rigs",
            "rigs bead",
            "rigs bead create",
            "rigs bead create --help",
            "rigs bead create x --kind test",
            "rigs bead make x",
            "rigs bead list --limit many",
            "rigs --json bead list",
            "rigs bead --json list",
            "rigs status now",
            "rigs help",
        ] {
            assert!(parse(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn every_branch_has_the_arguments_of_the_tree() {
        let tree = super::super::command();
        let ids = |command: &clap::Command| -> Vec<String> {
            command
                .get_arguments()
                .map(|a| a.get_id().to_string())
                .collect()
        };
        let groups = GROUPS.map(|(name, leaves)| (tree.find_subcommand(name).unwrap(), leaves));
        for (group, leaves) in groups.into_iter().chain([(&tree, LEAVES)]) {
            for (name, augment) in leaves {
                let whole = group.find_subcommand(name).unwrap();
                assert_eq!(ids(&augment(clap::Command::new("x"))), ids(whole), "{name}");
            }
        }
    }

    #[test]
    fn the_version_alone_is_told_as_the_tree_tells_it() {
        for line in ["rigs --version", "rigs -V"] {
            let narrow = version(&words(line)).unwrap();
            let whole = Cli::try_parse_from(words(line)).unwrap_err();
            assert_eq!(narrow.kind(), whole.kind());
            assert_eq!(narrow.to_string(), whole.to_string());
        }
        assert!(version(&words("rigs --version --json")).is_none());
    }
}
