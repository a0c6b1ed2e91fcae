//! `rigs doctor`

mod home;
mod leftovers;
mod programs;
mod store;

use super::page::{BAD, DIM, GOOD, WARN};
use super::{App, Ended, Exit, Failure, Kind};
use crate::core::redact::redact;
use crate::core::text::one_line;
use crate::view::doctor::{Finding, Level, Report};

/// Look for whatever could keep rigs from working, and put right what can be
///
/// Looks at the home folder, the settings and the policy, git and the programs and servers of the
/// providers, the store, the tanks, and what crashes may have left: locks, runs, processes,
/// worktrees, branches, temporary files. No tokens are used. Exits 1 when a problem is left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rigs doctor
  rigs doctor --fix
  rigs doctor --json | jq '.findings[] | select(.level != \"ok\")'")]
pub(crate) struct Args {
    /// Put right what can be without losing anything
    #[arg(long)]
    fix: bool,
}

pub(crate) async fn run(args: Args, app: &mut App) -> Ended {
    let mut doctor = Doctor {
        fix: args.fix,
        findings: Vec::new(),
    };
    let has_home = doctor.home(app)?;
    if doctor.settings(app) {
        doctor.git(app).await;
        doctor.providers(app).await?;
        if has_home && doctor.store(app).await? {
            doctor.leftovers(app).await?;
        }
    }
    let bad = |f: &Finding| f.level == Level::Problem && !f.fixed;
    let report = Report {
        ok: !doctor.findings.iter().any(bad),
        findings: doctor.findings,
    };
    app.out.answer(&report, |page| {
        for f in &report.findings {
            let (style, mark) = match f.level {
                _ if f.fixed => (GOOD, "fixed"),
                Level::Ok => (GOOD, "ok"),
                Level::Warning => (WARN, "look"),
                Level::Problem => (BAD, "WRONG"),
            };
            page.raw_line(&format!(
                "{style}{mark:5}{style:#}  {:9}  {}",
                f.area, f.detail
            ));
            if let Some(next) = f.next.as_ref().filter(|_| !f.fixed) {
                page.raw_line(&format!("                  {DIM}{next}{DIM:#}"));
            }
        }
    })?;
    Ok(if report.ok {
        Exit::Done
    } else {
        Exit::But(Kind::Failed)
    })
}

struct Doctor {
    fix: bool,
    findings: Vec<Finding>,
}

impl Doctor {
    fn tell(&mut self, area: &str, level: Level, detail: impl AsRef<str>, next: Option<&str>) {
        // Names of files and words of programs are shown here.
        let clean = |text: &str| redact(&one_line(text, 400));
        self.findings.push(Finding {
            area: one_line(area, 40),
            level,
            detail: clean(detail.as_ref()),
            next: next.map(clean),
            fixed: false,
        });
    }

    fn ok(&mut self, area: &str, detail: impl AsRef<str>) {
        self.tell(area, Level::Ok, detail, None);
    }

    fn warning(&mut self, area: &str, detail: impl AsRef<str>, next: &str) {
        self.tell(area, Level::Warning, detail, Some(next));
    }

    fn problem(&mut self, area: &str, detail: impl AsRef<str>, next: &str) {
        self.tell(area, Level::Problem, detail, Some(next));
    }

    /// The finding told last has been put right.
    fn was_fixed(&mut self) {
        if let Some(last) = self.findings.last_mut() {
            last.fixed = true;
        }
    }

    /// A failure of another part, as a finding.
    fn failed(&mut self, area: &str, failure: &Failure) {
        let mut text = failure.message.clone();
        for cause in &failure.causes {
            text = format!("{text}: {cause}");
        }
        let next = failure.hints.first().map(String::as_str);
        self.tell(area, Level::Problem, text, next);
    }
}
