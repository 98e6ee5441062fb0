//! Where a proof begins: the policy, and a service that was released before or never.

use crate::evidence::Counts;
use crate::machine::Machine;
use crate::safety::History;
use crate::step::Setting;
use crate::world::{Deployed, Hook, Instance, Left, Passes, TICK, World, at, bundle, shop};
use release::evidence::AtMax;
use release::pass::Kept;
use release::{
    Colour, DeploymentId, DeploymentStatus, Description, Drift, Ledger, Live, Past, PerColour, Policy,
    Previous, Purpose, ReleaseNumber, Strategy, TargetHealth, UnknownFields, Verdict, VerdictWord, Weights,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was released before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Nothing: the first release.
    Nothing,
    /// Release 1 is live on blue, green is down.
    OneLive,
    /// Release 2 is live on green, release 1 still runs on blue.
    TwoLive,
}

/// A strategy, shortened to ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Everything in one raise.
    AllAtOnce,
    /// 10 % for one tick.
    Canary,
    /// 40 % and 80 % for one tick each.
    Linear,
    /// 10 % until the counts decide, for eight minutes at most.
    Evidence,
}

/// What the people who run the service chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Everything is on, and drift is repaired.
    #[default]
    Usual,
    /// Drift is reported only, and what is not proven waits.
    Reports,
    /// Every time that may be zero is, and what is not proven goes back.
    Bare,
    /// A gate must say yes.
    Gated,
}

impl Manner {
    /// A setting with this choice.
    #[must_use]
    pub fn of(self, setting: Setting) -> Setting {
        let zero = Duration::ZERO;
        let policy = match self {
            Self::Usual => setting.policy,
            Self::Reports => Policy { drift: Drift::Report, at_max: AtMax::Wait, ..setting.policy },
            Self::Bare => Policy {
                bake: zero,
                drain: zero,
                silence_limit: zero,
                rollback_window: zero,
                heal_after: zero,
                at_max: AtMax::Back,
                ..setting.policy
            },
            Self::Gated => Policy { gate: ticks(3), ..setting.policy },
        };
        Setting { policy, ..setting }
    }
}

/// A duration that is over so many ticks later, whatever look within its tick began it: those are nanoseconds apart.
fn ticks(count: u32) -> Duration {
    (TICK * count).saturating_sub(Duration::from_micros(1))
}

/// Production's functions, or a mutant's, with every duration in ticks.
pub fn setting(machine: Machine, pace: Pace) -> Setting {
    let strategy = match pace {
        Pace::AllAtOnce => "AllAtOnce",
        Pace::Canary => "canary:10%:28s",
        Pace::Linear => "linear:40%:28s",
        Pace::Evidence => "canary:10%:evidence(8m)",
    };
    let policy = Policy {
        strategy: strategy.parse().unwrap_or(Strategy::AllAtOnce),
        bake: ticks(2),
        install_deadline: ticks(4),
        drain: ticks(1),
        unhealthy_grace: ticks(1),
        unknown_limit: ticks(2),
        look_interval: Duration::from_secs(5),
        silence_limit: ticks(3),
        rollback_window: ticks(4),
        heal_after: ticks(2),
        drift: Drift::Repair,
        harm: 10,
        at_max: AtMax::GoOn,
        gate: Duration::ZERO,
        is_sound: true,
    };
    Setting { machine, policy }
}

impl Start {
    /// The world in which it begins.
    pub fn world(self, passes: usize, left: Left) -> World {
        let down = PerColour { blue: TargetHealth::Unhealthy, green: TargetHealth::Unhealthy };
        let mut world = World {
            tick: 1,
            ledger: None,
            base: Weights::all_on(Colour::Blue),
            rule: None,
            preview: None,
            rules_made: 0,
            instances: vec![Instance { present: true, health: down }; 2],
            firing: PerColour::default(),
            ok_since: PerColour::default(),
            silent: PerColour::default(),
            by_hand: PerColour::default(),
            breakage: None,
            counts: Counts::default(),
            gate: None,
            tags: Vec::new(),
            deployments: Vec::new(),
            passes: Passes::of(passes),
            left,
            history: History::default(),
            broken: None,
        };
        let released: &[(u8, Colour)] = match self {
            Self::Nothing => &[],
            Self::OneLive => &[(1, Colour::Blue)],
            Self::TwoLive => &[(1, Colour::Blue), (2, Colour::Green)],
        };
        for (number, colour) in released {
            release(&mut world, *number, *colour);
        }
        world
    }
}

/// Writes down a release that went well.
fn release(world: &mut World, number: u8, colour: Colour) {
    let upload = bundle(number);
    let description = Description {
        purpose: Purpose::Release,
        number: upload.number,
        commit: upload.commit.clone(),
        service: shop(),
        colour,
        strategy: Strategy::AllAtOnce,
        attempt: 1,
    };
    let hooks = vec![Some(Hook::Succeeded); world.instances.len()];
    world.deployments.push(Deployed {
        description: Kept::new(description),
        ours: true,
        created: 0,
        status: DeploymentStatus::Succeeded,
        hooks,
    });
    world.base = Weights::all_on(colour);
    for instance in &mut world.instances {
        *instance.health.of_mut(colour) = TargetHealth::Healthy;
    }
    let mut ledger: Ledger = (*world.ledger_or_new()).clone();
    let unknown_fields = UnknownFields::default();
    let live = Live { colour, upload: upload.clone(), since: at(0), watched: None, unknown_fields };
    ledger.previous = ledger.live.replace(live).map(Previous::from);
    ledger.releases.push(Past {
        purpose: Purpose::Release,
        upload,
        colour,
        attempt: 1,
        deployment: Some(DeploymentId(format!("d-{}", world.deployments.len() - 1))),
        verdict: Verdict::Live,
        opened_at: at(0),
        closed_at: at(0),
        tell_tried_at: None,
        untold_for: None,
        receipt: release::Aside::default(),
        exposure: release::Aside::default(),
        told: true,
        unknown_fields: UnknownFields::default(),
    });
    world.ledger = Some(Kept::new(ledger));
    world.tell(ReleaseNumber(u64::from(number)), VerdictWord::Live);
}
