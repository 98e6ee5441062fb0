//! The kit of `instance/` in real deployments: real hooks, real processes, real nginx; only Greenlight's answers
//! are the test's.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Scene, id, repository, until};

const WAIT: &str = r#"{"status":"wait","retryAfterSeconds":0.1,"phase":"installing","weight":0}"#;

/// Lambda with one function, whose answers are the test's.
#[derive(Default)]
struct Greenlight {
    /// By lifecycle event.
    answers: Mutex<BTreeMap<String, String>>,
    /// A response that every call gets instead: status, and whether the function itself has failed.
    trouble: Mutex<Option<(u16, bool)>>,
    questions: Mutex<Vec<Value>>,
}

impl Greenlight {
    /// Listens, and gives its address.
    fn start() -> (Arc<Self>, String) {
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
        assert!(head.starts_with("post /2015-03-31/functions/demo-lifecycle/invocations "), "{head}");
        assert!(head.contains("authorization: aws4-hmac-sha256 credential=asiatest/"), "{head}");
        let length = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let question: Value = serde_json::from_slice(&body).ok()?;
        let event = question["lifecycleEvent"].as_str()?.to_owned();
        self.questions.lock().unwrap().push(question);
        let (status, failed) = self.trouble.lock().unwrap().unwrap_or((200, false));
        let answer = if status != 200 {
            r#"{"Reason":"CallerRateLimitExceeded"}"#.to_owned()
        } else if failed {
            r#"{"errorType":"Runtime.ExitError","status":"failed"}"#.to_owned()
        } else {
            self.answers.lock().unwrap().get(&event).cloned().unwrap_or_default()
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

/// Two instances with the kit's environment, and what their hooks hear.
struct Kit {
    scene: Scene,
    greenlight: Arc<Greenlight>,
}

impl Kit {
    /// `None` where a program is missing.
    fn new(test: &str) -> Option<Self> {
        let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
        for program in ["nginx", "python3", "curl", "flock", "setsid"] {
            if !folders.iter().any(|folder| Path::new(folder).join(program).exists()) {
                skipped::because(test, format_args!("there is no {program}"));
                return None;
            }
        }
        let scene = Scene::new(0);
        let (greenlight, endpoint) = Greenlight::start();
        for n in 1..=2 {
            let mut instance = scene.instance(n);
            instance.address = address(n);
            for (name, value) in [
                ("PATH", folders.join(":")),
                ("HOME", scene.folder.path().display().to_string()),
                ("AWS_ENDPOINT_URL", endpoint.clone()),
                ("AWS_ACCESS_KEY_ID", "ASIATEST".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ] {
                instance.environment.insert(name.to_owned(), value);
            }
            let settings = instance.root.join("etc/greenlight");
            fs::create_dir_all(&settings).unwrap();
            let lines = format!(
                "# written by user data\nGREENLIGHT_SERVICE=backend\nGREENLIGHT_LIFECYCLE_FUNCTION=demo-lifecycle\n\
                 GREENLIGHT_ADDRESS={}\nINSTANCE_ID={}\nGREENLIGHT_HEALTH_SECONDS=4\nAWS_REGION=eu-west-1\n",
                address(n),
                id(n)
            );
            fs::write(settings.join("environment"), lines).unwrap();
            scene.fleet.add_instance(instance).unwrap();
        }
        Some(Self { scene, greenlight })
    }

    fn answer(&self, event: &str, answer: &str) {
        self.greenlight.answers.lock().unwrap().insert(event.to_owned(), answer.to_owned());
    }

    fn trouble(&self, trouble: Option<(u16, bool)>) {
        *self.greenlight.trouble.lock().unwrap() = trouble;
    }

    fn to_colour(&self, colour: &str, release: u32) {
        let port = if colour == "blue" { 8080 } else { 8081 };
        self.answer(
            "BeforeInstall",
            &format!(r#"{{"colour":"{colour}","port":{port},"release":{release}}}"#),
        );
        self.answer("ValidateService", WAIT);
    }

    /// Bundles a version with `instance/bundle` and deploys it.
    async fn release(&self, version: &str) -> String {
        let app = self.scene.folder.path().join(format!("app-{version}"));
        fs::create_dir_all(&app).unwrap();
        for file in ["start.sh", "server.py"] {
            fs::copy(data("app").join(file), app.join(file)).unwrap();
        }
        fs::write(app.join("version"), version).unwrap();
        let bundle = self.scene.folder.path().join(format!("{version}.zip"));
        let made =
            Command::new(repository().join("instance/bundle")).arg(&app).arg(&bundle).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.scene.deploy(version, fs::read(bundle).unwrap()).await
    }

    async fn validating(&self, deployment: &str) {
        until("both instances ask in ValidateService", || async {
            let questions = self.greenlight.questions.lock().unwrap();
            (1..=2).all(|n| {
                let asked = question(deployment, "ValidateService", n);
                questions.iter().any(|question| without_counts(question) == asked)
            })
        })
        .await;
    }

    /// Whether a question of this deployment's hook on the first instance has told this of the newest minute.
    fn told(&self, deployment: &str, colour: &str, count: &Value) -> bool {
        let asked = question(deployment, "ValidateService", 1);
        let questions = self.greenlight.questions.lock().unwrap();
        let mut of_hook = questions.iter().filter(|question| without_counts(question) == asked);
        of_hook.any(|question| {
            let minutes = question["counts"].as_array().into_iter().flatten();
            minutes.into_iter().any(|minute| minute[colour] == *count)
        })
    }

    /// Waits until each instance has had an answer that was given from now on.
    async fn answered_again(&self, deployment: &str) {
        let asked = |n| {
            let asked = question(deployment, "ValidateService", n);
            let questions = self.greenlight.questions.lock().unwrap();
            questions.iter().filter(|question| without_counts(question) == asked).count()
        };
        let before = [asked(1), asked(2)];
        // The next question may be answered as before, and the one after that is asked when its answer was read.
        until("both instances have heard and ask again", || async {
            (1..=2).all(|n| asked(n) > before[n - 1] + 2)
        })
        .await;
    }

    async fn message(&self, deployment: &str, n: usize, event: &str) -> String {
        self.scene.event(deployment, n, event).await["diagnostics"].to_string()
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kit").join(name)
}

fn question(deployment: &str, event: &str, n: usize) -> Value {
    json!({
        "deploymentId": deployment, "deploymentGroupId": "group-id",
        "lifecycleEvent": event, "instanceId": id(n), "service": "backend",
    })
}

fn without_counts(question: &Value) -> Value {
    let mut question = question.clone();
    question.as_object_mut().unwrap().remove("counts");
    question
}

fn address(n: usize) -> String {
    format!("127.0.77.{n}")
}

/// Status and body of a GET through the instance's nginx; `None` when nothing listens.
fn get(n: usize, port: u16) -> Option<(u16, String)> {
    get_with(n, port, "")
}

fn get_with(n: usize, port: u16, headers: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect((address(n).as_str(), port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

fn serves(port: u16, body: &str) -> bool {
    (1..=2).all(|n| get(n, port).is_some_and(|(status, text)| status == 200 && text.contains(body)))
}

fn is_down(port: u16) -> bool {
    (1..=2).all(|n| get(n, port).is_some_and(|(status, _)| status == 502))
}

/// The whole life of a service on its instances, in one test because all use the same ports.
#[tokio::test(flavor = "multi_thread")]
async fn releases_go_to_their_colour_and_come_back_without_touching_the_other() {
    let test = "kit::releases_go_to_their_colour_and_come_back_without_touching_the_other";
    let Some(kit) = Kit::new(test) else { return };

    // The first release waits for Greenlight, and succeeds when it says so.
    kit.to_colour("blue", 1);
    let first = kit.release("one").await;
    kit.validating(&first).await;
    assert!(serves(8080, "one on blue"));
    assert_eq!(kit.scene.deployment(&first).await["status"], "InProgress");
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    assert_eq!(kit.scene.finished(&first).await, "Succeeded");
    assert!(serves(8080, "one on blue"), "the app ended with its hook");

    // The second goes beside it. No answer is no verdict: throttling, a crash of the function, an empty answer.
    kit.to_colour("green", 2);
    let second = kit.release("two").await;
    kit.validating(&second).await;
    for trouble in [(429, false), (200, true), (500, false)] {
        kit.trouble(Some(trouble));
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(kit.scene.deployment(&second).await["status"], "InProgress", "{trouble:?}");
        kit.trouble(None);
    }
    // What visitors get while it waits is counted, on both colours, and told with each question.
    let visited = json!({"arrived": 1, "failed": 0, "open": 0, "total": 1});
    for (port, colour) in [(8080, "blue"), (8081, "green")] {
        assert_eq!(get_with(1, port, "X-Forwarded-For: 192.0.2.1\r\n").unwrap().0, 200);
        until("the visit is told", || async { kit.told(&second, colour, &visited) }).await;
    }
    assert!(!kit.told(&first, "blue", &visited), "the first release has ended");
    kit.answer("ValidateService", "");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(serves(8080, "one on blue") && serves(8081, "two on green"));

    // Taken back: the candidate goes down, the reason is CodeDeploy's, the live colour is not touched.
    let reason = r#"{"status":"failed","reason":"alarm \"backend-5xx\" fired, {\"status\":\"succeeded\"}"}"#;
    kit.answer("ValidateService", reason);
    assert_eq!(kit.scene.finished(&second).await, "Failed");
    let said = kit.message(&second, 1, "ValidateService").await;
    assert!(said.contains("Greenlight took release 2 back: alarm"), "{said}");
    assert!(is_down(8081) && serves(8080, "one on blue"));
    let log = "opt/greenlight/nginx/counts/log";
    get_with(1, 8080, "X-Forwarded-For: 192.0.2.1\r\n");
    assert_eq!(kit.scene.read(1, log).as_deref(), Some(""), "something is counted between releases");

    // A version that ends by itself, and one that answers 500, fail before Greenlight is asked.
    for (version, why) in [("broken", "has ended by itself"), ("sick", "is not healthy on green after 4 s")] {
        kit.to_colour("green", 3);
        let deployment = kit.release(version).await;
        assert_eq!(kit.scene.finished(&deployment).await, "Failed", "{version}");
        let said = kit.message(&deployment, 2, "ValidateService").await;
        assert!(said.contains(why), "{version}: {said}");
        assert!(is_down(8081) && serves(8080, "one on blue"), "{version}");
    }

    // A stopped deployment's hook leaves the colour alone once the next deployment has taken it over.
    kit.to_colour("green", 4);
    let stopped = kit.release("four").await;
    kit.validating(&stopped).await;
    kit.scene.call("StopDeployment", json!({ "deploymentId": stopped })).await.unwrap();
    kit.to_colour("green", 5);
    let fifth = kit.release("five").await;
    kit.validating(&fifth).await;
    assert_eq!(kit.scene.finished(&stopped).await, "Stopped");
    let said = kit.message(&stopped, 1, "ValidateService").await;
    assert!(said.contains("another deployment has taken green over"), "{said}");
    assert!(serves(8081, "five on green") && serves(8080, "one on blue"));

    // An answer for a port that the kit does not serve is refused before anything is installed.
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    assert_eq!(kit.scene.finished(&fifth).await, "Succeeded");
    kit.answer("BeforeInstall", r#"{"colour":"blue","port":9090,"release":6}"#);
    let misled = kit.release("six").await;
    assert_eq!(kit.scene.finished(&misled).await, "Failed");
    let said = kit.message(&misled, 1, "BeforeInstall").await;
    assert!(said.contains("expects blue on port 9090"), "{said}");
    assert!(serves(8081, "five on green") && serves(8080, "one on blue"));

    // With weight, a candidate that nobody answers for is left running: stopping it would lose requests.
    kit.to_colour("blue", 7);
    let seventh = kit.release("seven").await;
    kit.validating(&seventh).await;
    kit.answer(
        "ValidateService",
        r#"{"status":"wait","retryAfterSeconds":0.1,"phase":"shifting","weight":10}"#,
    );
    kit.answered_again(&seventh).await;
    for n in 1..=2 {
        assert!(kit.scene.fleet.restart_agent(&id(n)));
    }
    assert_eq!(kit.scene.finished(&seventh).await, "Failed");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(serves(8080, "seven on blue") && serves(8081, "five on green"));

    // An instance that dies takes its nginx and its apps with it.
    kit.scene.fleet.kill_instance(&id(1));
    until("the ports of the dead instance are closed", || async {
        get(1, 8080).is_none() && get(1, 8081).is_none() && get(1, 3000).is_none() && get(1, 3001).is_none()
    })
    .await;
    assert_eq!(get(2, 8081).map(|(status, _)| status), Some(200));
}

#[test]
fn answers_are_read_as_json_whatever_stands_in_their_texts() {
    let script = r#"
        eval "$(sed -n '/^member() {/,/^}/p; /^unquote() {/,/^}/p' "$1/instance/hooks/ask.sh")"
        check() { [[ "$(member "$1" "$2")" == "$3" ]] || { echo "$1: $2 is '$(member "$1" "$2")', not '$3'"; exit 1; }; }
        check '{"status":"wait","retryAfterSeconds":5,"weight":10}' retryAfterSeconds 5
        check '{"status":"wait","retryAfterSeconds":5,"weight":10}' weight 10
        check '{ "a" : { "status" : "no" }, "status" : "yes" }' status yes
        check '{"list":["status","x",{"status":1}],"status":"yes"}' status yes
        check '{"reason":"say \"status\":\"succeeded\", {now}","status":"failed"}' status failed
        check '{"reason":"say \"status\": {now}","status":"failed"}' reason 'say "status": {now}'
        check '{"reason":"status","status":"failed"}' status failed
        check '{"reason":"a\\b\nc"}' reason 'a\b c'
        check '{"release":null}' release ''
        check '{}' status ''
        check 'no json' status ''
        check '{"status":"wa' status ''
    "#;
    let root = repository();
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Asks once where only the AWS command line can, with a stand-in for it, and gives what `ask` left behind.
fn ask_with_command_line(outcome: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    fs::create_dir_all(folder.path().join("etc/greenlight")).unwrap();
    let lines = "GREENLIGHT_SERVICE=backend\nGREENLIGHT_LIFECYCLE_FUNCTION=demo\nINSTANCE_ID=i-1\nAWS_REGION=eu-west-1\n";
    fs::write(folder.path().join("etc/greenlight/environment"), lines).unwrap();
    let script = r#"source "$1/instance/hooks/release.sh"; ask ValidateService || true; printf '%s\n%s' "$answer" "$unanswered""#;
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(repository())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", data("").display()))
        .env("GREENLIGHT_ROOT", root.to_string())
        .env("DEPLOYMENT_ID", "d-1")
        .env("DEPLOYMENT_GROUP_ID", "g")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("OUTCOME", outcome)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, unanswered) = text.split_once('\n').unwrap_or((&text, ""));
    (answer.trim().to_owned(), unanswered.trim().to_owned())
}

#[test]
fn without_credentials_of_its_own_the_kit_asks_through_the_command_line() {
    let (answer, unanswered) = ask_with_command_line("answer");
    let question = r#"{"deploymentId":"d-1","deploymentGroupId":"g","lifecycleEvent":"ValidateService","instanceId":"i-1","service":"backend"}"#;
    assert_eq!((answer.as_str(), unanswered.as_str()), (question, ""));
    let (_, unanswered) = ask_with_command_line("throttled");
    assert!(
        unanswered.starts_with("the call failed: An error occurred (TooManyRequestsException)"),
        "{unanswered}"
    );
    let (_, unanswered) = ask_with_command_line("crashed");
    assert!(unanswered.starts_with("the function failed (Unhandled)"), "{unanswered}");
}

#[test]
fn the_kits_appspec_is_accepted_and_names_scripts_that_exist() {
    let kit = repository().join("instance");
    let spec = appspec::agent1::AppSpec::parse(&fs::read(kit.join("appspec.yml")).unwrap()).unwrap();
    let events: Vec<&str> = spec.hooks.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"]);
    for script in spec.hooks.iter().flat_map(|(_, scripts)| scripts) {
        assert!(kit.join(&script.location).exists(), "{}", script.location);
    }
    assert!(spec.files.iter().all(|file| file.destination == "/opt/greenlight/staging"));
    assert_eq!(spec.scripts("ValidateService")[0].timeout, 3600);
}

#[test]
fn the_same_app_makes_the_same_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let bundle = folder.path().join(name);
        let made = Command::new(repository().join("instance/bundle"))
            .arg(data("app"))
            .arg(&bundle)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::read(bundle).unwrap()
    };
    let (first, second) = (make("first.zip"), make("second.zip"));
    assert!(first == second);
}
