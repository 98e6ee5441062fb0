//! What the agent does with a bundle, as the real one (1.8.1) does it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Scene, id, order, until, with_hook, zip};
use serde_json::json;

fn appspec(rest: &str) -> String {
    format!("version: 0.0\nos: linux\n{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_gets_the_agents_environment_and_the_deployments_variables_and_nothing_else() {
    let scene = Scene::new(1);
    let (deployment, _) =
        scene.deployed("7", with_hook("AfterInstall", 60, "env > $R/env; pwd > $R/pwd")).await;
    let env = scene.read(1, "env").unwrap();
    let names: std::collections::BTreeSet<&str> = env
        .lines()
        .filter_map(|line| line.split('=').next())
        .filter(|n| !matches!(*n, "_" | "PWD" | "SHLVL"))
        .collect();
    let expected = [
        "APPLICATION_NAME",
        "BUNDLE_BUCKET",
        "BUNDLE_ETAG",
        "BUNDLE_KEY",
        "BUNDLE_VERSION",
        "DEPLOYMENT_GROUP_ID",
        "DEPLOYMENT_GROUP_NAME",
        "DEPLOYMENT_ID",
        "GREENLIGHT_ROOT",
        "INSTANCE",
        "LIFECYCLE_EVENT",
        "PATH",
    ];
    assert_eq!(names, expected.into(), "{env}");
    for line in [
        format!("DEPLOYMENT_ID={deployment}"),
        "LIFECYCLE_EVENT=AfterInstall".into(),
        "DEPLOYMENT_GROUP_ID=group-id".into(),
        "BUNDLE_VERSION=7".into(),
        "BUNDLE_ETAG=tag-7".into(),
    ] {
        assert!(env.lines().any(|l| l == line), "{line} is not in {env}");
    }
    assert!(scene.read(1, "pwd").unwrap().trim_end().ends_with("opt/codedeploy-agent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_that_does_not_match_fails_the_download() {
    let scene = Scene::new(1);
    scene.upload("1", with_hook("BeforeInstall", 60, "true"));
    let mut body = order("1");
    body["revision"]["s3Location"]["eTag"] = json!("other");
    let created = scene.call("CreateDeployment", body).await.unwrap();
    let deployment = created["deploymentId"].as_str().unwrap();
    assert_eq!(scene.finished(deployment).await, "Failed");
    let message = scene.event(deployment, 1, "DownloadBundle").await["diagnostics"]["message"].clone();
    assert_eq!(message, "Expected deployment artifact bundle etag other but was actually \"tag-1\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_fails_the_download_with_s3s_words() {
    let scene = Scene::new(1);
    let created = scene.call("CreateDeployment", order("gone")).await.unwrap();
    let deployment = created["deploymentId"].as_str().unwrap();
    assert_eq!(scene.finished(deployment).await, "Failed");
    let diagnostics = scene.event(deployment, 1, "DownloadBundle").await["diagnostics"].clone();
    assert_eq!(diagnostics["message"], "The specified key does not exist.");
    assert_eq!(diagnostics["errorCode"], "UnknownError");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_top_folder_with_an_appspec_is_stripped() {
    let scene = Scene::new(1);
    let spec = appspec("files:\n  - source: /\n    destination: /srv/app\n");
    let bundle = zip(&[("repo-abc/appspec.yml", 0o644, &spec), ("repo-abc/bin/run", 0o755, "x")]);
    assert_eq!(scene.deployed("1", bundle).await.1, "Succeeded");
    assert_eq!(scene.read(1, "srv/app/bin/run").as_deref(), Some("x"));
    let mode = std::fs::metadata(scene.root(1).join("srv/app/bin/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[tokio::test(flavor = "multi_thread")]
async fn install_first_removes_what_the_previous_revision_laid_down() {
    let scene = Scene::new(1);
    let spec = appspec("files:\n  - source: /app\n    destination: /srv/app\n");
    let first = zip(&[("appspec.yml", 0o644, &spec), ("app/old", 0o644, "1"), ("app/deep/er", 0o644, "1")]);
    scene.deployed("1", first).await;
    std::fs::write(scene.root(1).join("srv/app/deep/kept"), "by hand").unwrap();
    let second = zip(&[("appspec.yml", 0o644, &spec), ("app/new", 0o644, "2")]);
    assert_eq!(scene.deployed("2", second).await.1, "Succeeded");
    assert_eq!(scene.read(1, "srv/app/old"), None);
    assert_eq!(scene.read(1, "srv/app/deep/er"), None);
    assert_eq!(scene.read(1, "srv/app/deep/kept").as_deref(), Some("by hand"));
    assert_eq!(scene.read(1, "srv/app/new").as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_deployed_is_kept_replaced_or_fatal_as_told() {
    for (behavior, expected, status) in [
        ("OVERWRITE", "ours", "Succeeded"),
        ("RETAIN", "theirs", "Succeeded"),
        ("DISALLOW", "theirs", "Failed"),
    ] {
        let scene = Scene::new(1);
        std::fs::create_dir_all(scene.root(1).join("srv/app")).unwrap();
        std::fs::write(scene.root(1).join("srv/app/file"), "theirs").unwrap();
        let rest = format!(
            "file_exists_behavior: {behavior}\nfiles:\n  - source: file\n    destination: /srv/app\n"
        );
        let bundle = zip(&[("appspec.yml", 0o644, &appspec(&rest)), ("file", 0o644, "ours")]);
        let (deployment, ended) = scene.deployed("1", bundle).await;
        assert_eq!((ended, scene.read(1, "srv/app/file").as_deref()), (status, Some(expected)), "{behavior}");
        if status == "Failed" {
            let message = scene.event(&deployment, 1, "Install").await["diagnostics"]["message"].clone();
            let text = message.as_str().unwrap().to_owned();
            assert!(
                text.starts_with("The deployment failed because a specified file already exists"),
                "{text}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions_apply_to_what_was_copied() {
    let scene = Scene::new(1);
    let rest = "files:\n  - source: /app\n    destination: /srv/app\npermissions:\n  - object: /srv/app\n    pattern: \"*.sh\"\n    mode: 700\n    type: [file]\n";
    let files = [
        ("appspec.yml", 0o644, appspec(rest)),
        ("app/a.sh", 0o644, String::new()),
        ("app/b", 0o644, String::new()),
    ];
    let files: Vec<(&str, u32, &str)> = files.iter().map(|(n, m, c)| (*n, *m, c.as_str())).collect();
    assert_eq!(scene.deployed("1", zip(&files)).await.1, "Succeeded");
    let mode = |name: &str| std::fs::metadata(scene.root(1).join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("srv/app/a.sh"), mode("srv/app/b")), (0o700, 0o644));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hook_names_fail_at_install() {
    let scene = Scene::new(1);
    let bundle = zip(&[("appspec.yml", 0o644, &appspec("hooks:\n  Afterinstall:\n    - location: a.sh\n"))]);
    let (deployment, status) = scene.deployed("1", bundle).await;
    assert_eq!(status, "Failed");
    let message = scene.event(&deployment, 1, "Install").await["diagnostics"]["message"].clone();
    assert_eq!(message, "appspec.yml file contains unknown lifecycle events: [\"Afterinstall\"]");
}

#[tokio::test(flavor = "multi_thread")]
async fn application_stop_runs_the_script_of_the_last_revision_that_passed_install() {
    let scene = Scene::new(1);
    let stop = |word: &str, start: &str| {
        let rest = "hooks:\n  ApplicationStop:\n    - location: stop.sh\n  ApplicationStart:\n    - location: start.sh\n";
        let stop = format!("#!/bin/sh\necho {word} >> $GREENLIGHT_ROOT/stops\n");
        let start = format!("#!/bin/sh\n{start}\n");
        zip(&[("appspec.yml", 0o644, &appspec(rest)), ("stop.sh", 0o755, &stop), ("start.sh", 0o755, &start)])
    };
    scene.deployed("1", stop("first", "true")).await;
    assert_eq!(scene.deployed("2", stop("second", "exit 1")).await.1, "Failed");
    scene.deployed("3", stop("third", "true")).await;
    assert_eq!(
        scene.read(1, "stops").as_deref(),
        Some("first\nsecond\n"),
        "the failed revision passed Install"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_application_stop_is_ignored_when_told_to() {
    let scene = Scene::new(1);
    scene.deployed("1", with_hook("ApplicationStop", 60, "exit 1")).await;
    let (deployment, status) = scene.deployed("2", with_hook("BeforeInstall", 60, "true")).await;
    assert_eq!(status, "Succeeded");
    assert_eq!(scene.event(&deployment, 1, "ApplicationStop").await["status"], "Failed");
    let mut body = order("1");
    scene.deployed("1", with_hook("ApplicationStop", 60, "exit 1")).await;
    body["ignoreApplicationStopFailures"] = json!(false);
    let created = scene.call("CreateDeployment", body).await.unwrap();
    assert_eq!(scene.finished(created["deploymentId"].as_str().unwrap()).await, "Failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_past_its_time_out_is_ended_with_its_whole_process_group() {
    let scene = Scene::new(1);
    // Bash would tell of the ended sleep before it runs the trap, and nobody reads its stderr any more.
    let script = "(trap 'echo ended > $R/child; exit' TERM; while :; do sleep 0.05; done) 2>/dev/null & wait";
    let (deployment, status) = scene.deployed("1", with_hook("BeforeInstall", 1, script)).await;
    assert_eq!(status, "Failed");
    let diagnostics = scene.event(&deployment, 1, "BeforeInstall").await["diagnostics"].clone();
    assert_eq!(diagnostics["errorCode"], "ScriptTimedOut");
    assert_eq!(
        diagnostics["message"],
        "Script at specified location: hook.sh failed to complete in 1 seconds"
    );
    until("the child was ended", || async { scene.read(1, "child").is_some() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_holds_stdout_fails_the_hook_at_its_time_out() {
    let scene = Scene::new(1);
    let (deployment, status) = scene.deployed("1", with_hook("BeforeInstall", 1, "sleep 3 & exit 0")).await;
    assert_eq!(status, "Failed");
    let message = scene.event(&deployment, 1, "BeforeInstall").await["diagnostics"]["message"].clone();
    assert_eq!(message, "Script at specified location: hook.sh failed to close STDOUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_without_a_shebang_runs_in_sh_and_without_x_is_made_executable() {
    let scene = Scene::new(1);
    let spec = appspec("hooks:\n  BeforeInstall:\n    - location: a.sh\n");
    let script = "for n in {1..3}; do echo $n >> $GREENLIGHT_ROOT/loop; done\n";
    let (_, status) =
        scene.deployed("1", zip(&[("appspec.yml", 0o644, &spec), ("a.sh", 0o644, script)])).await;
    assert_eq!(status, "Succeeded");
    let sh_is_bash = std::fs::canonicalize("/bin/sh").unwrap().ends_with("bash");
    let expected = if sh_is_bash { "1\n2\n3\n" } else { "{1..3}\n" };
    assert_eq!(scene.read(1, "loop").as_deref(), Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shebang_with_a_carriage_return_fails() {
    let scene = Scene::new(1);
    let spec = appspec("hooks:\n  BeforeInstall:\n    - location: a.sh\n");
    let bundle = zip(&[("appspec.yml", 0o644, &spec), ("a.sh", 0o755, "#!/bin/bash\r\ntrue\r\n")]);
    let (deployment, status) = scene.deployed("1", bundle).await;
    assert_eq!(status, "Failed");
    let message = scene.event(&deployment, 1, "BeforeInstall").await["diagnostics"]["message"].clone();
    let text = message.as_str().unwrap();
    assert!(
        text.contains("failed with error Errno::ENOENT with message No such file or directory"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_script_fails_with_its_path() {
    let scene = Scene::new(1);
    let spec = appspec("hooks:\n  BeforeInstall:\n    - location: a.sh --force\n");
    let bundle = zip(&[("appspec.yml", 0o644, &spec), ("a.sh", 0o755, "#!/bin/sh\n")]);
    let (deployment, _) = scene.deployed("1", bundle).await;
    let diagnostics = scene.event(&deployment, 1, "BeforeInstall").await["diagnostics"].clone();
    assert_eq!(diagnostics["errorCode"], "ScriptMissing");
    assert!(diagnostics["message"].as_str().unwrap().ends_with("deployment-archive/a.sh --force"));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_revisions_are_kept_on_disk() {
    let scene = Scene::new(1);
    for n in 1..=7 {
        scene.deployed(&n.to_string(), with_hook("BeforeInstall", 60, "true")).await;
    }
    let kept = scene.root(1).join("opt/codedeploy-agent/deployment-root/group-id");
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_no_zip_fails_the_download() {
    let scene = Scene::new(1);
    let (deployment, status) = scene.deployed("1", b"not a zip".to_vec()).await;
    assert_eq!(status, "Failed");
    let message = scene.event(&deployment, 1, "DownloadBundle").await["diagnostics"]["message"].clone();
    assert_eq!(message, "Zip end of central directory signature not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_log_and_the_notes_of_the_agent_lie_where_the_real_one_keeps_them() {
    let scene = Scene::new(1);
    let (deployment, _) = scene.deployed("1", with_hook("AfterInstall", 60, "echo out; echo err >&2")).await;
    let root = "opt/codedeploy-agent/deployment-root";
    let log = scene.read(1, &format!("{root}/group-id/{deployment}/logs/scripts.log")).unwrap();
    for part in ["LifecycleEvent - AfterInstall\n", "Script - hook.sh\n", "[stdout]out\n", "[stderr]err\n"] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    let notes = format!("{root}/deployment-instructions");
    for note in ["group-id-install.json", "group-id-cleanup"] {
        assert!(scene.read(1, &format!("{notes}/{note}")).unwrap().contains("srv/app/file"), "{note}");
    }
    for note in ["group-id_last_successful_install", "group-id_most_recent_install"] {
        assert!(scene.read(1, &format!("{notes}/{note}")).unwrap().ends_with(&deployment), "{note}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_takes_every_process_with_it() {
    let scene = Scene::new(2);
    let script = "setsid sleep 71.$INSTANCE </dev/null >/dev/null 2>&1 & echo $! > $R/pid";
    assert_eq!(scene.deployed("1", with_hook("ApplicationStart", 60, script)).await.1, "Succeeded");
    let alive = |n: usize| {
        let pid = scene.read(n, "pid").unwrap();
        let command = std::fs::read_to_string(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
        command.contains(&format!("71.{n}"))
    };
    until("both processes run", || async { alive(1) && alive(2) }).await;
    scene.fleet.kill_instance(&id(1));
    until("the process is gone", || async { !alive(1) }).await;
    assert!(alive(2), "another instance's process was killed");
    scene.fleet.kill_instance(&id(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_without_bound_is_waited_for_as_long_as_a_clock_goes() {
    let scene = Scene::new(1);
    let hook = "hooks:\n  AfterInstall:\n    - location: hook.sh\n      timeout: 99999999999999999999\n";
    let bundle = zip(&[("appspec.yml", 0o644, &appspec(hook)), ("hook.sh", 0o755, "#!/bin/sh\nexit 0\n")]);
    let (_, status) = scene.deployed("1", bundle).await;
    assert_eq!(status, "Succeeded");
}
