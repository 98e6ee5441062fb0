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

const TOLD: [(&str, &str); 5] = [
    ("GREENLIGHT_SERVICE", "backend"),
    ("GREENLIGHT_LIFECYCLE_FUNCTION", "demo-lifecycle"),
    ("AWS_REGION", "eu-west-1"),
    ("AGENT", "1"),
    ("COMPOSE_VERSION", "v2.29.7"),
];

#[test]
fn an_instance_boots_ready_and_the_agent_comes_last() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    let said = machine.boot(&TOLD);
    assert!(said.status.success(), "{said:?}");
    let calls = machine.calls();
    assert!(calls.contains("dnf install -y -q docker nginx unzip logrotate ruby3.2\n"), "{calls}");
    assert!(calls.contains("systemctl enable greenlight.service\n"), "{calls}");
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
    let told = TOLD.map(|(name, value)| if name == "AGENT" { (name, "2") } else { (name, value) });
    assert!(machine.boot(&told).status.success());
    let calls = machine.calls();
    assert!(calls.contains("/latestv2/install") && !calls.contains("ruby"), "{calls}");
}

#[test]
fn a_program_that_is_not_what_its_checksum_says_is_not_installed() {
    let machine = Machine::new(&["dnf", "systemctl", "nginx", "curl"]);
    let wrong = "0".repeat(64);
    for (name, value) in [("COMPOSE_SHA256", wrong.as_str()), ("PUBLISHED", wrong.as_str())] {
        let told: Vec<_> = TOLD.into_iter().chain([(name, value)]).collect();
        let said = machine.boot(&told);
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(!said.status.success() && text.contains("is not what its checksum 000"), "{text}");
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
    assert_eq!(machine.calls(), "", "nothing is done before all is known");
}
