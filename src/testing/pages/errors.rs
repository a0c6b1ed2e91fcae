//! `docs/errors.md`: the exit codes.

use std::fmt::Write;

use crate::cli::Kind;

const END: &str = r#"
The code is that of the command as a whole. `rigs goal execute` and `rigs goal resume` take the
first of these that applies: interrupted (130, 143), store (6), something failed or is blocked (1),
no provider (7), waiting (75).

Waiting is the default: 75 comes only from `--no-wait`. A wall of a provider is never a failure of
a bead, so a night of walls ends with 0.

## What an error looks like

On a terminal, on stderr, with what to do next:

```text
error: no bead `xyz`
  hint: `rigs bead list` shows the ids
```

With `--json`, on stderr, in one line:

```json
{"error":{"kind":"not_found","message":"no bead `xyz`","causes":[],"hints":["`rigs bead list` shows the ids"]}}
```

`causes` goes from the outermost to the innermost. Scripts should look at the exit code or at
`kind`; messages and hints may change.
"#;

#[test]
fn the_page_of_the_errors_has_every_kind() {
    let mut page = format!(
        "# Exit codes and errors\n\n{}\n\n\
         | exit code | kind | means |\n| --- | --- | --- |\n| 0 | | done |\n",
        super::MADE
    );
    for kind in Kind::ALL {
        writeln!(page, "| {} | `{kind}` | {} |", kind.code(), means(*kind)).unwrap();
    }
    page.push_str(END);
    super::check("errors.md", &page);
}

fn means(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => {
            "it ran and failed: a bead failed or is blocked, a test of a provider failed"
        }
        Kind::Usage => "the command line is wrong",
        Kind::NotFound => "no such bead, convoy, provider or model",
        Kind::NotPossible => {
            "not possible in this state: no repository, no commit yet, already over"
        }
        Kind::Config => "the configuration is wrong; file, line and column are named",
        Kind::Store => "the store cannot be used: damaged, read-only, from a newer rigs, disk full",
        Kind::NoProvider => "no provider or model can take the work; the hint says what to do",
        Kind::Waiting => "nothing failed: work waits for capacity; until when is in the output",
        Kind::Interrupted => "interrupted by Ctrl-C, after work was put back",
        Kind::Terminated => "ended by SIGTERM, after work was put back",
        Kind::PipeClosed => "whoever read the output went away; not an error",
    }
}
