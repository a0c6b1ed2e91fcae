//! `docs/cli.md`: what every command's help says.

use std::fmt::Write;

const INTRO: &str = "\
What scripts can rely on: data goes to stdout, everything else to stderr. `--json` gives one
document (streams: one per line) whose fields are only ever added; `rigs schema` describes them.
Errors are `{\"error\": {...}}` on stderr then. Ids may be shortened as long as they are unique, `-`
reads stdin, times in JSON are RFC 3339 UTC. [errors.md](errors.md) has the exit codes.
";

#[test]
fn the_page_of_the_commands_is_what_help_says() {
    let mut page = format!("# Commands\n\n{}\n\n{INTRO}", super::MADE);
    let mut root = crate::cli::command().term_width(100);
    root.build();
    section(&mut page, &mut root.clone());
    // They are the same everywhere and told once, in the first section.
    let mut short = crate::cli::command().term_width(100);
    let global: Vec<_> = short
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(|arg| arg.get_id().clone())
        .collect();
    for id in global {
        short = short.mut_arg(id, |arg| arg.hide(true));
    }
    short.build();
    walk(&mut page, &mut short);
    super::check("cli.md", &page);
}

/// The leaves below `command`: a group only lists them.
fn walk(page: &mut String, command: &mut clap::Command) {
    for sub in command.get_subcommands_mut() {
        if sub.has_subcommands() {
            walk(page, sub);
        } else {
            section(page, sub);
        }
    }
}

fn section(page: &mut String, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let name = command.get_bin_name().unwrap_or("rigs").to_owned();
    write!(
        page,
        "\n## {name}\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    )
    .unwrap();
}
