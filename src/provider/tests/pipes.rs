//! What is said on one pipe may overtake what was said before on the other.

use super::super::{Class, Ending, StopReason};
use super::{now, reader};
use crate::core::ProviderKind;

#[test]
fn a_limit_that_overtakes_the_step_before_it_on_the_other_pipe_is_a_limit() {
    let recorded = include_str!("../transcripts/opencode/midrun-429-limit.txt");
    let line = |pipe: &str, what: &str| {
        let mut lines = recorded.lines().filter_map(|l| l.strip_prefix(pipe));
        lines.find(|l| l.contains(what)).expect("recorded")
    };
    let mut opencode = reader(ProviderKind::Opencode);
    opencode.error_line(line("err ", "stream error"), now());
    opencode.line(line("out ", "step_finish"), now());
    let ended = Ending {
        exit: None,
        stopped: Some(StopReason::Hopeless),
        stderr_tail: String::new(),
    };
    assert_eq!(opencode.finish(&ended, now()).class, Class::Limit);
}
