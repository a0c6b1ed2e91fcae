//! Many agents at once: all of them run at the same time, and each bead is done once.
//! `just polecats N=50` does so with fifty, and counts what they cost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::flow::{Flow, bead, on};

const AT_ONCE: usize = 12;
/// Twelve checkouts and merges, on a machine that does other things as well.
const LIMIT: Duration = Duration::from_mins(2);

/// Waits until all others run as well.
fn run(key: &str) -> Value {
    on(
        key,
        &[
            json!({"signal": format!("{key}-runs")}),
            json!({"wait_for": "all-run"}),
            json!({"shell": "echo x >> $(basename $PWD).txt"}),
            json!({"print": "done"}),
        ],
    )
}

#[test]
fn a_dozen_agents_run_at_the_same_time_and_each_bead_is_done_once() {
    let flow = Flow::new(&format!(
        "[gate]\ncommands = []\n[general]\nmax_parallel = {AT_ONCE}"
    ));
    let keys: Vec<String> = (0..AT_ONCE).map(|n| format!("k{n:02}")).collect();
    let runs: Vec<Value> = keys.iter().map(|key| run(key)).collect();
    let settings = format!("max_parallel = {AT_ONCE}\n");
    let fake = flow.provider_with("fake", "command", &settings, &runs);
    let beads: Vec<Value> = keys.iter().map(|key| bead(key, &[])).collect();
    let goal = flow.execute(&beads).timeout(LIMIT).start();
    for key in &keys {
        fake.wait_for(&format!("{key}-runs"));
    }
    fake.release("all-run");
    let _done = goal.wait(LIMIT).success();
    assert_eq!(fake.calls().len(), AT_ONCE);
    flow.is_done(AT_ONCE);
}
