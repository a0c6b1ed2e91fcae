//! `ccusage blocks --json --offline`: stretches of five hours by the logs of Claude Code on this
//! machine. They begin at full hours, other devices are not in them, and no limit is: an
//! estimate, and the last of all sources.

use std::path::Path;

use serde_json::Value;

use super::super::plan::base_env;
use super::super::reader::count;
use super::{Answer, Asking, Block, ProbeError, object};
use crate::core::Timestamp;
use crate::core::text::thousands;
use crate::process::{Spec, Stdin};

pub(super) fn spec(asking: &Asking<'_>, program: &Path) -> Spec {
    let mut env = base_env(asking.env, asking.entry);
    if let Some(home) = &asking.entry.config_home {
        env.insert("CLAUDE_CONFIG_DIR".into(), home.into());
    }
    Spec {
        program: program.to_owned(),
        args: ["blocks", "--json", "--offline"].map(Into::into).into(),
        env,
        cwd: asking.cwd.to_owned(),
        stdin: Stdin::Null,
    }
}

pub(super) fn read(printed: &str, now: Timestamp) -> Result<Answer, ProbeError> {
    let printed = object(printed)?;
    let blocks = printed["blocks"]
        .as_array()
        .ok_or_else(|| ProbeError::Unreadable("no blocks in it".into()))?;
    // It calls one active by the clock of its own start.
    let block = blocks
        .iter()
        .rev()
        .filter(|block| block["isActive"] == true && block["isGap"] != true)
        .find_map(|of| block(of, now));
    let said = match &block {
        Some(block) => format!(
            "about {} tokens on this machine since the hour of the first",
            thousands(block.tokens)
        ),
        None => "no use in the last five hours".into(),
    };
    Ok(Answer {
        said: vec![said],
        block,
        ..Answer::default()
    })
}

fn block(of: &Value, now: Timestamp) -> Option<Block> {
    let time = |key: &str| of[key].as_str()?.parse::<Timestamp>().ok();
    let (starts_at, ends_at) = (time("startTime")?, time("endTime")?);
    let counts = &of["tokenCounts"];
    let tokens = ["inputTokens", "outputTokens", "cacheCreationInputTokens"]
        .into_iter()
        .map(|key| count(counts, key))
        .fold(0, u64::saturating_add);
    (starts_at <= now && now < ends_at).then_some(Block {
        starts_at,
        ends_at,
        tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_block_counts_what_limits_count() {
        let now: Timestamp = "2026-11-20T06:00:00Z".parse().unwrap();
        let block = |active: bool, end: &str| {
            format!(
                r#"{{"startTime":"2026-11-20T05:00:00.000Z","endTime":"{end}","isActive":{active},
                    "isGap":false,"totalTokens":23474,"tokenCounts":{{"inputTokens":13200,
                    "outputTokens":374,"cacheCreationInputTokens":1100,"cacheReadInputTokens":8800}}}}"#
            )
        };
        let read_all = |blocks: &[String]| {
            read(&format!(r#"{{"blocks":[{}]}}"#, blocks.join(",")), now).unwrap()
        };
        let ten = "2026-11-20T10:00:00.000Z";
        assert_eq!(
            read_all(&[block(false, ten), block(true, ten)]),
            Answer {
                said: vec![
                    "about 14,674 tokens on this machine since the hour of the first".into()
                ],
                block: Some(Block {
                    starts_at: "2026-11-20T05:00:00Z".parse().unwrap(),
                    ends_at: ten.parse().unwrap(),
                    tokens: 14_674,
                }),
                ..Answer::default()
            }
        );
        for none in [block(false, ten), block(true, "2026-11-20T05:30:00Z")] {
            let answer = read_all(&[none]);
            assert_eq!(answer.block, None);
            assert_eq!(answer.said, ["no use in the last five hours"]);
        }
        assert_eq!(
            read("{}", now).unwrap_err().to_string(),
            "its answer is not understood: no blocks in it"
        );
    }
}
