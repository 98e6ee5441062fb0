//! The kit of `instance/` in real deployments: real hooks, real processes, real nginx; only Greenlight's answers
//! are the test's.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    kit_scene::{Greenlight, Kit, Runtime, data},
    support::{id, repository, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn processes_go_to_their_colour_and_come_back_without_touching_the_other() {
    let test = "kit::processes_go_to_their_colour_and_come_back_without_touching_the_other";
    if let Some(kit) = Kit::new(test, Runtime::Process, 77) {
        whole_life(kit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stubbed_containers_go_to_their_colour_and_come_back_without_touching_the_other() {
    let test = "kit::stubbed_containers_go_to_their_colour_and_come_back_without_touching_the_other";
    if let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 78) {
        whole_life(kit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_go_to_their_colour_and_come_back_without_touching_the_other() {
    let test = "kit::containers_go_to_their_colour_and_come_back_without_touching_the_other";
    if let Some(kit) = Kit::new(test, Runtime::Docker, 79) {
        whole_life(kit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_may_run_from_an_image_and_no_release_starts_it_anew() {
    let test = "kit::nginx_may_run_from_an_image_and_no_release_starts_it_anew";
    let Some(mut kit) = Kit::with_nginx_from_an_image(test, 209) else { return };
    let container = kit.container_of_nginx();
    assert!(container.ends_with(" nginx:test\n"), "{container}");
    kit.runs_as(Runtime::Process);
    kit.live("one", "blue", 1).await;
    kit.to_colour("green", 2);
    let second = kit.release("two").await;
    kit.validating(&second).await;
    assert_eq!(kit.get_with(1, 8081, "X-Forwarded-For: 192.0.2.1\r\n").unwrap().0, 200);
    let visited = json!({"arrived": 1, "failed": 0, "open": 0, "total": 1});
    until("the visit is told", || async { kit.told(&second, "green", &visited) }).await;
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    assert_eq!(kit.scene.finished(&second).await, "Succeeded");
    assert_eq!(kit.container_of_nginx(), container);
    kit.reboot();
    until("nginx and both colours are back", || async {
        kit.serves(8080, "one on blue") && kit.serves(8081, "two on green")
    })
    .await;
    assert_ne!(kit.container_of_nginx(), container);
}

/// The whole life of a service on its instances.
async fn whole_life(kit: Kit) {
    // The first release waits for Greenlight, and succeeds when it says so.
    kit.to_colour("blue", 1);
    let first = kit.release("one").await;
    kit.validating(&first).await;
    assert!(kit.serves(8080, "one on blue"));
    assert_eq!(kit.scene.deployment(&first).await["status"], "InProgress");
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    assert_eq!(kit.scene.finished(&first).await, "Succeeded");
    assert!(kit.serves(8080, "one on blue"), "the app ended with its hook");

    // The second goes beside it. No answer is no verdict: throttling, a crash of the function, a line that breaks, an empty
    // answer.
    kit.to_colour("green", 2);
    let two = kit.app("two");
    std::fs::write(two.join("smoke.txt"), "/healthz 200 two on green\n").unwrap();
    let second = kit.deploy(&two).await;
    kit.validating(&second).await;
    // From its first question on it tells what both colours answer.
    for question in kit.questions_of(&second) {
        let asked = &question["smoke"][0]["asked"];
        assert!(asked.as_u64().is_some_and(|times| times >= 1), "{question}");
        let smoke = json!([{"path": "/healthz", "asked": asked,
            "blue": {"status": 200, "fine": false}, "green": {"status": 200, "fine": true}}]);
        assert_eq!(question["smoke"], smoke);
    }
    for trouble in [(429, false), (200, true), (500, false), (0, false)] {
        kit.trouble(Some(trouble));
        kit.hearing(&second).await;
        assert_eq!(kit.scene.deployment(&second).await["status"], "InProgress", "{trouble:?}");
        kit.trouble(None);
    }
    // What visitors get while it waits is counted, on both colours, and told with each question.
    let visited = json!({"arrived": 1, "failed": 0, "open": 0, "total": 1});
    for (port, colour) in [(8080, "blue"), (8081, "green")] {
        assert_eq!(kit.get_with(1, port, "X-Forwarded-For: 192.0.2.1\r\n").unwrap().0, 200);
        until("the visit is told", || async { kit.told(&second, colour, &visited) }).await;
    }
    assert!(!kit.told(&first, "blue", &visited), "the first release has ended");
    kit.answer("ValidateService", "");
    kit.hearing(&second).await;
    assert!(kit.serves(8080, "one on blue") && kit.serves(8081, "two on green"));

    // Taken back: the candidate goes down, the reason is CodeDeploy's, the live colour is not touched.
    let reason = r#"{"status":"failed","reason":"alarm \"backend-5xx\" fired, {\"status\":\"succeeded\"}"}"#;
    kit.answer("ValidateService", reason);
    assert_eq!(kit.scene.finished(&second).await, "Failed");
    let said = kit.message(&second, 1, "ValidateService").await;
    assert!(said.contains("Greenlight took release 2 back: alarm"), "{said}");
    assert!(kit.is_down(8081) && kit.serves(8080, "one on blue"));
    let log = "opt/greenlight/nginx/counts/log";
    kit.get_with(1, 8080, "X-Forwarded-For: 192.0.2.1\r\n");
    assert_eq!(kit.scene.read(1, log).as_deref(), Some(""), "something is counted between releases");

    // A version that ends by itself, and one that answers 500, fail before Greenlight is asked.
    for (version, why) in [("broken", "has ended by itself"), ("sick", "is not healthy on green after ")] {
        kit.to_colour("green", 3);
        let deployment = kit.release(version).await;
        assert_eq!(kit.scene.finished(&deployment).await, "Failed", "{version}");
        let said = kit.message(&deployment, 2, "ValidateService").await;
        assert!(said.contains(why), "{version}: {said}");
        assert!(kit.is_down(8081) && kit.serves(8080, "one on blue"), "{version}");
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
    assert!(kit.serves(8081, "five on green") && kit.serves(8080, "one on blue"));

    // An answer for a port that the kit does not serve is refused before anything is installed.
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    assert_eq!(kit.scene.finished(&fifth).await, "Succeeded");
    kit.answer("BeforeInstall", r#"{"colour":"blue","port":9090,"release":6}"#);
    let misled = kit.release("six").await;
    assert_eq!(kit.scene.finished(&misled).await, "Failed");
    let said = kit.message(&misled, 1, "BeforeInstall").await;
    assert!(said.contains("expects blue on port 9090"), "{said}");
    assert!(kit.serves(8081, "five on green") && kit.serves(8080, "one on blue"));

    // With weight, a candidate that nobody answers for is left running: stopping it would lose requests.
    kit.to_colour("blue", 7);
    let seventh = kit.release("seven").await;
    kit.validating(&seventh).await;
    kit.answer(
        "ValidateService",
        r#"{"status":"wait","retryAfterSeconds":0.1,"phase":"shifting","weight":10}"#,
    );
    kit.hearing(&seventh).await;
    for n in 1..=2 {
        assert!(kit.scene.fleet.restart_agent(&id(n)));
    }
    assert_eq!(kit.scene.finished(&seventh).await, "Failed");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(kit.serves(8080, "seven on blue") && kit.serves(8081, "five on green"));

    // An instance that dies takes its nginx and its apps with it.
    kit.scene.fleet.kill_instance(&id(1));
    until("the ports of the dead instance are closed", || async {
        kit.get(1, 8080).is_none()
            && kit.get(1, 8081).is_none()
            && kit.get(1, 3000).is_none()
            && kit.get(1, 3001).is_none()
    })
    .await;
    assert_eq!(kit.get(2, 8081).map(|(status, _)| status), Some(200));
}

#[test]
fn answers_are_read_as_json_whatever_stands_in_their_texts() {
    let script = r#"
        eval "$(sed -n '/^member() {/,/^}/p; /^unquote() {/,/^}/p; /^utf8() {/,/^}/p' "$1/instance/hooks/ask.sh")"
        check() { [[ "$(member "$1" "$2")" == "$3" ]] || { echo "$1: $2 is '$(member "$1" "$2")', not '$3'"; exit 1; }; }
        check '{"status":"wait","retryAfterSeconds":5,"weight":10}' retryAfterSeconds 5
        check '{"status":"wait","retryAfterSeconds":5,"weight":10}' weight 10
        check '{ "a" : { "status" : "no" }, "status" : "yes" }' status yes
        check '{"list":["status","x",{"status":1}],"status":"yes"}' status yes
        check '{"reason":"say \"status\":\"succeeded\", {now}","status":"failed"}' status failed
        check '{"reason":"say \"status\": {now}","status":"failed"}' reason 'say "status": {now}'
        check '{"reason":"status","status":"failed"}' status failed
        check '{"reason":"a\\b\nc"}' reason $'a\\b\nc'
        check '{"reason":"a\\nb\\\\n\\\"c"}' reason 'a\nb\\n\"c'
        check '{"reason":"\u0026\u003C\/\t\r\b\f|"}' reason $'&</\t\r\b\f|'
        check '{"reason":"\u00e9 \u20AC \ud83d\ude00!"}' reason 'é € 😀!'
        for text in '\u0000' '\ud83d' '\ude00' '\ud83d\u0041' '\u00g0' '\u12' '\x41'; do
            ! member "{\"a\":\"$text\"}" a || { echo "$text is read"; exit 1; }
        done
        check '{"release":null}' release ''
        check '{}' status ''
        check 'no json' status ''
        check '{"status":"wa' status ''
    "#;
    let root = repository();
    let output = Command::new("bash").args(["-c", script, "bash"]).arg(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_question_goes_to_the_suffix_of_the_region() {
    // curl says to its proxy where it wants to go.
    let asked = |suffix: &[(&str, &str)]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
            line
        });
        let signed = [
            ("https_proxy", proxy.as_str()),
            ("AWS_ACCESS_KEY_ID", "ASIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        ask_with(&[&signed, suffix].concat());
        heard.join().unwrap()
    };
    assert_eq!(asked(&[]), "CONNECT lambda.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n");
    let china = asked(&[("AWS_URL_SUFFIX", "amazonaws.com.cn")]);
    assert_eq!(china, "CONNECT lambda.eu-west-1.amazonaws.com.cn:443 HTTP/1.1\r\n");
}

/// Asks once where only the AWS command line can, with a stand-in for it, and gives what `ask` left behind.
fn ask_with_command_line(outcome: &str) -> (String, String) {
    ask_with(&[("OUTCOME", outcome)])
}

fn ask_with(variables: &[(&str, &str)]) -> (String, String) {
    let asked = ask_of(&repository().join("instance"), "demo-lifecycle", variables);
    (asked.answer, asked.unanswered)
}

/// What one question came to.
struct Asked {
    answer: String,
    unanswered: String,
    /// The function that the instance's settings name afterwards.
    named: String,
    /// How long it waits where it is to ask again after a second.
    pause: String,
}

/// Asks once with a kit on an instance whose settings name this function.
fn ask_of(kit: &Path, function: &str, variables: &[(&str, &str)]) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    fs::create_dir_all(folder.path().join("etc/greenlight")).unwrap();
    let settings = folder.path().join("etc/greenlight/environment");
    let named = "GREENLIGHT_LIFECYCLE_FUNCTION=";
    let lines =
        format!("GREENLIGHT_SERVICE=backend\n{named}{function}\nINSTANCE_ID=i-1\nAWS_REGION=eu-west-1\n");
    fs::write(&settings, lines).unwrap();
    let script = r#"source "$1/hooks/release.sh"
        ! ask ValidateService || ! declare -F note_alias >/dev/null || note_alias
        ! declare -F may_ask_after >/dev/null || may_ask_after 1 >"$GREENLIGHT_ROOT/pause"
        printf '%s\n%s' "$answer" "$unanswered""#;
    let output = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(kit)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", data("").display()))
        .env("GREENLIGHT_ROOT", root.to_string())
        .env("DEPLOYMENT_ID", "d-1")
        .env("DEPLOYMENT_GROUP_ID", "g")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, unanswered) = text.split_once('\n').unwrap_or((&text, ""));
    let settings = fs::read_to_string(settings).unwrap();
    let named = settings.lines().find_map(|line| line.strip_prefix(named)).unwrap();
    Asked {
        answer: answer.trim().to_owned(),
        unanswered: unanswered.trim().to_owned(),
        named: named.to_owned(),
        pause: fs::read_to_string(folder.path().join("pause")).unwrap_or_default().trim().to_owned(),
    }
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
fn where_curl_is_refused_the_kit_asks_through_the_command_line() {
    let (greenlight, endpoint) = Greenlight::start();
    let ask = |status| {
        *greenlight.trouble.lock().unwrap() = Some((status, false));
        ask_with(&[
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "ASIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("OUTCOME", "answer"),
        ])
    };
    let (answer, unanswered) = ask(403);
    assert!(answer.contains("\"deploymentId\":\"d-1\"") && unanswered.is_empty(), "{answer} {unanswered}");
    let (answer, unanswered) = ask(429);
    assert!(answer.is_empty() && unanswered.contains("HTTP 429"), "{answer} {unanswered}");
}

/// The command line takes about a second of CPU for each question, and a small instance has its service to run.
#[test]
fn the_kit_asks_every_second_only_where_that_costs_little() {
    let (greenlight, endpoint) = Greenlight::start();
    let pause = |status| {
        *greenlight.trouble.lock().unwrap() = Some((status, false));
        let by_curl = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "ASIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        ask_of(&repository().join("instance"), "demo-lifecycle", &by_curl).pause
    };
    assert_eq!((pause(200).as_str(), pause(429).as_str(), pause(403).as_str()), ("1", "1", "5"));
    assert_eq!(ask_of(&repository().join("instance"), "demo-lifecycle", &[]).pause, "5");
}

#[test]
fn a_function_that_was_refused_something_itself_is_asked_no_other_way() {
    let (greenlight, endpoint) = Greenlight::start();
    *greenlight.trouble.lock().unwrap() = Some((200, true));
    let (answer, unanswered) = ask_with(&[
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "ASIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("OUTCOME", "answer"),
    ]);
    assert!(
        answer.is_empty() && unanswered.starts_with("the call failed (HTTP 200 Unhandled)"),
        "{unanswered}"
    );
    assert_eq!(*greenlight.asked.lock().unwrap(), [BY_HOOKS]);
}

/// The end of the address where curl asks, in small letters.
const BY_HOOKS: &str = "?qualifier=hooks";
const WITHOUT: &str = "";

#[test]
fn an_instance_asks_by_the_alias_that_it_may_invoke_before_and_after_the_stack_has_one() {
    let (greenlight, endpoint) = Greenlight::start();
    greenlight
        .answers
        .lock()
        .unwrap()
        .insert("ValidateService".to_owned(), r#"{"status":"wait"}"#.to_owned());
    let ask = |told: &str, refused: &[&'static str]| {
        *greenlight.refused.lock().unwrap() = refused.to_vec();
        let asked = ask_of(
            &repository().join("instance"),
            told,
            &[
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_ACCESS_KEY_ID", "ASIATEST"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("OUTCOME", "throttled"),
            ],
        );
        (std::mem::take(&mut *greenlight.asked.lock().unwrap()), asked)
    };
    for (told, refused, expected, named) in [
        // A stack with aliases, as user data tells it, and an instance that booted before it had them.
        ("demo-lifecycle:hooks", WITHOUT, &[BY_HOOKS][..], "demo-lifecycle:hooks"),
        ("demo-lifecycle", WITHOUT, &[BY_HOOKS][..], "demo-lifecycle:hooks"),
        // A stack without: this kit came first, or the stack went back to before.
        ("demo-lifecycle", BY_HOOKS, &[BY_HOOKS, WITHOUT][..], "demo-lifecycle"),
        ("demo-lifecycle:hooks", BY_HOOKS, &[BY_HOOKS, WITHOUT][..], "demo-lifecycle"),
    ] {
        let (by, asked) = ask(told, &[refused]);
        assert_eq!(by, expected, "{told}: {}", asked.unanswered);
        assert_eq!(asked.named, named, "what an older kit on this instance is told from now on");
    }
    let (by, asked) = ask("demo-lifecycle:hooks", &[BY_HOOKS, WITHOUT]);
    assert_eq!((by.len(), asked.named.as_str()), (2, "demo-lifecycle:hooks"));
    assert!(
        asked.unanswered.contains("TooManyRequests"),
        "the command line is asked too: {}",
        asked.unanswered
    );
}

#[test]
fn the_command_line_is_told_the_alias_by_this_kit_and_by_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let archive = repository().join("tests/kits/1.tar.gz");
    let unpacked =
        Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.path()).status().unwrap();
    assert!(unpacked.success());
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:demo-lifecycle";
    let (arn_of_hooks, by_arn) =
        (format!("{arn}:hooks"), format!("--function-name {arn} --qualifier hooks "));
    for (kit, told, words) in [
        (repository(), "demo-lifecycle:hooks", "--function-name demo-lifecycle --qualifier hooks "),
        (repository(), arn_of_hooks.as_str(), by_arn.as_str()),
        (repository(), arn, by_arn.as_str()),
        (folder.path().to_owned(), "demo-lifecycle:hooks", "--function-name demo-lifecycle:hooks "),
    ] {
        let file = folder.path().join("asked");
        fs::write(&file, "").unwrap();
        let told_to = file.display().to_string();
        let variables = [
            ("ASKED", told_to.as_str()),
            ("OUTCOME", "answer"),
            ("AWS_ACCESS_KEY_ID", "ASIATEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            // Whoever asks by curl hears nothing.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ];
        // Without credentials of its own the kit of today asks no curl either.
        let variables = if kit == repository() { &variables[..2] } else { &variables[..] };
        let asked = ask_of(&kit.join("instance"), told, variables);
        assert!(asked.answer.contains("ValidateService"), "{told}: {}", asked.unanswered);
        let said = fs::read_to_string(&file).unwrap();
        assert!(said.contains(words), "{said}");
    }
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

/// What the functions of the first landing read and answered.
fn first_functions() -> Value {
    serde_json::from_str(include_str!("../../../../tests/kits/first-functions.json")).unwrap()
}

/// Both ends of a release. The old functions get what they need, whatever else today's kit tells them.
#[tokio::test(flavor = "multi_thread")]
async fn functions_of_the_first_landing_lead_todays_kit_through_a_release() {
    let test = "kit::functions_of_the_first_landing_lead_todays_kit_through_a_release";
    let Some(kit) = Kit::new(test, Runtime::Process, 210) else { return };
    let old = first_functions();
    *kit.greenlight.refused.lock().unwrap() = vec![BY_HOOKS];
    kit.live("one", "blue", 141).await;
    for (version, ends) in [("two", "failed"), ("three", "succeeded")] {
        kit.answer("BeforeInstall", &old["beforeInstall"].to_string());
        kit.answer("ValidateService", &old["waits"][0].to_string());
        let app = kit.app(version);
        fs::write(app.join("smoke.txt"), format!("/healthz 200 {version} on green\n")).unwrap();
        let deployment = kit.deploy(&app).await;
        kit.validating(&deployment).await;
        for wait in old["waits"].as_array().unwrap() {
            kit.answer("ValidateService", &wait.to_string());
            kit.hearing(&deployment).await;
        }
        let questions = kit.questions_of(&deployment);
        for question in &questions {
            let needs = old["reads"]["needs"].as_array().unwrap();
            assert!(needs.iter().all(|name| question[name.as_str().unwrap()].is_string()), "{question}");
        }
        let more = |name: &str| questions.iter().all(|question| !question[name].is_null());
        assert!(more("smoke") && more("counts"), "today's kit tells what they ignore: {questions:?}");
        kit.answer("ValidateService", &old[ends].to_string());
        let ended = kit.scene.finished(&deployment).await;
        if ends == "succeeded" {
            assert_eq!(ended, "Succeeded");
            assert!(kit.serves(8081, "three on green"));
        } else {
            assert_eq!(ended, "Failed");
            let said = kit.message(&deployment, 1, "ValidateService").await;
            assert!(said.contains("took release 142 back: alarm backend-green-errors fired"), "{said}");
            assert!(kit.is_down(8081));
        }
        assert!(kit.serves(8080, "one on blue"));
    }
}
