//! What a bead's agent is told, and what its run is expected to take.

use super::{Context, ForemanError};
use crate::assayer::estimator::{Features, PastRun, make};
use crate::assayer::optimizer::{Optimized, optimize};
use crate::assayer::prompt::{BeadBrief, Before, render};
use crate::assayer::tokens::{Family, scaled};
use crate::core::text::{ellipsis, one_line};
use crate::core::{BeadId, BeadStatus, Estimate, EstimateSource};
use crate::db::{Act, Conn};
use crate::depot::store as depot;
use crate::depot::{Attempt, Bead, Convoy, DepotError};

/// What the assayer made of a new bead.
#[derive(Debug)]
pub(super) struct Assayed {
    pub(super) estimate: Estimate,
    /// What the estimate rests on.
    pub(super) because: String,
    /// The description, tightened; `None` when nothing was gained.
    pub(super) optimized: Option<String>,
}

/// Tightens the description. Counting tokens may take seconds on a busy machine: nobody waits for
/// the store meanwhile.
pub(super) fn tighten(bead: &Bead) -> Optimized {
    optimize(&bead.description)
}

/// Estimates the run, in the transaction that queues the bead.
pub(super) async fn assay(
    tx: &mut Conn,
    act: Act<'_>,
    bead: &Bead,
    tightened: Optimized,
    history: &[PastRun],
) -> Result<Assayed, ForemanError> {
    let gained = tightened.tokens < tightened.original_tokens;
    let (estimate, because) = if bead.estimate_source == EstimateSource::Given {
        (bead.estimate(), "given".to_owned())
    } else {
        let repo = match &bead.convoy_id {
            Some(id) => depot::convoy(tx, id).await?.and_then(|c| c.repo),
            None => None,
        };
        // Who runs it is not known yet, unless a person said so.
        let prompt_tokens = match bead.preferred_model.as_deref() {
            Some(model) => scaled(tightened.tokens, Family::of(model)),
            None => tightened.tokens,
        };
        let features = Features {
            task_type: bead.task_type,
            complexity: bead.complexity,
            agent: repo.is_some(),
            prompt_tokens,
            provider: bead
                .preferred_provider
                .as_ref()
                .map(crate::core::ProviderName::as_str),
            model: bead.preferred_model.as_deref(),
            repo: repo.as_deref(),
        };
        let made = make(&features, history);
        let because = made.because(&features, history);
        (made.estimate, because)
    };
    if gained {
        let trace = crate::assayer::store::Trace {
            id: act.ids.event().to_string(),
            bead_id: Some(bead.id.clone()),
            task_type: bead.task_type,
            backend: "rules".into(),
            original_prompt: bead.description.clone(),
            optimized_prompt: tightened.text.clone(),
            original_tokens: tightened.original_tokens as i64,
            optimized_tokens: tightened.tokens as i64,
            estimated_tokens: estimate.p50 as i64,
            actual_tokens: None,
            quality_score: None,
            created_at: act.now,
        };
        crate::assayer::store::insert(tx, &trace).await?;
    }
    Ok(Assayed {
        estimate,
        because,
        optimized: gained.then_some(tightened.text),
    })
}

/// The newest past runs, oldest first, as the estimator takes them.
pub(crate) async fn past_runs(conn: &mut Conn, most: usize) -> Result<Vec<PastRun>, DepotError> {
    let past = depot::past_runs(conn, most as i64).await?;
    Ok(past.into_iter().rev().map(past_run).collect())
}

fn past_run(row: depot::PastRow) -> PastRun {
    PastRun {
        bead: Some(row.bead_id.to_string()),
        task_type: row.task_type,
        complexity: row.complexity,
        agent: row.repo.is_some(),
        prompt_chars: u64::try_from(row.prompt_chars).unwrap_or(0),
        provider: row.provider.to_string(),
        model: row.model,
        repo: row.repo,
        tokens: u64::try_from(row.actual_tokens).unwrap_or(0),
    }
}

/// The words of one attempt.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) prompt: String,
    pub(super) system: Option<String>,
}

/// What an attempt goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct From<'a> {
    pub(super) last: Option<&'a Attempt>,
    pub(super) keeps_worktree: bool,
    /// The agent still knows everything it was told.
    pub(super) resumes: bool,
    /// A model too small for anything but the task itself.
    pub(super) is_small: bool,
}

/// The prompt of an attempt. One that goes on with its session is told only what is new.
pub(super) async fn words(
    conn: &mut Conn,
    ctx: &Context,
    bead: &Bead,
    convoy: Option<&Convoy>,
    from: From<'_>,
) -> Result<Words, ForemanError> {
    if from.is_small {
        return Ok(Words {
            prompt: bare(bead, convoy),
            system: None,
        });
    }
    if from.resumes {
        return Ok(Words {
            prompt: go_on(bead),
            system: None,
        });
    }
    let siblings = match convoy {
        Some(c) => depot::beads_of(conn, &c.id).await?,
        None => Vec::new(),
    };
    let place = siblings.iter().position(|b| b.id == bead.id);
    let depends_on = depot::dependencies_of(conn, &bead.id).await?;
    let done = done_before(conn, &depends_on).await?;
    let before: Vec<Before<'_>> = done
        .iter()
        .map(|b| Before {
            title: &b.title,
            summary: b.output.as_deref().unwrap_or(""),
        })
        .collect();
    let root = convoy
        .and_then(|c| c.repo.as_deref())
        .map(std::path::Path::new);
    let gates: Vec<String> = match root {
        Some(root) => super::review::commands(ctx, convoy, root)
            .iter()
            .map(|argv| argv.join(" "))
            .collect(),
        None => Vec::new(),
    };
    let handoff = from.last.filter(|_| from.keeps_worktree).and_then(handoff);
    let brief = BeadBrief {
        title: &bead.title,
        description: bead
            .optimized_prompt
            .as_deref()
            .unwrap_or(&bead.description),
        task_type: bead.task_type,
        permission: bead.permission,
        criteria: &bead.acceptance_criteria,
        has_repository: root.is_some(),
        goal: convoy
            .and_then(|c| c.goal.as_deref())
            .filter(|_| siblings.len() > 1),
        position: place
            .filter(|_| siblings.len() > 1)
            .map(|at| (at + 1, siblings.len())),
        before: &before,
        protected: &ctx.settings.gate.protected,
        gates: &gates,
        feedback: bead.feedback.as_deref(),
        handoff: handoff.as_deref(),
    };
    Ok(Words {
        prompt: render(&brief),
        system: None,
    })
}

/// What was asked, in the person's own words where one bead is the whole goal.
fn bare(bead: &Bead, convoy: Option<&Convoy>) -> String {
    let goal = convoy.and_then(|c| c.goal.clone());
    match goal {
        Some(goal) if bead.description.contains(goal.trim()) => goal,
        Some(_) | None => bead.description.clone(),
    }
}

async fn done_before(conn: &mut Conn, ids: &[BeadId]) -> Result<Vec<Bead>, ForemanError> {
    let mut done = Vec::new();
    for id in ids {
        done.extend(
            depot::get(conn, id)
                .await?
                .filter(|b| b.status == BeadStatus::Completed),
        );
    }
    Ok(done)
}

/// What another agent should know about the worktree it finds.
fn handoff(last: &Attempt) -> Option<String> {
    let interrupted = !matches!(last.status.as_str(), "done" | "running");
    interrupted.then(|| {
        let why = last.message.as_deref().map(|m| one_line(m, 200)).unwrap_or_default();
        format!(
            "{} worked on this task before and was interrupted ({}{}{why}). What it had done is in the worktree: \
             look at it, keep what is good, and finish the task.",
            last.provider,
            last.status,
            if why.is_empty() { "" } else { ": " },
        )
    })
}

/// For an agent that still has the conversation.
fn go_on(bead: &Bead) -> String {
    match &bead.feedback {
        Some(feedback) => format!(
            "Your work on the task \"{}\" was checked and is not accepted yet. Mend what is named here, then end with \
             a short summary.\n\n{}\n",
            one_line(&bead.title, 120),
            crate::assayer::prompt::fence(&ellipsis(feedback, 10_000), "text"),
        ),
        None => "You were interrupted. Look at what is done already, then go on with the task and finish it.\n".into(),
    }
}
