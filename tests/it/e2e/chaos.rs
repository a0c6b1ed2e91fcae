//! The campaign of kills with the real claude: `just chaos-real KILLS=20`.

use super::agents::RealAgents;
use crate::chaos::Campaign;
use crate::lab::{Rule, Script, Step, Upstream};

/// A model that has one file written per bead, again and again.
fn model() -> Script {
    let keys = ["c0b0", "c0b1", "c0b2"];
    Script::new(keys.map(|key| {
        let file = format!("{key}.txt");
        let steps = [Step::write(&file, "written\n"), Step::text("it is written")];
        Rule::new(steps).when(&format!("do {key}")).repeat()
    }))
}

#[test]
fn the_real_claude_loses_nothing_in_a_campaign_of_kills() {
    let agents = RealAgents::find();
    let lab = Upstream::start(model());
    // It takes seconds to start.
    let (mut campaign, wanted) = Campaign::asked_for(3, 10);
    campaign.goes_on_with(wanted, &agents.claude_provider("claude", &lab));
    campaign.verdict(wanted);
}
