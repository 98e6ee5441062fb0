//! What each event leads to.

use crate::alias::Alias;
use crate::event::{Event, parse};
use crate::gate::{self, Gates};
use crate::hook_execution::{HookExecutions, answer_once};
use crate::{page, preview};
use futures::future::join_all;
use greenlight::decision_log;
use greenlight::failure::{Class, Excerpt, Failure, chain};
use greenlight::ports::{Clock, Pages, Ports, PreviewSecrets};
use greenlight::reconcile::{Reported, amend, observe, read, reconcile, reconcile_all, reconcile_from};
use greenlight::settings::Settings;
use release::evidence::{Report, ReportError};
use release::{
    Answer, Asker, Command, CommandAnswer, Forecast, InstanceId, Ledger, PerColour, Policy, Question, Reads,
    ReleaseNumber, ServiceName, SmokeError, SmokeReport, Statement, Status, Stranger, Summary, TargetHealth,
    Wake, accept_command_with, accept_drill, accept_freeze, accept_thaw, answer, choose_migrator,
    forecast_reads, plan, reads, wait_for_migrator, wait_for_newer,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Handles one invocation, which came through `alias`.
///
/// # Errors
/// A payload that is not understood or does not come through this alias (permanent), and AWS calls that failed (their own
/// class).
pub async fn handle(
    ports: &(impl Ports + HookExecutions + Pages + PreviewSecrets),
    gates: &impl Gates,
    settings: &Settings,
    clock: &impl Clock,
    alias: Alias,
    payload: Value,
) -> Result<Value, Failure> {
    let event = parse(&payload).map_err(|error| Failure::new(Class::Permanent, error.to_string()))?;
    let told = event.to_string();
    if !matches!(event, Event::Question { .. }) {
        decision_log::log_faults(settings);
    }
    let acted = match alias.admits(&event) {
        Ok(()) => act(ports, gates, settings, clock, event).await,
        Err(refusal) => Err(Failure::new(Class::Permanent, refusal.to_string())),
    };
    acted.map_err(|failure| {
        if !failure.is_recorded() {
            tracing::error!(
                event = told,
                failure_class = failure.class().word(),
                error = chain(&failure),
                "{told} could not be answered"
            );
        }
        failure.recorded()
    })
}

async fn act(
    ports: &(impl Ports + HookExecutions + Pages + PreviewSecrets),
    gates: &impl Gates,
    settings: &Settings,
    clock: &impl Clock,
    event: Event,
) -> Result<Value, Failure> {
    match event {
        Event::Question { question, reported, smoked } => {
            let told = Told { reported, smoked };
            let heard = hear(ports, gates, settings, clock, &question, told).await?;
            tracing::info!(
                deployment_id = question.deployment_id.0,
                instance_id = question.instance_id.0,
                lifecycle_event = question.lifecycle_event.name(),
                answer = json!(heard).to_string(),
                "answered a hook"
            );
            Ok(json!(heard))
        }
        Event::Command { service, command: Command::Drill, said, dry_run } => {
            let (policy, now) = (&settings.policy, clock.now());
            let words = said.as_ref().map(Statement::to_string);
            let accept = move |ledger: &Ledger| accept_drill(ledger, policy, said.as_ref(), now);
            let order = Order { said: words, ..Order::new("drill", accept) };
            obey_for(ports, settings, clock, service.as_deref(), &order, dry_run).await
        }
        Event::Command { service, command, said, dry_run } => {
            let order = Order::plain(command, said);
            obey_for(ports, settings, clock, service.as_deref(), &order, dry_run).await
        }
        Event::Freeze { service, end, reason, dry_run } => {
            let now = clock.now();
            let order = Order::new("freeze", |ledger| accept_freeze(ledger, end.from(now), &reason, now));
            obey_for(ports, settings, clock, service.as_deref(), &order, dry_run).await
        }
        Event::Thaw { service, dry_run } => {
            let now = clock.now();
            let order = Order::new("thaw", |ledger| accept_thaw(ledger, now));
            obey_for(ports, settings, clock, service.as_deref(), &order, dry_run).await
        }
        Event::Preview { service, wanted, dry_run } => {
            // Seldom, and large: on the heap, so that every other event's future stays small.
            Box::pin(preview::obey(ports, settings, clock, &service, wanted, dry_run)).await
        }
        Event::DeploymentChanged { group, deployment } => {
            let Some(service) = service_of_group(settings, &group) else {
                tracing::info!(
                    deployment_group = group,
                    deployment_id = deployment.0,
                    "not a group of ours: nothing to do"
                );
                return Ok(Value::Null);
            };
            let woken = std::iter::once((service, &settings.policy));
            let reconciled = reconcile_all(ports, woken, clock, Wake::Event).await;
            decision_log::finish_all(reconciled).map(|()| Value::Null)
        }
        Event::Tick => {
            let services = settings.services.keys().map(|name| (name, &settings.policy));
            let reconciled = reconcile_all(ports, services, clock, Wake::Event).await;
            let page = page::of_a_tick(&reconciled, &settings.policy, clock.now());
            let finished = decision_log::finish_all(reconciled);
            if let Some(services) = page {
                page::write(ports, &services, clock.now()).await;
            }
            finished.map(|()| Value::Null)
        }
        Event::Forecast { service, number } => foretell(ports, settings, clock, &service, number).await,
        Event::Page => page::answer(ports, settings, clock).await,
        Event::HookExecution { deployment_id, execution_id } => {
            answer_once(ports, settings, &deployment_id, &execution_id).await?;
            Ok(Value::Null)
        }
    }
}

fn service_of_group<'a>(settings: &'a Settings, group: &str) -> Option<&'a ServiceName> {
    settings.services.iter().find(|(_, service)| service.deployment_group == group).map(|(name, _)| name)
}

type Accept<'a> = Box<dyn Fn(&Ledger) -> (Ledger, CommandAnswer) + Send + Sync + 'a>;

/// What an operator wants: its word, and what it writes into a ledger.
pub(crate) struct Order<'a> {
    word: Value,
    /// What was said with it.
    said: Option<String>,
    accept: Accept<'a>,
}

impl<'a> Order<'a> {
    pub(crate) fn new(
        word: &str,
        accept: impl Fn(&Ledger) -> (Ledger, CommandAnswer) + Send + Sync + 'a,
    ) -> Self {
        Self { word: json!(word), said: None, accept: Box::new(accept) }
    }

    fn plain(command: Command, said: Option<Statement>) -> Self {
        let words = said.as_ref().map(Statement::to_string);
        let accept = move |ledger: &Ledger| accept_command_with(ledger, command, said.as_ref());
        Self { word: json!(command), said: words, accept: Box::new(accept) }
    }
}

pub(crate) fn service_as_typed<'a>(settings: &'a Settings, typed: &str) -> Result<&'a ServiceName, Failure> {
    settings.services.keys().find(|name| name.as_str() == typed).ok_or_else(|| {
        let known: Vec<&str> = settings.services.keys().map(ServiceName::as_str).collect();
        Failure::new(
            Class::Permanent,
            format!("there is no service {:?}: use one of {}", Excerpt(typed), known.join(", ")),
        )
    })
}

/// What a release would meet. It looks, and writes nothing.
async fn foretell(
    ports: &impl Ports,
    settings: &Settings,
    clock: &impl Clock,
    typed: &str,
    number: Option<ReleaseNumber>,
) -> Result<Value, Failure> {
    let (service, policy) = (service_as_typed(settings, typed)?, &settings.policy);
    let ledger = read(ports, service).await?.0;
    let now = clock.now();
    let seen = observe(ports, &ledger, forecast_reads(&ledger, policy, now)).await;
    let forecast = Forecast::of(&ledger, &seen, policy, number, now);
    tracing::info!(
        service = typed,
        against = forecast.against.len(),
        doubts = forecast.doubts.len(),
        "foretold a release"
    );
    Ok(json!({ "service": service, "command": "plan", "strategy": policy.strategy, "forecast": forecast }))
}

/// Of one service, or of all side by side: a slow answer of AWS counts once, and one that fails hides no other and holds none
/// up.
async fn obey_for(
    ports: &impl Ports,
    settings: &Settings,
    clock: &impl Clock,
    service: Option<&str>,
    order: &Order<'_>,
    dry_run: bool,
) -> Result<Value, Failure> {
    if let Some(service) = service {
        return obey(ports, settings, clock, service, order, dry_run).await;
    }
    let answers = join_all(settings.services.keys().map(|service| async move {
        let answer = obey(ports, settings, clock, service.as_str(), order, dry_run).await;
        answer.unwrap_or_else(|failure| json!({ "service": service, "error": chain(&failure) }))
    }));
    Ok(json!({ "services": answers.await }))
}

pub(crate) async fn obey(
    ports: &impl Ports,
    settings: &Settings,
    clock: &impl Clock,
    typed: &str,
    order: &Order<'_>,
    dry_run: bool,
) -> Result<Value, Failure> {
    let service = service_as_typed(settings, typed)?;
    let policy = &settings.policy;
    let (ledger, told) = if dry_run {
        let ledger = read(ports, service).await?.0;
        let told = (order.accept)(&ledger).1;
        (ledger, told)
    } else {
        let told = amend(ports, service, |ledger| (order.accept)(&ledger)).await?;
        let ledger = if told.changed {
            // It holds from here on, whatever becomes of the pass.
            note(service, order, &told, dry_run, &told.says);
            let reconciled = reconcile(ports, service, policy, clock, Wake::Event)
                .await
                .map_err(|no_ledger| decision_log::failure_without_ledger(service, no_ledger))?;
            decision_log::log(&reconciled);
            reconciled.ledger
        } else {
            read(ports, service).await?.0
        };
        (ledger, told)
    };
    let mut answer = json!({
        "service": service, "command": order.word, "changed": told.changed, "refused": told.refused, "says": told.says,
        "summary": Summary::of(&ledger, policy, clock.now()), "ledger": ledger,
    });
    if dry_run {
        answer["dryRun"] = json!(true);
    }
    if order.word == json!(Command::Status) {
        let status = look(ports, policy, clock, &ledger).await;
        answer["says"] = json!(status.says);
        answer["status"] = json!(status);
        answer["stateBucket"] = json!(settings.state_bucket);
    }
    if dry_run || !told.changed {
        note(service, order, &told, dry_run, answer["says"].as_str().unwrap_or_default());
    }
    Ok(answer)
}

fn note(service: &ServiceName, order: &Order<'_>, told: &CommandAnswer, dry_run: bool, says: &str) {
    tracing::info!(
        service = service.as_str(),
        command = order.word.as_str(),
        changed = told.changed,
        dry_run,
        said = order.said,
        says,
        "took a command"
    );
}

/// What `status` says. It looks as a pass does and decides as a pass would, and does nothing.
pub(crate) async fn look(ports: &impl Ports, policy: &Policy, clock: &impl Clock, ledger: &Ledger) -> Status {
    let now = clock.now();
    let health = PerColour { blue: true, green: true };
    let wanted = Reads { rules: true, health, published: None, week: None, ..reads(ledger, policy, now) };
    let seen = observe(ports, ledger, wanted).await;
    Status::of(ledger, &seen, &plan(ledger.clone(), &seen, policy, now).reasons, now)
}

/// What a hook hears. Many ask, one looks: within the look interval the ledger answers alone.
async fn hear(
    ports: &impl Ports,
    gates: &impl Gates,
    settings: &Settings,
    clock: &impl Clock,
    question: &Question,
    told: Told,
) -> Result<Answer, Failure> {
    let policy = &settings.policy;
    let mut looked_up = None;
    let hinted = question
        .service
        .as_deref()
        .and_then(|hint| settings.services.keys().find(|name| name.as_str() == hint));
    let service = match hinted {
        Some(service) => service,
        None => {
            looked_up = ports.deployment(&question.deployment_id).await?;
            let group = looked_up.as_ref().map_or("", |deployment| deployment.group.as_str());
            match service_of_group(settings, group) {
                Some(service) => service,
                None => {
                    return Ok(stranger(format!(
                        "deployment {} is not of a group that Greenlight serves",
                        question.deployment_id
                    )));
                }
            }
        }
    };
    let known = match read(ports, service).await {
        Err(failure) if failure.newer_schema().is_some() => {
            tracing::error!(
                service = service.as_str(),
                failure_class = failure.class().word(),
                error = chain(&failure),
                "a hook waits"
            );
            return Ok(wait_for_newer(policy));
        }
        known => known?,
    };
    let asker = match Asker::in_ledger(&known.0, &question.deployment_id) {
        Some(asker) => asker,
        None => {
            if looked_up.is_none() {
                looked_up = ports.deployment(&question.deployment_id).await?;
            }
            let group = &settings.services[service].deployment_group;
            match looked_up.as_ref().filter(|deployment| deployment.group != *group) {
                Some(other) => Asker::Stranger(Stranger::from(format!(
                    "deployment {} belongs to group {}, not to service {service}: see the instance's /etc/greenlight/environment",
                    other.id, other.group
                ))),
                None => Asker::from_codedeploy(&known.0, &question.deployment_id, looked_up.as_ref()),
            }
        }
    };
    let asker = match asker.needs_rules().filter(|_| question.validates()) {
        None => asker,
        Some(_) => match ports.rules(service).await {
            Ok(rules) => asker.seen(&rules),
            Err(failure) => {
                tracing::warn!(
                    service = service.as_str(),
                    failure_class = failure.class().word(),
                    error = chain(&failure),
                    "a hook waits, because it cannot be told whether its colour has traffic"
                );
                asker
            }
        },
    };
    let reported = believed(&known.0, &asker, question, told, clock);
    let is_due =
        is_needed(&known.0, question, &reported, policy, clock) || !looked_recently(&known.0, policy, clock);
    let looks = question.validates() && is_worth_a_look(&asker) && is_due;
    let ledger = if looks {
        let (known, gate) = gate::asked(ports, gates, settings, clock, known).await;
        let reported = Reported { gate, ..reported };
        let reconciled = reconcile_from(ports, service, policy, clock, Wake::Question, known, reported)
            .await
            .map_err(|no_ledger| decision_log::failure_without_ledger(service, no_ledger))?;
        decision_log::log(&reconciled);
        reconciled.ledger
    } else {
        known.0
    };
    let ledger = if question.migrates() && asker == Asker::Open {
        match choose(ports, service, question).await? {
            Some(ledger) => ledger,
            None => return Ok(wait_for_migrator(policy)),
        }
    } else {
        ledger
    };
    // The pass may have ended the release that asks.
    let asker = Asker::in_ledger(&ledger, &question.deployment_id).unwrap_or(asker);
    let healthy = match asker.needs_health(&ledger).filter(|_| question.validates()) {
        None => None,
        Some(colour) => ports
            .target_health(service, colour)
            .await
            .ok()
            .map(|targets| is_healthy(&asker, &targets, &question.instance_id)),
    };
    Ok(answer(&ledger, policy, clock.now(), question, &asker, healthy))
}

/// The ledger that says which instance migrates. `None`: CodeDeploy does not list the one that asks, which it does a moment
/// after its hooks begin. Another machine would be told to migrate for all.
async fn choose(
    ports: &impl Ports,
    service: &ServiceName,
    question: &Question,
) -> Result<Option<Ledger>, Failure> {
    let targets = ports.deployment_targets(&question.deployment_id).await?;
    if targets.iter().all(|target| target.instance != question.instance_id) {
        return Ok(None);
    }
    let chosen = amend(ports, service, |ledger| {
        let next = choose_migrator(ledger, question);
        (next.clone(), next)
    });
    chosen.await.map(Some)
}

/// Whether the open release waits for what this hook's instance tells.
fn is_needed(
    ledger: &Ledger,
    question: &Question,
    told: &Reported,
    policy: &Policy,
    clock: &impl Clock,
) -> bool {
    let (instance, now) = (&question.instance_id, clock.now());
    ledger.open.as_ref().is_some_and(|open| {
        let rests = open.looks_again_after(policy, now);
        told.report.is_some() && open.needs_report(instance, rests, now)
            || told.smoke.is_some() && open.needs_smoke(instance)
    })
}

/// What a question tells beside what it asks.
struct Told {
    reported: Option<Result<Report, ReportError>>,
    smoked: Option<Result<SmokeReport, SmokeError>>,
}

/// What a pass is given of what a hook tells. What cannot be is left out as a whole, and the question is answered as if it were
/// not there.
fn believed(ledger: &Ledger, asker: &Asker, question: &Question, told: Told, clock: &impl Clock) -> Reported {
    let Some(open) = ledger.open.as_ref().filter(|_| *asker == Asker::Open) else {
        return Reported::default();
    };
    let report = told.reported.map(|report| report.and_then(|report| report.of_release(open, clock.now())));
    Reported {
        report: report
            .and_then(|report| kept(report, ledger, question, "what a hook has counted is left out")),
        smoke: told
            .smoked
            .and_then(|smoke| kept(smoke, ledger, question, "what a hook has asked is left out")),
        gate: None,
    }
}

fn kept<T, E: std::error::Error + 'static>(
    told: Result<T, E>,
    ledger: &Ledger,
    question: &Question,
    what: &str,
) -> Option<T> {
    match told {
        Ok(told) => Some(told),
        Err(error) => {
            tracing::warn!(
                service = ledger.service.as_str(),
                deployment_id = question.deployment_id.0,
                instance_id = question.instance_id.0,
                error = chain(&error),
                "{what}"
            );
            None
        }
    }
}

/// Whether the load balancer says nothing against the asking instance. Auto Scaling registers a new instance only
/// after its first deployment (Auto Scaling user guide, lifecycle hooks). So an instance that AWS deploys to by itself
/// may be in no target group yet, and the hook's own health check must do.
fn is_healthy(
    asker: &Asker,
    targets: &std::collections::BTreeMap<InstanceId, TargetHealth>,
    instance: &InstanceId,
) -> bool {
    match targets.get(instance) {
        Some(health) => *health == TargetHealth::Healthy,
        None => *asker == Asker::Service,
    }
}

/// Whether a pass may change what the asking hook hears: it carries its release on, or takes the rule of a release that
/// the ledger does not know.
fn is_worth_a_look(asker: &Asker) -> bool {
    match asker {
        Asker::Open => true,
        Asker::Stranger(stranger) => stranger.share.is_some_and(|share| share > 0),
        Asker::Past(_) | Asker::Left(_) | Asker::Service => false,
    }
}

fn stranger(reason: String) -> Answer {
    Answer::Failed { reason, leave_running: false }
}

fn looked_recently(ledger: &Ledger, policy: &Policy, clock: &impl Clock) -> bool {
    let now = clock.now();
    let rests = ledger.open.as_ref().map_or(policy.look_interval, |open| open.looks_again_after(policy, now));
    ledger
        .looked_at
        .is_some_and(|looked| Duration::try_from(now.duration_since(looked)).is_ok_and(|ago| ago < rests))
}
