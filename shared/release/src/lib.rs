//! The release domain: what a release is, when it may take traffic, and how it is taken back.
//!
//! Reading order: the words ([`Colour`], [`Strategy`], [`Revision`], [`Policy`]), what is remembered
//! ([`Ledger`]), what is seen ([`Observation`]), the decision ([`plan()`]), and how it is carried out call by call
//! ([`pass`]).
//!
//! Nothing here knows a clock, the environment, an AWS type or a runtime: time and facts are passed in, and the
//! package depends on nothing that could bring them. The simulator, the model checker and production call the same
//! functions.

mod announcement;
mod close_look;
mod colour;
mod command;
mod course;
mod description;
mod drill;
pub mod evidence;
mod forecast;
mod freeze;
mod gate;
mod ledger;
mod observation;
mod offer;
mod open;
pub mod pass;
pub mod phases;
pub mod plan;
mod policy;
mod preview;
mod question;
pub mod reason;
mod receipt;
mod reinstall;
mod return_cause;
mod revision;
mod routing;
mod smoke;
mod statement;
mod status;
mod stored;
mod strategy;
mod summary;
pub mod times;
mod verdict;
mod wake;
mod weights;

pub use announcement::{Announcement, EVENT_SOURCE};
pub use colour::{Colour, PerColour};
pub use command::{Command, CommandAnswer, accept_command, accept_command_with};
pub use course::{Course, Held};
pub use description::{Description, DescriptionError, Purpose};
pub use drill::{AlarmSet, DrillAsked, DrillEnd, Drilled, accept_drill};
pub use forecast::{Expected, Forecast, forecast_reads};
pub use freeze::{Freeze, accept_freeze, accept_thaw};
pub use gate::{Before, Gate, GateAnswer, GateQuestion, GateReport, ask_gate};
pub use ledger::{
    Ailing, DeploymentId, InstanceId, Ledger, Live, Past, Previous, Refused, RuleArn, ServiceName,
    ServiceNameError, Upload,
};
pub use observation::{
    AlarmState, Alarms, Creator, Deployment, DeploymentStatus, Observation, Reading, ReleaseRule, RuleOwner,
    Rules, ScalingProcess, Target, TargetHealth, TargetStatus,
};
pub use offer::{Offer, Refusal, accept_upload, known_by_its_tags};
pub use open::{Open, Phase, Promotion, Raised, Request, Returning, RollbackCause, Shift, Trial};
pub use plan::{Action, Plan, Reads, plan, reads};
pub use policy::{Drift, DriftError, Policy};
pub use preview::{Preview, accept_preview};
pub use question::{
    Answer, Asker, LifecycleEvent, Question, Stranger, answer, choose_migrator, wait_for_migrator,
    wait_for_newer,
};
pub use reason::Reason;
pub use receipt::{By, Cost, Exposure, Receipt};
pub use reinstall::{Leaving, Reinstalled};
pub use return_cause::ReturnCause;
pub use revision::{Commit, CommitError, ReleaseNumber, Revision};
pub use routing::{Odd, Routing};
pub use smoke::{Smoke, SmokeAnswer, SmokeError, SmokeReport, Smoked};
pub use statement::Statement;
pub use status::{Instances, Status};
pub use stored::{Aside, LedgerError, NewerSchema, Schema, UnknownFields};
pub use strategy::{ByEvidence, Step, Strategy, StrategyError};
pub use summary::{Over, Running, Summary, UnderWay};
pub use verdict::{Verdict, VerdictWord};
pub use wake::{Wake, asked};
pub use weights::{Weights, WeightsError};
