//! Checks a schedule of the scheduling benchmark against its instance, by code of its own: it
//! shares nothing with the planner, not even the reading of the file. Times go from the start of
//! the schedule, in milliseconds; a window of 60 s is half open.

use serde_json::Value;

/// At most so many run at once, over all providers.
const MAX_RUNNING: usize = 32;

/// One request: task `task` asked provider `provider` at `start`.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub task: usize,
    pub provider: usize,
    pub start: i64,
    /// `None`: the provider refused it (429), nothing ran.
    pub end: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub makespan_ms: i64,
    pub refused: usize,
}

struct Meter {
    length: i64,
    limit: u64,
    opened: Option<i64>,
    used: u64,
}

/// Replays `requests`, which are in order of time. `factors` says how many times its estimate each
/// task really takes, in tokens and in time; empty: exactly that.
///
/// # Errors
/// The first violation: a task unknown, twice, left out, where it is not allowed, before something
/// it depends on, too short or too long; too many at once or in 60 s; a window overdrawn by a
/// request that is not marked as refused; a refusal without a reason.
pub fn replay(instance: &str, factors: &[f64], requests: &[Request]) -> Result<Replayed, String> {
    let file: Value = serde_json::from_str(instance).map_err(|e| e.to_string())?;
    let tasks = list(&file["tasks"])?;
    let providers = list(&file["providers"])?;
    let mut meters = Vec::new();
    for provider in providers {
        let mut all = Vec::new();
        for window in list(&provider["anchored_windows"])? {
            all.push(Meter {
                length: number(&window["length_ms"])? as i64,
                limit: number(&window["tokens"])?,
                opened: None,
                used: 0,
            });
        }
        meters.push(all);
    }
    let mut ends: Vec<Option<i64>> = vec![None; tasks.len()];
    let mut asked: Vec<Vec<i64>> = vec![Vec::new(); providers.len()];
    let mut runs: Vec<(usize, i64)> = Vec::new();
    let mut replayed = Replayed {
        makespan_ms: 0,
        refused: 0,
    };
    let mut clock = 0;
    for request in requests {
        let Request {
            task,
            provider,
            start,
            end,
        } = *request;
        let place = format!("task {task} on provider {provider} at {start}");
        if start < clock {
            return Err(format!("{place}: before the request that precedes it"));
        }
        clock = start;
        let (Some(facts), Some(at)) = (tasks.get(task), providers.get(provider)) else {
            return Err(format!("{place}: no such task or provider"));
        };
        if ends[task].is_some() {
            return Err(format!("{place}: it ran already"));
        }
        let factor = factors.get(task).copied().unwrap_or(1.0);
        let need = facts["need"][provider].as_u64();
        let time = facts["duration_ms"][provider].as_u64();
        let (Some(need), Some(time)) = (need, time) else {
            return Err(format!("{place}: not allowed there"));
        };
        let need = (need as f64 * factor).round() as u64;
        let time = (time as f64 * factor).round() as i64;
        for dep in list(&facts["deps"])? {
            let done = ends.get(number(dep)? as usize).copied().flatten();
            if done.is_none_or(|done| done > start) {
                return Err(format!("{place}: before task {dep} is done"));
            }
        }
        runs.retain(|(_, end)| *end > start);
        let here = runs.iter().filter(|(p, _)| *p == provider).count();
        if here as u64 >= number(&at["concurrency"])? || runs.len() >= MAX_RUNNING {
            return Err(format!("{place}: too many at once"));
        }
        let lately = asked[provider].iter().filter(|t| **t > start - 60_000);
        if lately.count() as u64 >= number(&at["requests_per_60s"])? {
            return Err(format!("{place}: too many starts in 60 s"));
        }
        for meter in &mut meters[provider] {
            if meter.opened.is_some_and(|o| start >= o + meter.length) {
                meter.opened = None;
                meter.used = 0;
            }
        }
        // A task larger than a window would never run: it may have a fresh one for itself.
        let fits = |m: &Meter| m.used == 0 || m.used + need <= m.limit;
        let fits = meters[provider].iter().all(fits);
        asked[provider].push(start);
        let Some(end) = end else {
            if fits {
                return Err(format!("{place}: refused, and there was room"));
            }
            replayed.refused += 1;
            continue;
        };
        if !fits {
            return Err(format!("{place}: a window is overdrawn"));
        }
        if end != start + time {
            return Err(format!("{place}: it takes {time} ms, not {}", end - start));
        }
        for meter in &mut meters[provider] {
            meter.opened.get_or_insert(start);
            meter.used += need;
        }
        runs.push((provider, end));
        ends[task] = Some(end);
        replayed.makespan_ms = replayed.makespan_ms.max(end);
    }
    match ends.iter().position(Option::is_none) {
        Some(task) => Err(format!("task {task} never ran")),
        None => Ok(replayed),
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("no list: {value}"))
}

fn number(value: &Value) -> Result<u64, String> {
    value.as_u64().ok_or_else(|| format!("no number: {value}"))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// Task 1 needs task 0, task 2 may only run on the first provider, which has two slots, two
    /// starts a minute and 100 tokens in 10 s and 150 in 100 s.
    const SMALL: &str = r#"{
        "providers": [
            {"concurrency": 2, "requests_per_60s": 2,
             "anchored_windows": [{"length_ms": 10000, "tokens": 100}, {"length_ms": 100000, "tokens": 150}]},
            {"concurrency": 1, "requests_per_60s": 9, "anchored_windows": []}
        ],
        "tasks": [
            {"need": [60, 60], "duration_ms": [1000, 2000], "deps": []},
            {"need": [50, 50], "duration_ms": [1000, 2000], "deps": [0]},
            {"need": [40, null], "duration_ms": [1000, null], "deps": []},
            {"need": [5, 5], "duration_ms": [1000, 2000], "deps": []}
        ]
    }"#;

    /// On the first provider everything takes a second, on the other two.
    fn run(task: usize, provider: usize, start: i64) -> Request {
        Request {
            task,
            provider,
            start,
            end: Some(start + 1000 * (provider as i64 + 1)),
        }
    }

    fn refused(task: usize, provider: usize, start: i64) -> Request {
        Request {
            end: None,
            ..run(task, provider, start)
        }
    }

    fn makespan(makespan_ms: i64, refused: usize) -> Replayed {
        Replayed {
            makespan_ms,
            refused,
        }
    }

    #[test]
    fn a_schedule_that_keeps_every_limit_is_measured() {
        let good = [run(0, 0, 0), run(2, 0, 0), run(3, 1, 0), run(1, 1, 2000)];
        assert_eq!(replay(SMALL, &[], &good), Ok(makespan(4000, 0)));
        // The small window is new after 10 s, the rate of starts after 60.
        let slow = [
            run(0, 0, 0),
            run(1, 0, 10_000),
            run(2, 0, 60_000),
            run(3, 1, 60_000),
        ];
        assert_eq!(replay(SMALL, &[], &slow), Ok(makespan(62_000, 0)));
    }

    #[test]
    fn a_refused_request_is_counted_and_must_have_been_refused() {
        let asked = [
            run(0, 0, 0),
            refused(1, 0, 1000),
            run(1, 1, 1000),
            run(3, 1, 3000),
            run(2, 0, 60_000),
        ];
        assert_eq!(replay(SMALL, &[], &asked), Ok(makespan(61_000, 1)));
    }

    #[test]
    fn the_truth_counts_where_it_differs_from_the_estimate() {
        let twice = |start| Request {
            end: Some(start + 2000),
            ..run(0, 0, start)
        };
        let all = [twice(0), run(2, 1, 0)];
        let said = replay(SMALL, &[2.0], &all).expect_err("task 2 may not run there");
        assert!(said.contains("not allowed there"), "{said}");
        let all = [run(2, 0, 0), twice(10)];
        let said = replay(SMALL, &[2.0], &all).expect_err("40 + 120 tokens");
        assert!(said.contains("overdrawn"), "{said}");
    }

    #[test]
    fn every_kind_of_violation_is_refused_and_named() {
        let cases: [(&str, &[Request]); 14] = [
            ("no such task", &[run(7, 0, 0)]),
            ("no such task", &[run(0, 7, 0)]),
            ("it ran already", &[run(0, 0, 0), run(0, 0, 0)]),
            ("not allowed there", &[run(2, 1, 0)]),
            ("before task 0 is done", &[run(0, 0, 0), run(1, 1, 999)]),
            ("before task 0 is done", &[run(1, 1, 0)]),
            (
                "it takes 1000 ms",
                &[Request {
                    end: Some(900),
                    ..run(0, 0, 0)
                }],
            ),
            ("before the request", &[run(0, 0, 5), run(2, 0, 0)]),
            ("too many at once", &[run(0, 1, 0), run(3, 1, 1999)]),
            (
                "too many starts",
                &[run(0, 0, 0), run(2, 0, 0), run(3, 0, 59_999)],
            ),
            // 60 + 50 in the window of 10 s.
            ("overdrawn", &[run(0, 0, 0), run(1, 0, 1000)]),
            // 60 + 50 + 40 + 5 in the window of 100 s.
            (
                "overdrawn",
                &[
                    run(0, 0, 0),
                    run(1, 0, 10_000),
                    run(2, 0, 60_000),
                    run(3, 0, 70_000),
                ],
            ),
            ("never ran", &[run(0, 0, 0), run(2, 0, 0)]),
            ("there was room", &[refused(0, 0, 0)]),
        ];
        for (words, requests) in cases {
            let said = replay(SMALL, &[], requests).expect_err(words);
            assert!(said.contains(words), "{words}: {said}");
        }
    }

    #[test]
    fn no_more_than_32_run_at_once_over_all_providers() {
        let task = r#"{"need": [1], "duration_ms": [1000], "deps": []}"#;
        let many = format!(
            r#"{{"providers": [{{"concurrency": 99, "requests_per_60s": 99, "anchored_windows": []}}], "tasks": [{}]}}"#,
            [task; 33].join(",")
        );
        let all: Vec<Request> = (0..33).map(|i| run(i, 0, 0)).collect();
        let said = replay(&many, &[], &all).expect_err("33 at once");
        assert!(said.contains("too many at once"), "{said}");
    }
}
