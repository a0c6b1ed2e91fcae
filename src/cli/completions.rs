//! `rigs completions`

use clap_complete::Shell;

use super::{App, Ended, Exit};

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs completions bash > ~/.local/share/bash-completion/completions/rigs
  rigs completions zsh > ~/.zfunc/_rigs
  rigs completions fish > ~/.config/fish/completions/rigs.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &Args, app: &mut App) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "rigs", &mut script);
    app.out.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
