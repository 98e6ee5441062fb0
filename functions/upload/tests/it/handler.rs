//! From an event to verdicts, on an AWS in memory.

use bundle::{Limits, RangedRead, Tail};
use bytes::Bytes;
use greenlight::failure::{Class, Failure, chain};
use greenlight::ports::Ports;
use greenlight::settings::{InstanceSettings, ServiceSettings, Settings};
use release::evidence::AtMax;
use release::{Colour, Drift, PerColour, Policy, Revision, ServiceName, VerdictWord};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testing::{At, FaultAt, Faulty, Kind, World, commit, service, upload};
use upload::bundles::{Bundles, ObjectTags, ReadFailure};
use upload::handler::{Handled, Surroundings, handle};

fn settings() -> Settings {
    let minute = Duration::from_mins(1);
    let one = |name: &str| {
        let alarms = |colour: Colour| vec![format!("{name}-{colour}-errors")];
        ServiceSettings {
            deployment_group: format!("shop-{name}"),
            base_rule_arn: format!("rule-{name}"),
            target_groups: PerColour { blue: format!("{name}-blue"), green: format!("{name}-green") },
            alarms: PerColour { blue: alarms(Colour::Blue), green: alarms(Colour::Green) },
            auto_scaling_group: format!("shop-{name}"),
        }
    };
    Settings {
        services: ["backend", "frontend"].map(|name| (service(name), one(name))).into(),
        state_bucket: "state".to_owned(),
        artifact_bucket: "artifacts".to_owned(),
        application: "shop".to_owned(),
        listener_arn: "listener".to_owned(),
        topic_arn: "topic".to_owned(),
        policy: Policy {
            strategy: "AllAtOnce".parse().unwrap(),
            bake: minute,
            install_deadline: minute,
            drain: minute,
            unhealthy_grace: minute,
            unknown_limit: minute,
            look_interval: Duration::from_secs(5),
            silence_limit: Duration::ZERO,
            rollback_window: Duration::ZERO,
            heal_after: Duration::ZERO,
            drift: Drift::Report,
            harm: 10,
            at_max: AtMax::GoOn,
            gate: Duration::ZERO,
            is_sound: true,
        },
        instances: InstanceSettings::default(),
        gate: None,
        faults: Vec::new(),
    }
}

/// The bundles of a world: bytes and the uploader's tags by version. Chosen calls fail.
pub(crate) struct Store<'a> {
    world: &'a World,
    bundles: BTreeMap<Revision, Vec<u8>>,
    pub(crate) allow_downgrade: bool,
    fails_at: Option<usize>,
    panics_on: Option<Revision>,
    calls: AtomicUsize,
}

pub(crate) struct Stored<'a> {
    revision: Revision,
    bytes: Option<Bytes>,
    store: &'a Store<'a>,
}

impl<'a> Store<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            bundles: BTreeMap::new(),
            allow_downgrade: false,
            fails_at: None,
            panics_on: None,
            calls: AtomicUsize::new(0),
        }
    }

    pub(crate) fn with(mut self, service: &ServiceName, number: u64, zip: Vec<u8>) -> Self {
        self.bundles.insert(upload(service, number).revision, zip);
        self
    }

    fn called(&self) -> Result<(), ReadFailure> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fails_at == Some(number) {
            return Err(Failure::new(Class::Transient, "S3 was made to be busy").into());
        }
        Ok(())
    }
}

impl<'a> Bundles for &'a Store<'a> {
    type Bundle = Stored<'a>;

    fn bundle(&self, revision: &Revision) -> Stored<'a> {
        assert_ne!(self.panics_on.as_ref(), Some(revision), "a bug");
        Stored {
            revision: revision.clone(),
            bytes: self.bundles.get(revision).cloned().map(Bytes::from),
            store: self,
        }
    }

    async fn tags(&self, revision: &Revision) -> Result<ObjectTags, ReadFailure> {
        self.called()?;
        let tags = self.world.tags(revision);
        let word = tags.get("greenlight:verdict").and_then(|word| VerdictWord::from_word(word));
        let reason = tags.get("greenlight:reason").cloned().unwrap_or_default();
        Ok(ObjectTags { allow_downgrade: self.allow_downgrade, told: word.map(|word| (word, reason)) })
    }
}

impl RangedRead for Stored<'_> {
    type Error = ReadFailure;

    async fn tail(&self, most: u64) -> Result<Tail, ReadFailure> {
        self.store.called()?;
        let bytes = self.bytes.as_ref().ok_or_else(|| ReadFailure::Gone(self.revision.clone()))?;
        let start = bytes.len().saturating_sub(usize::try_from(most).unwrap());
        Ok(Tail { bytes: bytes.slice(start..), size: bytes.len() as u64 })
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, ReadFailure> {
        self.store.called()?;
        let bytes = self.bytes.as_ref().ok_or_else(|| ReadFailure::Gone(self.revision.clone()))?;
        let at = |position: u64| usize::try_from(position).unwrap();
        Ok(bytes.slice(at(range.start)..at(range.end)))
    }
}

pub(crate) fn notice(revisions: &[Revision]) -> Value {
    let record = |revision: &Revision| {
        json!({
            "eventVersion": "2.1",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": revision.bucket},
                "object": {"key": revision.key, "size": 1, "eTag": revision.etag, "versionId": revision.version},
            },
        })
    };
    json!({"Records": revisions.iter().map(record).collect::<Vec<_>>()})
}

pub(crate) fn run(
    world: &World,
    ports: &impl Ports,
    store: &Store<'_>,
    payload: Value,
) -> Result<Vec<Handled>, Failure> {
    let settings = settings();
    let limits = Limits::default();
    let with = Surroundings { ports, bundles: &store, clock: world, settings: &settings, limits: &limits };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(handle(&with, payload))
}

const APPSPEC: &str =
    "version: 0.0\nos: linux\nhooks: {ValidateService: [{location: validate.sh, timeout: 3600}]}\n";

pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn good() -> Vec<u8> {
    zip(&[("appspec.yml", APPSPEC), ("validate.sh", "#!/bin/sh\n")])
}

/// The words and reasons on an object.
pub(crate) fn said(world: &World, revision: &Revision) -> String {
    let tags = world.tags(revision);
    let tag = |name: &str| tags.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
    format!("{}: {}", tag("greenlight:verdict"), tag("greenlight:reason"))
}

pub(crate) fn deployed(world: &World, service: &ServiceName) -> Vec<u64> {
    let number =
        |deployment: release::Deployment| deployment.description.map(|description| description.number.0);
    world.deployments(service).into_iter().filter_map(number).collect()
}

#[test]
fn a_good_bundle_opens_its_release() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good());
    let revision = upload(&backend, 1).revision;
    let outcomes = run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    assert_eq!(outcomes[0].verdict.as_str(), "accepted");
    assert_eq!(said(&world, &revision), "accepted: release 1 was inspected and is taken on");
    assert_eq!(deployed(&world, &backend), [1]);
    let open = world.ledger(&backend).unwrap().open.unwrap();
    assert_eq!((open.upload.commit, open.upload.revision), (commit(1), revision));
    assert!(!open.upload.tells_smoke);
}

#[test]
fn a_bundle_whose_hooks_will_tell_its_smoke_says_so_in_the_ledger() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let files = "files: [{source: /app, destination: /opt/greenlight/staging}]\n";
    let bundle = zip(&[
        ("appspec.yml", &format!("{APPSPEC}{files}")),
        ("validate.sh", "#!/bin/sh\n"),
        ("smoke.sh", ""),
        ("app/start.sh", "#!/bin/sh\n"),
        ("app/smoke.txt", "/checkout 200\n"),
    ]);
    let store = Store::new(&world).with(&backend, 1, bundle);
    let outcomes = run(&world, &world, &store, notice(&[upload(&backend, 1).revision])).unwrap();
    assert_eq!(outcomes[0].verdict.as_str(), "accepted", "{}", said(&world, &upload(&backend, 1).revision));
    assert!(world.ledger(&backend).unwrap().open.unwrap().upload.tells_smoke);
}

#[test]
fn the_same_version_twice_is_the_same_release() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good());
    let revision = upload(&backend, 1).revision;
    for _ in 0..3 {
        run(&world, &world, &store, notice(&[revision.clone(), revision.clone()])).unwrap();
    }
    assert_eq!(deployed(&world, &backend), [1]);
    assert_eq!(said(&world, &revision), "accepted: release 1 was inspected and is taken on");
}

#[test]
fn a_repeat_does_not_overwrite_how_the_release_ended() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good());
    let revision = upload(&backend, 1).revision;
    run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(greenlight::ports::Uploads::tag_verdict(
            &world,
            &revision,
            VerdictWord::Live,
            "carries all traffic",
        ))
        .unwrap();
    run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    assert_eq!(said(&world, &revision), "live: carries all traffic");
}

#[test]
fn a_bad_bundle_is_rejected_on_its_tags_and_opens_nothing() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, zip(&[("appspec.yaml", APPSPEC)]));
    let revision = upload(&backend, 1).revision;
    let outcomes = run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    assert_eq!(outcomes[0].verdict.as_str(), "rejected");
    insta::assert_snapshot!(said(&world, &revision), @"rejected: GL101 there is no appspec.yml at the root of the bundle - but there is appspec.yaml: rename or move it: the agent looks for exactly appspec.yml at the root");
    assert!(world.ledger(&backend).is_none());
    assert_eq!(world.count("read_ledger"), 0);
}

#[test]
fn a_key_that_breaks_a_rule_is_rejected_without_reading_the_object() {
    let world = World::new(&["backend", "frontend"]);
    let store = Store::new(&world);
    let revision =
        Revision { key: "releases/backend/latest.zip".to_owned(), ..upload(&service("backend"), 1).revision };
    run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    assert_eq!(
        said(&world, &revision),
        "rejected: its name has no dash between number and commit: upload to releases/SERVICE/NUMBER-COMMIT.zip"
    );
    assert_eq!(store.calls.load(Ordering::Relaxed), 0);
}

#[test]
fn an_older_upload_is_refused_unless_its_tag_allows_it() {
    let backend = service("backend");
    let revision = upload(&backend, 5).revision;
    for allow_downgrade in [false, true] {
        let world = World::new(&["backend", "frontend"]);
        world.make_live(&backend, Colour::Blue, 9);
        let mut store = Store::new(&world).with(&backend, 5, good());
        store.allow_downgrade = allow_downgrade;
        let outcomes = run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
        assert_eq!(outcomes[0].verdict.as_str(), if allow_downgrade { "accepted" } else { "rejected" });
        assert_eq!(world.active_deployment(&backend).is_some(), allow_downgrade);
        assert!(
            said(&world, &revision).starts_with(outcomes[0].verdict.as_str()),
            "{}",
            said(&world, &revision)
        );
    }
}

#[test]
fn two_pushes_in_one_event_leave_the_newest() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good()).with(&backend, 2, good());
    let revisions = [upload(&backend, 1).revision, upload(&backend, 2).revision];
    run(&world, &world, &store, notice(&revisions)).unwrap();
    assert_eq!(deployed(&world, &backend), [2]);
    assert_eq!(said(&world, &revisions[0]), "superseded: superseded by 2");
    assert_eq!(said(&world, &revisions[1]), "accepted: release 2 was inspected and is taken on");
}

#[test]
fn a_bad_record_does_not_lose_the_others() {
    let (world, backend, frontend) =
        (World::new(&["backend", "frontend"]), service("backend"), service("frontend"));
    let store = Store::new(&world).with(&backend, 1, good()).with(&frontend, 4, good());
    let unversioned = Revision { version: "null".to_owned(), ..upload(&backend, 7).revision };
    let foreign = Revision { bucket: "somebody-else".to_owned(), ..upload(&backend, 8).revision };
    let gone = upload(&backend, 9).revision;
    let payload =
        notice(&[unversioned, foreign, gone, upload(&backend, 1).revision, upload(&frontend, 4).revision]);
    let failure = run(&world, &world, &store, payload).unwrap_err();
    assert_eq!(failure.class(), Class::Permanent);
    assert!(failure.to_string().contains("enable versioning") && failure.is_recorded(), "{failure}");
    assert_eq!((deployed(&world, &backend), deployed(&world, &frontend)), (vec![1], vec![4]));
}

#[test]
fn a_record_that_meets_a_bug_does_not_lose_the_others() {
    let (world, backend, frontend) =
        (World::new(&["backend", "frontend"]), service("backend"), service("frontend"));
    let mut store = Store::new(&world).with(&frontend, 4, good());
    let revisions = [upload(&backend, 1).revision, upload(&frontend, 4).revision];
    store.panics_on = Some(revisions[0].clone());
    let failure = run(&world, &world, &store, notice(&revisions)).unwrap_err();
    assert_eq!(failure.class(), Class::Bug);
    assert!(failure.to_string().contains(&revisions[0].key) && failure.is_recorded(), "{failure}");
    assert_eq!(deployed(&world, &frontend), [4]);
}

#[test]
fn a_key_or_a_version_that_s3_cannot_have_does_not_lose_the_others() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good());
    let good = upload(&backend, 1).revision;
    let long_key = Revision { key: "x".repeat(70_000), ..good.clone() };
    let long_version = Revision { version: "v".repeat(70_000), ..good.clone() };
    let failure = run(&world, &world, &store, notice(&[long_key, long_version, good])).unwrap_err();
    assert_eq!(failure.class(), Class::Permanent);
    assert_eq!(
        chain(&failure),
        "2 failures, the log has each with its key; one of them: Records[0].s3.object.key in bucket artifacts has \
         70000 bytes, S3 allows 1024: the event was damaged, send it again as S3 wrote it"
    );
    assert_eq!(deployed(&world, &backend), [1]);
}

#[test]
fn what_is_wrong_in_a_foreign_bucket_is_not_judged() {
    let world = World::new(&["backend", "frontend"]);
    let foreign = Revision { bucket: "somebody-else".to_owned(), ..upload(&service("backend"), 1).revision };
    let unversioned = Revision { version: "null".to_owned(), ..foreign.clone() };
    let damaged = Revision { key: "x".repeat(2_000), ..foreign.clone() };
    let mut payload = notice(&[unversioned, damaged, foreign]);
    payload["Records"][2]["s3"]["object"].as_object_mut().unwrap().remove("eTag");
    let handled = run(&world, &world, &Store::new(&world), payload).unwrap();
    assert_eq!(handled.len(), 3);
    for record in handled {
        assert_eq!(record.verdict.as_str(), "ignored");
        assert!(record.reason.ends_with("is in bucket somebody-else, which is not this stack's"));
    }
}

#[test]
fn an_event_asks_for_so_much_work_and_no_more() {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    let store = Store::new(&world).with(&backend, 1, good());
    let mut payload = notice(&[upload(&backend, 1).revision]);
    let gone = notice(&vec![upload(&backend, 2).revision; 7_000]);
    payload["Records"].as_array_mut().unwrap().extend(gone["Records"].as_array().unwrap().clone());
    let failure = run(&world, &world, &store, payload).unwrap_err();
    assert_eq!(failure.class(), Class::Permanent);
    assert!(failure.to_string().starts_with("the event has 7001 records"), "{failure}");
    assert!(store.calls.load(Ordering::Relaxed) < 120);
    assert_eq!(deployed(&world, &backend), [1]);
}

#[test]
fn what_is_ignored_is_named() {
    let world = World::new(&["backend", "frontend"]);
    let deleted = upload(&service("backend"), 1).revision;
    let mut payload = notice(std::slice::from_ref(&deleted));
    payload["Records"][0]["eventName"] = json!("ObjectRemoved:Delete");
    let handled = run(&world, &world, &Store::new(&world), payload).unwrap();
    assert_eq!(handled[0].key, deleted.key);
}

#[test]
fn another_services_records_are_told_to_go_away_by_name() {
    let world = World::new(&["backend", "frontend"]);
    let payload = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}]});
    let failure = run(&world, &world, &Store::new(&world), payload).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "Records[0] comes from aws:sqs, not from aws:s3: this function takes S3's notifications straight or through \
         EventBridge, remove the other trigger"
    );
}

#[test]
fn every_sample_is_handled_without_surprise() {
    let mut settled = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/upload");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("greenlight-artifacts-123456789012-eu-west-1", "artifacts");
        let payload: Value = serde_json::from_str(&text).unwrap();
        let world = World::new(&["backend", "frontend"]);
        let outcome = match run(&world, &world, &Store::new(&world), payload) {
            Ok(outcomes) => outcomes
                .iter()
                .map(|outcome| format!("{}: {}", outcome.verdict.as_str(), outcome.reason))
                .collect::<Vec<_>>()
                .join("\n  "),
            Err(failure) => format!("{}: {failure}", failure.class().word()),
        };
        settled.insert(path.file_name().unwrap().to_string_lossy().into_owned(), outcome);
    }
    let said: Vec<String> = settled.iter().map(|(name, outcome)| format!("{name}\n  {outcome}")).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// What a run that met a fault and then Lambda's second attempt leave.
fn after_a_fault(fault: Option<FaultAt>, fails_at: Option<usize>) -> (Vec<u64>, String, usize, usize) {
    let (world, backend) = (World::new(&["backend", "frontend"]), service("backend"));
    world.make_live(&backend, Colour::Blue, 1);
    let live_deployments = world.deployments(&backend).len();
    let revision = upload(&backend, 2).revision;
    let mut store = Store::new(&world).with(&backend, 2, good());
    store.fails_at = fails_at;
    let ports = Faulty::new(&world, fault);
    let first = run(&world, &ports, &store, notice(std::slice::from_ref(&revision)));
    let (calls, reads) = (ports.calls().len(), store.calls.load(Ordering::Relaxed));
    store.fails_at = None;
    if first.is_err() {
        run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    }
    // The tick.
    run(&world, &world, &store, notice(std::slice::from_ref(&revision))).unwrap();
    let deployed = deployed(&world, &backend).split_off(live_deployments);
    (deployed, said(&world, &revision), calls, reads)
}

#[test]
fn a_fault_at_any_call_changes_nothing_but_the_time_it_takes() {
    let (deployed, said, calls, reads) = after_a_fault(None, None);
    assert_eq!(
        (deployed.as_slice(), said.as_str()),
        (&[2][..], "accepted: release 2 was inspected and is taken on")
    );
    let classes = [Class::Transient, Class::OutcomeUnknown];
    for number in 1..=calls {
        for kind in classes.map(Kind::Before).into_iter().chain([Kind::After(Class::OutcomeUnknown)]) {
            let found = after_a_fault(Some(FaultAt { at: At::Nth(number), kind }), None);
            assert_eq!((&found.0, &found.1), (&deployed, &said), "call {number}, {kind:?}");
        }
    }
    for number in 1..=reads {
        let found = after_a_fault(None, Some(number));
        assert_eq!((&found.0, &found.1), (&deployed, &said), "read {number}");
    }
}
