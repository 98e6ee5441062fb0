//! What fails on an instance, in each way in which a version runs: the release ends with its reason, and the live colour
//! is not touched.

use std::{fs, net::TcpListener, path::Path, process::Command, time::Duration};

use crate::{
    kit_scene::{Kit, Runtime},
    support::{id, until},
};

/// What CodeDeploy keeps of a hook's output (agent 1.8.1, `hook_executor.rb`).
const KEPT: usize = 2048;

/// One is live on blue, and another waits on green for a way back.
async fn two_colours(kit: &Kit) {
    kit.live("one", "blue", 1).await;
    kit.live("two", "green", 2).await;
    assert!(kit.serves(8080, "one on blue") && kit.serves(8081, "two on green"));
}

/// A release to green that fails in an event, with these words in its last line.
async fn fails(kit: &Kit, app: &Path, event: &str, words: &str) {
    kit.to_colour("green", 3);
    kit.answer("ValidateService", r#"{"status":"succeeded"}"#);
    let deployment = kit.deploy(app).await;
    assert_eq!(kit.scene.finished(&deployment).await, "Failed", "{words}");
    let diagnostics = kit.scene.event(&deployment, 1, event).await["diagnostics"].clone();
    let log = diagnostics["logTail"].as_str().unwrap();
    assert!(log.len() < KEPT, "{} bytes: {log}", log.len());
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("[stdout]FAILED: ") && last.contains(words), "{words}: {log}");
    assert!(kit.serves(8080, "one on blue"), "{words}: the live colour was touched");
}

/// What fails before anything was touched leaves the previous version for a way back.
async fn untouched(kit: &Kit, app: &Path, event: &str, words: &str) {
    fails(kit, app, event, words).await;
    assert!(kit.serves(8081, "two on green"), "{words}: the previous version was touched");
}

/// What fails later takes its candidate down: nothing old may answer as if it were new.
async fn taken_down(kit: &Kit, app: &Path, event: &str, words: &str) {
    fails(kit, app, event, words).await;
    assert!(kit.is_down(8081), "{words}: something answers on green");
}

/// What runs on green does not find a file of the version that was to replace it.
fn reads_its_own_files(kit: &Kit, file: &str) {
    let found = |n| kit.scene.read(n, &format!("opt/greenlight/backend/green/{file}"));
    assert_eq!([1, 2].map(found), [None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_container_that_fails_ends_the_release_with_its_words() {
    let test = "kit_failures::every_step_of_a_container_that_fails_ends_the_release_with_its_words";
    let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 181) else { return };
    two_colours(&kit).await;
    let app = kit.app("three");

    kit.docker_faults("info: Cannot connect to the Docker daemon");
    untouched(&kit, &app, "ApplicationStart", "the Docker daemon does not answer").await;
    kit.docker_faults("config: yaml: line 2: did not find expected key");
    untouched(&kit, &app, "ApplicationStart", "Compose cannot read compose.yaml: Error response").await;
    kit.docker_faults("down: permission denied");
    fs::write(app.join("new"), "three").unwrap();
    let words =
        "the version that ran on green could not be stopped: the containers could not be stopped: Error";
    fails(&kit, &app, "ApplicationStart", words).await;
    // It runs on, and comes back after a reboot.
    reads_its_own_files(&kit, "new");
    assert!(kit.scene.read(1, "opt/greenlight/backend/run/green.kit/hooks/resume.sh").is_some());

    for (faults, words) in [
        (
            "load: write /layer.tar: no space left on device",
            "image.tar could not be loaded: Error response from daemon: write /layer.tar: no space left",
        ),
        (
            "create: no such network",
            "the containers could not be made: Error response from daemon: no such network",
        ),
        (
            "start: address already in use",
            "the containers could not be started: Error response from daemon: address already",
        ),
        ("old-image: yes", "and the container has sha256:old"),
    ] {
        kit.docker_faults(faults);
        taken_down(&kit, &app, "ApplicationStart", words).await;
    }
    kit.docker_faults("");

    // A name that is not in image.tar may be on the disk, and be the version before.
    let other = kit.app("four");
    let file = fs::read_to_string(other.join("compose.yaml")).unwrap();
    fs::write(other.join("compose.yaml"), file.replace("backend:latest", "backend:four")).unwrap();
    taken_down(
        &kit,
        &other,
        "ApplicationStart",
        "demo/backend:four is not in image.tar and could not be pulled",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_image_starts_nothing() {
    for (runtime, net) in [(Runtime::StubbedDocker, 182), (Runtime::Docker, 183)] {
        let Some(kit) = Kit::new("kit_failures::half_an_image_starts_nothing", runtime, net) else {
            continue;
        };
        two_colours(&kit).await;
        let app = kit.app("half");
        let image = fs::read(app.join("image.tar")).unwrap();
        fs::write(app.join("image.tar"), &image[..image.len() / 2]).unwrap();
        taken_down(&kit, &app, "ApplicationStart", "image.tar could not be loaded: ").await;

        // The same tag, and no image: neither may stand for the version before.
        fs::remove_file(app.join("image.tar")).unwrap();
        let words = "demo/backend:latest is not in image.tar and could not be pulled";
        taken_down(&kit, &app, "ApplicationStart", words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    for (runtime, net) in [(Runtime::Process, 184), (Runtime::StubbedDocker, 185)] {
        let Some(kit) = Kit::new("kit_failures::a_taken_port_is_named", runtime, net) else { return };
        kit.live("one", "blue", 1).await;
        let squatters = [1, 2].map(|n| TcpListener::bind((kit.address(n), 3001)).unwrap());
        fails(&kit, &kit.app("two"), "ApplicationStart", "port 3001 on 127.0").await;
        drop(squatters);
        kit.live("three", "green", 3).await;
        assert!(kit.serves(8081, "three on green"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_tells_how_it_runs_and_a_service_may_change_it() {
    let test = "kit_failures::a_bundle_tells_how_it_runs_and_a_service_may_change_it";
    let Some(mut kit) = Kit::new(test, Runtime::StubbedDocker, 186) else { return };
    two_colours(&kit).await;
    kit.runs_as(Runtime::Process);
    kit.live("three", "green", 3).await;
    assert!(kit.serves(8081, "three on green") && kit.serves(8080, "one on blue"));
    kit.runs_as(Runtime::StubbedDocker);
    kit.live("four", "green", 4).await;
    assert!(kit.serves(8081, "four on green") && kit.serves(8080, "one on blue"));

    let empty = kit.app("five");
    fs::rename(empty.join("compose.yaml"), empty.join("composed.yaml")).unwrap();
    fs::write(empty.join("start.sh.txt"), "").unwrap();
    let refused = Kit::pack(&empty);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("holds none of"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_ended_half_way_leaves_nothing_behind() {
    let test = "kit_failures::a_hook_that_is_ended_half_way_leaves_nothing_behind";
    let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 187) else { return };
    two_colours(&kit).await;
    let deployment = kit.slow("load").await;
    for n in 1..=2 {
        assert!(kit.scene.fleet.restart_agent(&id(n)));
    }
    assert_eq!(kit.scene.finished(&deployment).await, "Failed");
    until("green is given up", || async {
        (1..=2).all(|n| kit.scene.read(n, "opt/greenlight/backend/run/green.deployment").is_none())
    })
    .await;
    assert!(kit.is_down(8081) && kit.serves(8080, "one on blue"));
    let load = format!("load --quiet --input {}", kit.scene.folder.path().display());
    let left = Command::new("pgrep").args(["--full", &load]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "it still loads the image");

    // Nothing of it is in the way of the next one, nor of the same one again.
    kit.docker_faults("");
    kit.live("three", "green", 4).await;
    assert!(kit.serves(8081, "three on green") && kit.serves(8080, "one on blue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_the_release_before_anything_is_touched() {
    let test = "kit_failures::a_full_disk_refuses_the_release_before_anything_is_touched";
    for (runtime, net) in [(Runtime::Process, 188), (Runtime::StubbedDocker, 189), (Runtime::Docker, 198)] {
        let Some(kit) = Kit::new(test, runtime, net) else { continue };
        let Some(_disks) = kit.small_disks(test, "opt/greenlight") else { return };
        two_colours(&kit).await;
        let app = kit.app("large");
        fs::write(app.join("film"), vec![7; 60 << 20]).unwrap();
        untouched(&kit, &app, "BeforeInstall", "MiB free, and the release needs ").await;
        kit.live("three", "green", 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dockers_full_disk_refuses_an_image_before_anything_is_touched() {
    let test = "kit_failures::dockers_full_disk_refuses_an_image_before_anything_is_touched";
    let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 199) else { return };
    let Some(_disks) = kit.small_disks(test, "var/lib/docker") else { return };
    two_colours(&kit).await;
    let app = kit.app("large");
    fs::write(app.join("image.tar"), vec![7; 70 << 20]).unwrap();
    let words = "var/lib/docker has 160 MiB free, and the image needs 1";
    untouched(&kit, &app, "BeforeInstall", words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_eats_all_memory_is_ended_before_the_live_one() {
    let test = "kit_failures::a_version_that_eats_all_memory_is_ended_before_the_live_one";
    for (runtime, net) in [(Runtime::StubbedDocker, 200), (Runtime::Docker, 194)] {
        let Some(kit) = Kit::with(test, runtime, net, "GREENLIGHT_MEMORY_MIB=64\n") else { continue };
        kit.live("one", "blue", 1).await;
        let docker = |words: &[&str]| {
            let said = kit.run(1, "docker", words, &[]);
            String::from_utf8_lossy(&said.stdout).trim().to_owned()
        };
        let container = docker(&[
            "ps",
            "--quiet",
            "--filter",
            "label=com.docker.compose.project=greenlight-backend-blue",
        ]);
        assert_eq!(docker(&["inspect", "--format", "{{.HostConfig.Memory}}", &container]), "67108864");
        let app = kit.app("greedy");
        fails(&kit, &app, "ValidateService", "has ended by itself before it was healthy").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_for_another_processor_is_refused() {
    let test = "kit_failures::what_was_built_for_another_processor_is_refused";
    for (runtime, net) in [(Runtime::StubbedDocker, 201), (Runtime::Docker, 202)] {
        let Some(kit) = Kit::new(test, runtime, net) else { continue };
        two_colours(&kit).await;
        let app = kit.app("three");
        let manifest = app.with_extension("json");
        fs::write(&manifest, r#"{"number":3,"architecture":"s390x"}"#).unwrap();
        untouched(&kit, &app, "BeforeInstall", "the bundle was packed for s390x, and this instance is ")
            .await;
        // What it says of itself is right, and the image in it is another's.
        let here = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        fs::write(&manifest, format!(r#"{{"number":3,"architecture":"{here}"}}"#)).unwrap();
        Kit::image(&app, "three", &["s390x"]);
        let words = "demo/backend:latest was built for s390x, and this instance is a";
        taken_down(&kit, &app, "ApplicationStart", words).await;
        kit.live("three", "green", 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_brings_back_the_processes_that_ran() {
    let test = "kit_failures::a_reboot_brings_back_the_processes_that_ran";
    if let Some(kit) = Kit::new(test, Runtime::Process, 190) {
        comes_back(kit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_brings_back_the_stubbed_containers_that_ran() {
    let test = "kit_failures::a_reboot_brings_back_the_stubbed_containers_that_ran";
    if let Some(kit) = Kit::new(test, Runtime::StubbedDocker, 191) {
        comes_back(kit).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_brings_back_the_containers_that_ran() {
    let test = "kit_failures::a_reboot_brings_back_the_containers_that_ran";
    if let Some(kit) = Kit::new(test, Runtime::Docker, 192) {
        comes_back(kit).await;
    }
}

async fn comes_back(mut kit: Kit) {
    two_colours(&kit).await;
    kit.reboot();
    until("both colours are back", || async {
        kit.serves(8080, "one on blue") && kit.serves(8081, "two on green")
    })
    .await;

    // A release that was open when the power went is lost, and in nobody's way.
    kit.to_colour("green", 3);
    let deployment = kit.release("three").await;
    kit.validating(&deployment).await;
    kit.reboot();
    assert_eq!(kit.scene.finished(&deployment).await, "Failed");
    until("the live colour is back", || async { kit.serves(8080, "one on blue") }).await;
    kit.live("four", "green", 4).await;
    assert!(kit.serves(8081, "four on green"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_refused_before_its_start_is_not_started_by_a_reboot() {
    let test = "kit_failures::a_release_that_was_refused_before_its_start_is_not_started_by_a_reboot";
    for (runtime, net) in [(Runtime::Process, 195), (Runtime::StubbedDocker, 196)] {
        let Some(mut kit) = Kit::new(test, runtime, net) else { return };
        two_colours(&kit).await;
        let app = kit.app("three");
        fs::write(app.join("secrets"), "KEY\n").unwrap();
        untouched(&kit, &app, "ApplicationStart", "secrets has a line that is neither").await;
        reads_its_own_files(&kit, "secrets");
        kit.reboot();
        until("both colours are back", || async {
            kit.serves(8080, "one on blue") && kit.serves(8081, "two on green")
        })
        .await;
        kit.live("four", "green", 4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_before_a_start_brings_back_the_version_before() {
    let test = "kit_failures::a_reboot_before_a_start_brings_back_the_version_before";
    let Some(mut kit) = Kit::new(test, Runtime::StubbedDocker, 197) else { return };
    two_colours(&kit).await;
    fs::write(kit.app("three").join("film"), "").unwrap();
    let deployment = kit.slow("config").await;
    kit.reboot();
    assert_eq!(kit.scene.finished(&deployment).await, "Failed");
    until("both colours are back", || async {
        kit.serves(8080, "one on blue") && kit.serves(8081, "two on green")
    })
    .await;
    reads_its_own_files(&kit, "film");
    // An agent that goes on where it stood would start the version before, as if it were the release.
    let told = [("DEPLOYMENT_ID", deployment.as_str()), ("DEPLOYMENT_GROUP_ID", "group-id")];
    let said = kit.run(1, "bash", &["instance/hooks/application_start.sh"], &told);
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("was started again after AfterInstall"),
        "{said:?}"
    );
    assert!(kit.serves(8081, "two on green"));
    kit.docker_faults("");
    kit.live("four", "green", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_in_the_middle_of_a_start_does_not_bring_the_version_before_under_a_new_number() {
    let test = "kit_failures::a_reboot_in_the_middle_of_a_start_does_not_bring_the_version_before_under_a_new_number";
    let Some(mut kit) = Kit::new(test, Runtime::StubbedDocker, 193) else { return };
    two_colours(&kit).await;
    let deployment = kit.slow("load").await;
    kit.reboot();
    assert_eq!(kit.scene.finished(&deployment).await, "Failed");
    until("the live colour is back", || async { kit.serves(8080, "one on blue") }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(kit.is_down(8081), "green runs, and its release never did");
    kit.docker_faults("");
    kit.live("four", "green", 4).await;
    assert!(kit.serves(8081, "four on green"));
}
