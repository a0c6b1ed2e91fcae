//! What is long over is archived, and still there for whoever asks.

use crate::harness::TestEnv;

#[test]
fn archived_beads_are_not_listed_and_still_shown_counted_and_told_of() {
    let env = TestEnv::new();
    let create = |text: &str| {
        let made = env
            .rigs(["bead", "create", text, "--no-repo"])
            .run()
            .success();
        made.line().to_owned()
    };
    let (gone, stays) = (create("gone"), create("stays"));
    env.rigs(["bead", "cancel", gone.as_str()]).run().success();
    let shown = |id: &str| {
        env.rigs(["bead", "show", id, "--json"])
            .run()
            .success()
            .json()
    };
    let status = || env.rigs(["status", "--json"]).run().success().json()["beads"].clone();
    let (before, counted) = (shown(&gone), status());
    // Nothing is old enough.
    let none = env.rigs(["db", "archive"]).run().success();
    assert!(none.stdout.starts_with("0 beads"), "{none}");
    let ago = "2999-01-01T00:00:00Z";
    let all = ["db", "archive", "--older-than", ago, "--json"];
    let dry = env.rigs(all).args(["--dry-run"]).run().success().json();
    assert_eq!((&dry["beads"], &dry["dry_run"]), (&1.into(), &true.into()));
    assert_eq!(env.query("SELECT count(*) FROM archived_beads"), ["0"]);
    let done = env.rigs(all).args(["--compact"]).run().success().json();
    assert_eq!(
        (&done["beads"], &done["dry_run"]),
        (&1.into(), &false.into())
    );

    assert_eq!((shown(&gone), status()), (before, counted));
    let listed = env.rigs(["bead", "list", "--json"]).run().success().json();
    let listed = listed.as_array().expect("a list");
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["id"], stays.as_str());
    let told = env
        .rigs(["events", "--bead", gone.as_str()])
        .run()
        .success();
    assert!(told.stdout.contains("bead.cancel"), "{told}");
    let retried = env.rigs(["bead", "retry", gone.as_str()]).run().exits(4);
    assert!(
        retried.stderr.contains("is archived and cannot be changed"),
        "{retried}"
    );
    assert_eq!(env.query("SELECT * FROM pragma_integrity_check"), ["ok"]);
}
