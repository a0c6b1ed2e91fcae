use super::*;
use crate::core::{Complexity, Estimate, EstimateSource, Timestamp};
use crate::depot::store as depot;
use crate::depot::{Act, Completion, NewBead};
use crate::testing::TestDb;
use pretty_assertions::assert_eq;

fn outcome(provider: &str, model: Option<&str>, verdict: Verdict) -> Outcome {
    Outcome {
        provider: provider.parse().unwrap(),
        model: model.map(str::to_owned),
        task_type: TaskType::Test,
        verdict,
        estimated_tokens: 1000,
        actual_tokens: 500,
    }
}

#[tokio::test]
async fn outcomes_and_tries_are_counted_per_provider_model_and_kind_of_task() {
    let t = TestDb::new().await;
    let now = t.clock.now();
    let codex: ProviderName = "codex".parse().unwrap();
    let mut tx = t.db.write().await.unwrap();
    tried(&mut tx, &codex, None, TaskType::Test, now)
        .await
        .unwrap();
    for verdict in [Verdict::Accepted, Verdict::Accepted, Verdict::Revised] {
        learn(&mut tx, &outcome("codex", None, verdict), now)
            .await
            .unwrap();
    }
    learn(
        &mut tx,
        &outcome("codex", Some("big"), Verdict::Failed),
        now,
    )
    .await
    .unwrap();
    let mut want = Records::default();
    want.add(
        codex.clone(),
        String::new(),
        TaskType::Test,
        Record {
            accepted: 2,
            reworked: 1,
            tokens: 1500,
            tried: 1,
            weight: 3.0,
            credit: 2.5,
            ..Record::new(now)
        },
    );
    want.add(
        codex,
        "big".into(),
        TaskType::Test,
        Record {
            failed: 1,
            tokens: 500,
            weight: 1.0,
            ..Record::new(now)
        },
    );
    assert_eq!(load(&mut tx).await.unwrap(), want);
}

#[tokio::test]
async fn the_table_stays_small_and_forgets_what_is_oldest() {
    let t = TestDb::new().await;
    let mut tx = t.db.write().await.unwrap();
    for n in 0..=MOST {
        let model = format!("m{n}");
        let now = Timestamp::from_secs(n);
        learn(
            &mut tx,
            &outcome("codex", Some(&model), Verdict::Accepted),
            now,
        )
        .await
        .unwrap();
    }
    let all = load(&mut tx).await.unwrap();
    let codex = "codex".parse().unwrap();
    assert_eq!(all.iter().count() as i64, MOST);
    assert_eq!(all.get(&codex, Some("m0"), TaskType::Test), None);
    assert!(all.get(&codex, Some("m1"), TaskType::Test).is_some());
}

#[tokio::test]
async fn counted_again_from_the_completions_it_is_the_same() {
    let t = TestDb::new().await;
    let codex: ProviderName = "codex".parse().unwrap();
    let mut tx = t.db.write().await.unwrap();
    let mut act = Act {
        ids: &t.ids,
        now: t.clock.now(),
        who: "user",
    };
    let bead = depot::insert(&mut tx, act, NewBead::new("one", TaskType::Test))
        .await
        .unwrap();
    depot::assay(&mut tx, act, &bead.id, "me", act.now)
        .await
        .unwrap();
    let estimate = Estimate {
        p50: 1000,
        p80: 2000,
        p95: 4000,
        source: EstimateSource::Given,
    };
    depot::queue(&mut tx, act, &bead.id, estimate, "", None)
        .await
        .unwrap();
    let claim = depot::Claim {
        bead: &bead.id,
        after_attempt: 0,
        provider: &codex,
        model: Some("big"),
        owner: "me",
        lease_until: act.now,
        resumes: None,
        marker: "m",
        log_path: "l",
        decision: serde_json::Value::Null,
    };
    let attempt = depot::claim(&mut tx, act, claim).await.unwrap();
    tried(&mut tx, &codex, Some("big"), TaskType::Test, act.now)
        .await
        .unwrap();
    for (i, verdict) in Verdict::ALL.iter().enumerate() {
        let asked = ["big", "small", "big"][i];
        let done = Completion {
            bead: bead.id.clone(),
            attempt,
            provider: codex.clone(),
            model: Some("big-20261101".into()),
            asked_model: Some(asked.into()),
            task_type: TaskType::Test,
            complexity: Complexity::Medium,
            estimated_tokens: 1000,
            actual_tokens: 500,
            duration_ms: 1,
            verdict: *verdict,
            quality_score: None,
            original_prompt: None,
            optimized_prompt: None,
            error_message: None,
            repo: None,
            prompt_chars: 0,
            is_fresh: true,
        };
        depot::complete_record(&mut tx, act, &done).await.unwrap();
        learn(&mut tx, &outcome("codex", Some(asked), *verdict), act.now)
            .await
            .unwrap();
        t.time.advance(std::time::Duration::from_hours(50));
        act.now = t.clock.now();
    }
    let before = load(&mut tx).await.unwrap();
    assert_eq!(rebuild(&mut tx).await.unwrap(), 3);
    assert_eq!(load(&mut tx).await.unwrap(), before);
    assert_eq!(before.at(TaskType::Test), (3, 1));
}
