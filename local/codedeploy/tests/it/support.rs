//! A bucket, instances in temporary folders, and bundles made on the spot.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use codedeploy::{Aws, CodeDeploy, Fleet, Group, Instance, Object, S3Error, S3Location, Settings};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

/// A versioned bucket, and the Auto Scaling processes that are suspended.
#[derive(Default)]
pub(crate) struct Cloud {
    pub(crate) objects: Mutex<BTreeMap<(String, String), Vec<u8>>>,
    pub(crate) suspended: Mutex<Vec<String>>,
}

impl Aws for Cloud {
    fn fetch(&self, location: S3Location) -> BoxFuture<'_, Result<Object, S3Error>> {
        let version = location.version.unwrap_or_default();
        let found = self.objects.lock().unwrap().get(&(location.key, version.clone())).cloned();
        let object = found.map(|bytes| Object { bytes: bytes.into(), e_tag: format!("\"tag-{version}\"") });
        let error =
            || S3Error { code: "NoSuchKey".into(), message: "The specified key does not exist.".into() };
        Box::pin(std::future::ready(object.ok_or_else(error)))
    }

    fn suspend_processes(&self, group: &str, processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        self.suspended.lock().unwrap().extend(processes.iter().map(|process| format!("{group}/{process}")));
        Box::pin(std::future::ready(Ok(())))
    }

    fn resume_processes(&self, group: &str, processes: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        self.suspended
            .lock()
            .unwrap()
            .retain(|kept| !processes.iter().any(|p| *kept == format!("{group}/{p}")));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A service with one group `backend`, over a folder that goes when the test ends.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) fleet: Fleet,
    pub(crate) service: CodeDeploy,
}

impl Scene {
    pub(crate) fn new(instances: usize) -> Self {
        Self::with(instances, |_| {})
    }

    pub(crate) fn with(instances: usize, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            groups: vec![Group { id: "group-id".into(), ..Group::new("demo", "backend", ["demo-backend"]) }],
            ..Settings::default()
        };
        adjust(&mut settings);
        let (folder, cloud, fleet) =
            (tempfile::tempdir().unwrap(), Arc::new(Cloud::default()), Fleet::default());
        let service = CodeDeploy::new(settings, fleet.clone(), Arc::clone(&cloud) as Arc<dyn Aws>);
        let scene = Self { folder, cloud, fleet, service };
        for n in 1..=instances {
            scene.fleet.add_instance(scene.instance(n)).unwrap();
        }
        scene
    }

    pub(crate) fn instance(&self, n: usize) -> Instance {
        let root = self.root(n);
        Instance {
            id: id(n),
            auto_scaling_group: "demo-backend".into(),
            address: format!("127.0.77.{n}"),
            environment: BTreeMap::from([
                ("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into()),
                ("GREENLIGHT_ROOT".into(), root.display().to_string()),
                ("INSTANCE".into(), n.to_string()),
            ]),
            root,
        }
    }

    pub(crate) fn root(&self, n: usize) -> PathBuf {
        self.folder.path().join(id(n))
    }

    pub(crate) fn read(&self, n: usize, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root(n).join(path)).ok()
    }

    pub(crate) fn upload(&self, version: &str, bytes: Vec<u8>) {
        self.cloud.objects.lock().unwrap().insert(("app.zip".into(), version.into()), bytes);
    }

    pub(crate) async fn call(&self, operation: &str, body: Value) -> Result<Value, (&'static str, String)> {
        self.service.call(operation, body).await.map_err(|error| (error.code, error.message))
    }

    /// Uploads a bundle and creates a deployment of it to the whole group at once.
    pub(crate) async fn deploy(&self, version: &str, bundle: Vec<u8>) -> String {
        self.upload(version, bundle);
        let created = self.call("CreateDeployment", order(version)).await.unwrap();
        created["deploymentId"].as_str().unwrap().to_owned()
    }

    /// Deploys and waits for the end.
    pub(crate) async fn deployed(&self, version: &str, bundle: Vec<u8>) -> (String, &'static str) {
        let id = self.deploy(version, bundle).await;
        let status = self.finished(&id).await;
        (id, status)
    }

    pub(crate) async fn finished(&self, id: &str) -> &'static str {
        tokio::time::timeout(Duration::from_mins(3), self.service.finished(id)).await.unwrap().unwrap()
    }

    pub(crate) async fn deployment(&self, id: &str) -> Value {
        self.call("GetDeployment", json!({ "deploymentId": id })).await.unwrap()["deploymentInfo"].clone()
    }

    pub(crate) async fn target(&self, deployment: &str, n: usize) -> Value {
        let body = json!({ "deploymentId": deployment, "targetIds": [id(n)] });
        let answer = self.call("BatchGetDeploymentTargets", body).await.unwrap();
        answer["deploymentTargets"][0]["instanceTarget"].clone()
    }

    pub(crate) async fn event(&self, deployment: &str, n: usize, event: &str) -> Value {
        let target = self.target(deployment, n).await;
        let events = target["lifecycleEvents"].as_array().unwrap();
        events.iter().find(|e| e["lifecycleEventName"] == event).unwrap().clone()
    }

    pub(crate) async fn group(&self) -> Value {
        let body = json!({ "applicationName": "demo", "deploymentGroupName": "backend" });
        self.call("GetDeploymentGroup", body).await.unwrap()["deploymentGroupInfo"].clone()
    }
}

/// Nothing that a test started outlives it.
impl Drop for Scene {
    fn drop(&mut self) {
        for instance in 1..=9 {
            self.fleet.kill_instance(&id(instance));
        }
    }
}

pub(crate) fn id(n: usize) -> String {
    format!("i-0a1b2c3d4e5f6000{n}")
}

pub(crate) fn revision(version: &str) -> Value {
    json!({
        "revisionType": "S3",
        "s3Location": {
            "bucket": "artifacts", "key": "app.zip", "bundleType": "zip",
            "version": version, "eTag": format!("tag-{version}"),
        },
    })
}

pub(crate) fn order(version: &str) -> Value {
    json!({
        "applicationName": "demo",
        "deploymentGroupName": "backend",
        "deploymentConfigName": "CodeDeployDefault.AllAtOnce",
        "revision": revision(version),
        "description": format!("greenlight release {version}"),
        "fileExistsBehavior": "OVERWRITE",
        "ignoreApplicationStopFailures": true,
    })
}

/// A ZIP of files with modes.
pub(crate) fn zip(files: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A bundle with one script for one event; `$R` is the instance's root.
pub(crate) fn with_hook(event: &str, timeout: u32, script: &str) -> Vec<u8> {
    let appspec = format!(
        "version: 0.0\nos: linux\nfiles:\n  - source: /content\n    destination: /srv/app\nhooks:\n  {event}:\n    - location: hook.sh\n      timeout: {timeout}\n"
    );
    let script = format!("#!/bin/bash\nR=$GREENLIGHT_ROOT\n{script}\n");
    zip(&[
        ("appspec.yml", 0o644, &appspec),
        ("hook.sh", 0o755, &script),
        ("content/file", 0o640, "content\n"),
    ])
}

/// Waits until something is so, and fails loudly when it never is.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let patience = Instant::now() + Duration::from_mins(3);
    while !so().await {
        assert!(Instant::now() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
