//! What user data runs at an instance's first boot, with stand-ins for what changes the machine.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::repository;

/// An instance before its first boot.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new(programs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/boot/program");
        for name in programs {
            symlink(&program, bin.join(name)).unwrap();
        }
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn boot(&self, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new("bash");
        command
            .arg(repository().join("instance/boot/greenlight.sh"))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display()))
            .env("CALLS", self.folder.path().join("calls"))
            .env("GREENLIGHT_ROOT", self.root())
            .envs(variables.iter().copied());
        command.output().unwrap()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }

    /// Every file with its mode and content.
    fn files(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).unwrap();
                    found.insert(path, (metadata.permissions().mode() & 0o777, content));
                }
            }
        }
        found
    }
}

/// With a Compose that only its publisher knows the checksum of.
const TOLD: [(&str, &str); 5] = [
    ("GREENLIGHT_SERVICE", "backend"),
    ("GREENLIGHT_LIFECYCLE_FUNCTION", "demo-lifecycle"),
    ("AWS_REGION", "eu-west-1"),
    ("AGENT", "1"),
    ("COMPOSE_VERSION", "v99.0.0"),
];

/// The same, with one of them told otherwise, or one more.
fn told<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    TOLD.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]).collect()
}

#[test]
fn an_instance_boots_ready_and_the_agent_comes_last() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    let said = machine.boot(&TOLD);
    assert!(said.status.success(), "{said:?}");
    let calls = machine.calls();
    assert!(calls.contains("dnf install -y -q docker nginx unzip logrotate ruby3.2\n"), "{calls}");
    assert!(calls.contains("systemctl enable greenlight.service\n"), "{calls}");
    assert!(!calls.contains("Docker starts without"), "{calls}");
    let agent = "agent from https://aws-codedeploy-eu-west-1.s3.eu-west-1.amazonaws.com/latest/install";
    assert_eq!(calls.lines().last(), Some(agent), "the agent installs as soon as it runs");

    let files = machine.files();
    let file = |name: &str| {
        let (mode, content) = &files[&machine.root().join(name)];
        (*mode, String::from_utf8_lossy(content).into_owned())
    };
    let settings =
        "AWS_REGION=eu-west-1\nGREENLIGHT_LIFECYCLE_FUNCTION=demo-lifecycle\nGREENLIGHT_SERVICE=backend\n";
    assert_eq!(file("etc/greenlight/environment"), (0o600, settings.to_owned()));
    assert!(file("etc/codedeploy-agent/conf/codedeployagent.yml").1.contains(":max_revisions: 2\n"));
    assert!(file("etc/docker/daemon.json").1.contains("max-size"));
    assert_eq!(file("usr/local/lib/docker/cli-plugins/docker-compose"), (0o755, "a program\n".to_owned()));
    let script = fs::read_to_string(repository().join("instance/boot/greenlight.sh")).unwrap();
    assert_eq!(file("usr/local/sbin/greenlight"), (0o755, script));

    // User data runs once, and a person may run it again.
    let again = machine.boot(&TOLD);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(machine.files(), files);
    assert_eq!(machine.calls().matches("docker-compose-linux-").count(), 3, "the program is fetched once");
}

#[test]
fn agent_2_needs_no_ruby_and_has_an_installer_of_its_own() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    assert!(machine.boot(&told("AGENT", "2")).status.success());
    let calls = machine.calls();
    assert!(calls.contains("/latestv2/install") && !calls.contains("ruby"), "{calls}");
}

#[test]
fn ubuntus_docker_starts_with_its_packages_and_has_its_limits_before() {
    let machine = Machine::new(&["apt-get", "systemctl", "nginx", "curl"]);
    let said = machine.boot(&TOLD);
    assert!(said.status.success(), "{said:?}");
    let calls = machine.calls();
    assert!(calls.contains("apt-get install -y -qq docker.io nginx unzip curl logrotate ruby\n"), "{calls}");
    assert!(!calls.contains("Docker starts without"), "{calls}");
}

#[test]
fn an_agent_that_was_started_with_another_configuration_is_started_again_with_ours() {
    for brought in [":max_revisions: 5", ":wait_between_runs: 1"] {
        let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
        let said = machine.boot(&told("BRINGS", brought));
        assert!(said.status.success(), "{said:?}");
        assert_eq!(machine.calls().lines().last(), Some("systemctl restart codedeploy-agent"), "{brought}");
        let file = machine.root().join("etc/codedeploy-agent/conf/codedeployagent.yml");
        let text = fs::read_to_string(file).unwrap();
        assert_eq!(text.matches("max_revisions").count(), 1, "{text}");
        assert!(text.contains(":verbose: false\n") && text.contains(":max_revisions: 2\n"), "{text}");
    }
}

#[test]
fn hooks_hear_the_domain_of_the_region() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    assert!(machine.boot(&told("AWS_URL_SUFFIX", "amazonaws.com.cn")).status.success());
    let settings = fs::read_to_string(machine.root().join("etc/greenlight/environment")).unwrap();
    assert!(settings.contains("AWS_URL_SUFFIX=amazonaws.com.cn\n"), "{settings}");
}

#[test]
fn a_program_that_is_not_what_its_checksum_says_is_not_installed() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    let wrong = "0".repeat(64);
    // What the template installs is known to the script, which asks nobody about it.
    let template = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let (_, version) = template.split_once("  ComposeVersion:\n    Type: String\n    Default: ").unwrap();
    let ours = version.lines().next().unwrap();
    for (name, value) in
        [("COMPOSE_SHA256", wrong.as_str()), ("PUBLISHED", wrong.as_str()), ("COMPOSE_VERSION", ours)]
    {
        let asked = || machine.calls().matches(".sha256\n").count();
        let before = asked();
        let said = machine.boot(&told(name, value));
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(!said.status.success() && text.contains("is not what its checksum "), "{text}");
        assert_eq!(asked() - before, usize::from(name == "PUBLISHED"));
        assert!(!machine.root().join("usr/local/lib/docker/cli-plugins/docker-compose").exists());
        assert!(!machine.calls().contains("agent from"), "an instance that is not ready takes no release");
    }
}

#[test]
fn what_user_data_has_forgotten_is_named() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    let said = machine.boot(&TOLD[1..]);
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(!said.status.success() && text.contains("GREENLIGHT_SERVICE is not set"), "{text}");
    let said = machine.boot(&told("AGENT", "3"));
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(!said.status.success() && text.contains("AGENT is '3', and not 1 or 2"), "{text}");
    assert_eq!(machine.calls(), "", "nothing is done before all is known");
}
