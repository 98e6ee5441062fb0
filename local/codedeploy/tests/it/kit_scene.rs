//! Two instances with the kit of `instance/`, in each of the ways in which a version runs; Greenlight's answers are the
//! test's.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use codedeploy::Engine;
use serde_json::{Value, json};

use crate::support::{Scene, id, repository, until};

const WAIT: &str = r#"{"status":"wait","retryAfterSeconds":0.1,"phase":"installing","weight":0}"#;

/// Lambda with one function, whose answers are the test's.
#[derive(Default)]
pub(crate) struct Greenlight {
    /// By lifecycle event, or by event and instance.
    pub(crate) answers: Mutex<BTreeMap<String, String>>,
    /// A response that every call gets instead: status, 0 for none, and whether the function itself has failed.
    pub(crate) trouble: Mutex<Option<(u16, bool)>>,
    /// What the instances' role may not invoke: `?qualifier=hooks`, or the empty end of a call without an alias.
    pub(crate) refused: Mutex<Vec<&'static str>>,
    /// The end of each address that was asked.
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) questions: Mutex<Vec<Value>>,
}

impl Greenlight {
    /// Listens, and gives its address.
    pub(crate) fn start() -> (Arc<Self>, String) {
        let greenlight = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&greenlight);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.serve(stream);
            }
        });
        (greenlight, endpoint)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
        }
        let head = head.to_lowercase();
        let asked = head.strip_prefix("post /2015-03-31/functions/demo-lifecycle/invocations");
        let alias =
            asked.and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{head}")).to_owned();
        assert!(head.contains("authorization: aws4-hmac-sha256 credential=asiatest/"), "{head}");
        let length = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let question: Value = serde_json::from_slice(&body).ok()?;
        let event = question["lifecycleEvent"].as_str()?.to_owned();
        let of_instance = format!("{event} {}", question["instanceId"].as_str()?);
        self.questions.lock().unwrap().push(question);
        let is_refused = self.refused.lock().unwrap().contains(&alias.as_str());
        self.asked.lock().unwrap().push(alias);
        let trouble = is_refused.then_some((403, false)).or(*self.trouble.lock().unwrap());
        let (status, failed) = trouble.unwrap_or((200, false));
        if status == 0 {
            return None;
        }
        let answer = if status != 200 {
            r#"{"Reason":"CallerRateLimitExceeded"}"#.to_owned()
        } else if failed {
            OWN_REFUSAL.to_owned()
        } else {
            let answers = self.answers.lock().unwrap();
            answers.get(&of_instance).or_else(|| answers.get(&event)).cloned().unwrap_or_default()
        };
        let error = if failed { "X-Amz-Function-Error: Unhandled\r\n" } else { "" };
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\n{error}Content-Length: {length}\r\nConnection: close\r\n\r\n{answer}"
        )
        .ok()
    }
}

/// What a function answers that was refused something itself, while whoever asks was not.
const OWN_REFUSAL: &str = r#"{"errorType":"permanent","errorMessage":"reading the ledger failed: (AccessDeniedException) AccessDenied (HTTP 403), then (HTTP 404)","status":"failed"}"#;

/// How a version runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// As a process of the instance.
    Process,
    /// With Compose, and a stand-in for Docker.
    StubbedDocker,
    /// With Compose, and an engine of its own on each instance.
    Docker,
}

/// Where an instance finds its programs.
const FOLDERS: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// What every version of every bundle is called, so that the one before is at hand to be taken for it.
const IMAGE: &str = "demo/backend:latest";

/// Why tests with this runtime cannot run on this machine.
fn missing(runtime: Runtime) -> Option<String> {
    let mut programs = vec!["nginx", "python3", "curl", "flock", "setsid"];
    if runtime == Runtime::Docker {
        programs.extend(["docker", "dockerd", "busybox"]);
    }
    let is_there = |program: &&str| FOLDERS.iter().any(|folder| Path::new(folder).join(program).exists());
    if let Some(program) = programs.into_iter().find(|program| !is_there(program)) {
        return Some(format!("there is no {program}"));
    }
    if runtime != Runtime::Docker {
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        return Some("Docker's engine needs root".to_owned());
    }
    let compose = Command::new("docker").args(["compose", "version"]).output().unwrap();
    (!compose.status.success()).then(|| "Docker has no plugin docker-compose".to_owned())
}

/// Two instances with the kit's environment, and what their hooks hear. They have the addresses `127.0.NET.1` and `.2`,
/// so tests of different nets run side by side.
pub(crate) struct Kit {
    engines: Vec<Engine>,
    pub(crate) scene: Scene,
    pub(crate) greenlight: Arc<Greenlight>,
    runtime: Runtime,
    net: u8,
}

impl Kit {
    /// `None` where a program is missing.
    pub(crate) fn new(test: &str, runtime: Runtime, net: u8) -> Option<Self> {
        Self::with(test, runtime, net, "")
    }

    /// With more lines in the instances' settings.
    pub(crate) fn with(test: &str, runtime: Runtime, net: u8, settings: &str) -> Option<Self> {
        if let Some(why) = missing(runtime) {
            skipped::because(test, why);
            return None;
        }
        let (greenlight, endpoint) = Greenlight::start();
        let mut kit = Self { engines: Vec::new(), scene: Scene::new(0), greenlight, runtime, net };
        for n in 1..=2 {
            let mut instance = kit.scene.instance(n);
            instance.address = kit.address(n);
            let stub = data("docker").display().to_string();
            let path = match runtime {
                Runtime::StubbedDocker => [&[stub.as_str()], &FOLDERS[..]].concat().join(":"),
                Runtime::Process | Runtime::Docker => FOLDERS.join(":"),
            };
            for (name, value) in [
                ("PATH", path),
                ("HOME", kit.scene.folder.path().display().to_string()),
                ("AWS_ENDPOINT_URL", endpoint.clone()),
                ("AWS_ACCESS_KEY_ID", "ASIATEST".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ] {
                instance.environment.insert(name.to_owned(), value);
            }
            if runtime == Runtime::Docker {
                let host = Engine::host(&instance.root);
                instance.environment.insert("DOCKER_HOST".to_owned(), host);
                kit.engines.push(Engine::start(&instance).unwrap());
            }
            let folder = instance.root.join("etc/greenlight");
            fs::create_dir_all(&folder).unwrap();
            let lines = format!(
                "# written by user data\nGREENLIGHT_SERVICE=backend\nGREENLIGHT_LIFECYCLE_FUNCTION=demo-lifecycle:hooks\n\
                 GREENLIGHT_ADDRESS={}\nINSTANCE_ID={}\nGREENLIGHT_HEALTH_SECONDS={}\nAWS_REGION=eu-west-1\n{settings}",
                kit.address(n),
                id(n),
                if runtime == Runtime::Docker { 30 } else { 10 },
            );
            fs::write(folder.join("environment"), lines).unwrap();
            kit.scene.fleet.add_instance(instance).unwrap();
        }
        Some(kit)
    }

    /// Two instances whose first boot was told to run nginx from an image, with stand-ins for what changes the machine.
    pub(crate) fn with_nginx_from_an_image(test: &str, net: u8) -> Option<Self> {
        let kit = Self::new(test, Runtime::Docker, net)?;
        let programs = kit.scene.folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for name in ["dnf", "systemctl", "curl"] {
            let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/boot/program");
            std::os::unix::fs::symlink(program, programs.join(name)).unwrap();
        }
        let path = [&[programs.to_str().unwrap()], &FOLDERS[..]].concat().join(":");
        for n in 1..=2 {
            let settings = kit.scene.root(n).join("etc/greenlight/environment");
            let of_the_test = fs::read(&settings).unwrap();
            let made = kit.run(n, "local/nginx-image", &["nginx:test"], &[]);
            assert!(made.status.success(), "{made:?}");
            let told = [
                ("PATH", path.as_str()),
                ("CALLS", "/dev/null"),
                ("GREENLIGHT_SERVICE", "backend"),
                ("GREENLIGHT_LIFECYCLE_FUNCTION", "demo-lifecycle"),
                ("GREENLIGHT_ADDRESS", &kit.address(n)),
                ("AWS_REGION", "eu-west-1"),
                ("AGENT", "1"),
                ("COMPOSE_VERSION", "v99.0.0"),
                ("NGINX_IMAGE", "nginx:test"),
            ];
            let said = kit.run(n, "bash", &["instance/boot/greenlight.sh"], &told);
            assert!(said.status.success(), "{said:?}");
            assert_eq!(kit.get(n, 8080).unwrap().0, 503, "nothing has been released");
            fs::write(settings, of_the_test).unwrap();
        }
        Some(kit)
    }

    /// What Docker says of the container of nginx on the first instance.
    pub(crate) fn container_of_nginx(&self) -> String {
        let format = "{{.State.Pid}} {{.Config.Image}}";
        let said = self.run(1, "docker", &["inspect", "--format", format, "greenlight-nginx"], &[]);
        String::from_utf8(said.stdout).unwrap()
    }

    pub(crate) fn address(&self, n: usize) -> String {
        format!("127.0.{}.{n}", self.net)
    }

    pub(crate) fn answer(&self, event: &str, answer: &str) {
        self.greenlight.answers.lock().unwrap().insert(event.to_owned(), answer.to_owned());
    }

    /// What one instance hears alone.
    pub(crate) fn answer_on(&self, n: usize, event: &str, answer: &str) {
        self.answer(&format!("{event} {}", id(n)), answer);
    }

    pub(crate) fn trouble(&self, trouble: Option<(u16, bool)>) {
        *self.greenlight.trouble.lock().unwrap() = trouble;
    }

    pub(crate) fn to_colour(&self, colour: &str, release: u32) {
        let port = if colour == "blue" { 8080 } else { 8081 };
        self.answer(
            "BeforeInstall",
            &format!(r#"{{"colour":"{colour}","port":{port},"release":{release}}}"#),
        );
        self.answer("ValidateService", WAIT);
    }

    /// A folder with a version, as a user has it.
    pub(crate) fn app(&self, version: &str) -> PathBuf {
        let app = self.scene.folder.path().join(format!("app-{version}"));
        fs::create_dir_all(&app).unwrap();
        if self.runtime == Runtime::Process {
            for file in ["start.sh", "server.py"] {
                fs::copy(data("app").join(file), app.join(file)).unwrap();
            }
            fs::write(app.join("version"), version).unwrap();
        } else {
            fs::copy(data("compose.yaml"), app.join("compose.yaml")).unwrap();
            Self::image(&app, version, &[]);
        }
        app
    }

    /// Puts a version's image into a folder; more words say for which processor.
    pub(crate) fn image(app: &Path, version: &str, more: &[&str]) {
        let mut image = Command::new("python3");
        image.arg(data("image.py")).args([IMAGE, version]).arg(app.join("image.tar")).args(more);
        assert!(image.status().unwrap().success());
    }

    /// How the versions run that come next.
    pub(crate) fn runs_as(&mut self, runtime: Runtime) {
        self.runtime = runtime;
    }

    /// Bundles a folder with `instance/bundle`.
    pub(crate) fn pack(app: &Path) -> Output {
        let bundle = app.with_extension("zip");
        Command::new(repository().join("instance/bundle")).arg(app).arg(&bundle).output().unwrap()
    }

    /// Bundles a folder and deploys it.
    pub(crate) async fn deploy(&self, app: &Path) -> String {
        let made = Self::pack(app);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // What `greenlight bundle pack` says of a bundle, where the test has written that beside the folder.
        if let Ok(manifest) = fs::read(app.with_extension("json")) {
            let file = fs::OpenOptions::new().read(true).write(true).open(app.with_extension("zip")).unwrap();
            let mut zip = zip::ZipWriter::new_append(file).unwrap();
            zip.start_file("release.json", zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(&manifest).unwrap();
            zip.finish().unwrap();
        }
        let version = app.file_name().unwrap().to_string_lossy();
        self.scene.deploy(&version, fs::read(app.with_extension("zip")).unwrap()).await
    }

    /// Bundles a version and deploys it.
    pub(crate) async fn release(&self, version: &str) -> String {
        self.deploy(&self.app(version)).await
    }

    /// A version that goes live on a colour.
    pub(crate) async fn live(&self, version: &str, colour: &str, release: u32) {
        self.to_colour(colour, release);
        self.answer("ValidateService", r#"{"status":"succeeded"}"#);
        let deployment = self.release(version).await;
        let ended = self.scene.finished(&deployment).await;
        let told = [self.scene.target(&deployment, 1).await, self.scene.target(&deployment, 2).await];
        assert_eq!(ended, "Succeeded", "{version}: {told:?}");
        // A deployment succeeds with its first instance.
        for n in 1..=2 {
            let target = self.scene.target(&deployment, n).await;
            assert_eq!(target["status"], "Succeeded", "{version}: {target}");
        }
    }

    pub(crate) async fn validating(&self, deployment: &str) {
        until("both instances ask in ValidateService", || async {
            let deployment_now = self.scene.deployment(deployment).await;
            if deployment_now["status"] == "Failed" {
                let told = [self.scene.target(deployment, 1).await, self.scene.target(deployment, 2).await];
                panic!("{deployment} has failed: {told:?}");
            }
            let questions = self.greenlight.questions.lock().unwrap();
            (1..=2).all(|n| {
                let asked = question(deployment, "ValidateService", n);
                questions.iter().any(|question| without_what_it_tells(question) == asked)
            })
        })
        .await;
    }

    /// Both instances ask twice more: then they have heard what the first of these questions was answered.
    pub(crate) async fn hearing(&self, deployment: &str) {
        self.greenlight.questions.lock().unwrap().clear();
        until("both instances ask again", || async {
            let questions = self.greenlight.questions.lock().unwrap();
            (1..=2).all(|n| {
                let asked = question(deployment, "ValidateService", n);
                questions.iter().filter(|question| without_what_it_tells(question) == asked).count() > 1
            })
        })
        .await;
    }

    /// What the hooks of a deployment have asked in `ValidateService`.
    pub(crate) fn questions_of(&self, deployment: &str) -> Vec<Value> {
        let questions = self.greenlight.questions.lock().unwrap();
        let is_of = |question: &&Value| {
            question["deploymentId"] == deployment && question["lifecycleEvent"] == "ValidateService"
        };
        questions.iter().filter(is_of).cloned().collect()
    }

    /// Whether a question of this deployment's hook on the first instance has told this of the newest minute.
    pub(crate) fn told(&self, deployment: &str, colour: &str, count: &Value) -> bool {
        let asked = question(deployment, "ValidateService", 1);
        let questions = self.greenlight.questions.lock().unwrap();
        let mut of_hook = questions.iter().filter(|question| without_what_it_tells(question) == asked);
        of_hook.any(|question| {
            let minutes = question["counts"].as_array().into_iter().flatten();
            minutes.into_iter().any(|minute| minute[colour] == *count)
        })
    }

    /// What a deployment that has failed says of one instance's event.
    pub(crate) async fn message(&self, deployment: &str, n: usize, event: &str) -> String {
        self.scene.event(deployment, n, event).await["diagnostics"].to_string()
    }

    /// Status and body of a GET through the instance's nginx; `None` when nothing listens.
    pub(crate) fn get(&self, n: usize, port: u16) -> Option<(u16, String)> {
        self.get_with(n, port, "")
    }

    pub(crate) fn get_with(&self, n: usize, port: u16, headers: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect((self.address(n).as_str(), port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = text.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    pub(crate) fn serves(&self, port: u16, body: &str) -> bool {
        (1..=2).all(|n| self.get(n, port).is_some_and(|(status, text)| status == 200 && text.contains(body)))
    }

    pub(crate) fn is_down(&self, port: u16) -> bool {
        (1..=2).all(|n| self.get(n, port).is_some_and(|(status, _)| status == 502))
    }

    /// Breaks the stand-in for Docker on both instances: lines of its file `faults`.
    pub(crate) fn docker_faults(&self, faults: &str) {
        for n in 1..=2 {
            let folder = self.scene.root(n).join("docker");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("faults"), faults).unwrap();
        }
    }

    /// A release to green that stands in a command of the stand-in for Docker, on both instances.
    pub(crate) async fn slow(&self, command: &str) -> String {
        self.docker_faults(&format!("slow-{command}: yes"));
        self.to_colour("green", 3);
        let deployment = self.release("three").await;
        let is_there = |n| self.scene.read(n, "docker/slow").is_some();
        until("both instances wait for Docker", || async { (1..=2).all(is_there) }).await;
        deployment
    }

    /// Gives a folder 160 MiB on each instance, until the answer is dropped. `None`: only root can.
    pub(crate) fn small_disks(&self, test: &str, folder: &str) -> Option<Vec<SmallDisk>> {
        let mount = |n: usize| {
            let folder = self.scene.root(n).join(folder);
            fs::create_dir_all(&folder).unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", "size=160m", "greenlight"]).arg(&folder);
            mount.output().unwrap().status.success().then_some(SmallDisk(folder))
        };
        let disks: Option<Vec<SmallDisk>> = (1..=2).map(mount).collect();
        if disks.is_none() {
            skipped::because(test, "no disk can be mounted");
        }
        disks
    }

    /// Switches both instances off and on, and runs what their boot runs.
    pub(crate) fn reboot(&mut self) {
        for n in 1..=2 {
            assert!(self.scene.fleet.reboot_instance(&id(n)));
        }
        for engine in &mut self.engines {
            engine.restart().unwrap();
        }
        for n in 1..=2 {
            let said = self.run(n, "bash", &["instance/boot/greenlight.sh", "resume"], &[]);
            assert!(said.status.success(), "{said:?}");
        }
    }

    /// Runs a program on an instance, in the repository's folder.
    pub(crate) fn run(&self, n: usize, program: &str, words: &[&str], more: &[(&str, &str)]) -> Output {
        let instance = self.scene.fleet.instance(&id(n)).unwrap();
        let mut command = Command::new(program);
        command.args(words).current_dir(repository()).env_clear().envs(&instance.environment);
        command.envs(more.iter().copied()).stdin(Stdio::null()).output().unwrap()
    }
}

/// A file system that is unmounted when this is dropped, with whatever still uses it.
pub(crate) struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kit").join(name)
}

pub(crate) fn question(deployment: &str, event: &str, n: usize) -> Value {
    json!({
        "deploymentId": deployment, "deploymentGroupId": "group-id",
        "lifecycleEvent": event, "instanceId": id(n), "service": "backend",
    })
}

fn without_what_it_tells(question: &Value) -> Value {
    let mut question = question.clone();
    for told in ["counts", "smoke"] {
        question.as_object_mut().unwrap().remove(told);
    }
    question
}
