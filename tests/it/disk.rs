//! A store that cannot grow, or cannot be written: a clear error with the next step, nothing lost,
//! and everything goes on once it can.

use serde_json::{Value, json};

use crate::flow::{Flow, always, bead};

fn work() -> Vec<Value> {
    vec![
        json!({"shell": "echo x >> $(basename $PWD).txt"}),
        json!({"print": "done"}),
    ]
}

#[test]
fn on_a_full_disk_it_says_so_and_goes_on_when_there_is_space() {
    let flow = Flow::new("[gate]\ncommands = []");
    flow.provider("fake", "command", &[always(&work())]);
    let beads = [bead("one", &[]), bead("two", &["one"])];
    let stored = flow.execute(&beads).args(["--detach"]).run();
    let _stored = stored.success();
    let size = std::fs::metadata(flow.env.store()).expect("a store").len();
    // Full at one step after another: each time the log of the store may grow a little more.
    let mut refusals = 0;
    for more in [16, 48, 96, 160, 240] {
        let output = flow.goal(["resume"]).file_limit(size + more * 1024).run();
        if output.code == 0 {
            break;
        }
        refusals += 1;
        assert!(output.stderr.contains("the disk is full"), "{output}");
        assert!(output.stderr.contains("hint: free some space"), "{output}");
    }
    assert!(refusals >= 2, "the disk was hardly ever full: {refusals}");
    if flow.statuses() != ["completed"; 2] {
        flow.goal(["resume"]).run().success();
    }
    flow.is_done(2);
    let broken = flow.env.query("SELECT * FROM pragma_integrity_check");
    assert_eq!(broken, ["ok"]);
}
