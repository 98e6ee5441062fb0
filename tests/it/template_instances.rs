//! The machines of a service: what they are launched as, and what their user data does when a step of it fails.

use crate::template::{Template, root, text};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn launched(service: &str) -> Value {
    let launch = Template::read().nested(service).resource("LaunchTemplate").properties();
    launch["LaunchTemplateData"].clone()
}

/// An instance has nothing else at its first boot, so user data holds the kit's script whole.
#[test]
fn an_instance_boots_with_the_script_of_the_kit() {
    let script = std::fs::read_to_string(root().join("instance/boot/greenlight.sh")).unwrap();
    for (service, id) in crate::template::SERVICES {
        let launched = launched(id);
        let user_data = text(&launched["UserData"]);
        assert!(user_data.contains(&script), "{service}: infra/service.yaml has another script");
        // EC2 user guide, "Run commands when you launch an EC2 instance": 16 KB before they are encoded.
        assert!(user_data.len() <= 16 * 1024, "{service}: {} bytes of user data", user_data.len());
    }
}

/// By its role it reads the database's password and writes images.
#[test]
fn the_backends_containers_reach_its_role() {
    assert_eq!(launched("Backend")["MetadataOptions"]["HttpPutResponseHopLimit"], json!(2));
}

#[test]
fn a_disk_is_encrypted_and_containers_reach_a_role_with_rights_for_them_only() {
    let launched = launched("Frontend");
    let disk = &launched["BlockDeviceMappings"][0];
    assert_eq!(disk["DeviceName"], json!("/dev/xvda"), "where Amazon Linux has its root");
    assert_eq!(disk["Ebs"], json!({ "VolumeType": "gp3", "VolumeSize": "20", "Encrypted": true }));
    let metadata = json!({ "HttpTokens": "required", "HttpPutResponseHopLimit": 1 });
    assert_eq!(launched["MetadataOptions"], metadata);
    let own = Template::read().nested("Frontend");
    let launch = own.resource("LaunchTemplate").raw()["Properties"]["LaunchTemplateData"].clone();
    let hops = &launch["MetadataOptions"]["HttpPutResponseHopLimit"];
    assert_eq!(hops, &json!({ "Fn::If": ["ContainersReach", 2, 1] }));
    let policies = own.resource("InstanceRole").raw()["Properties"]["ManagedPolicyArns"].clone();
    let more = json!({ "Fn::If": ["MorePolicies", { "Ref": "PolicyArns" }, { "Ref": "AWS::NoValue" }] });
    assert_eq!(policies, more);
    assert_eq!(launched["NetworkInterfaces"][0]["AssociatePublicIpAddress"], json!("true"));
}

/// CloudFormation waits for as many signals as instances are launched.
#[test]
fn a_stack_is_made_only_when_its_instances_say_so() {
    let group = Template::read().nested("Frontend").resource("AutoScalingGroup");
    let policy = Template::read().nested("Frontend").resolve(&group.raw()["CreationPolicy"]);
    assert_eq!(policy["ResourceSignal"]["Count"], group.properties()["DesiredCapacity"]);
}

/// A root of its own for a run of user data, with programs that do nothing but those that are told to fail.
struct Machine {
    root: PathBuf,
}

/// What user data runs that no test machine has, or must not be told.
const PROGRAMS: [&str; 5] = ["bin/dnf", "bin/systemctl", "bin/hostname", "bin/nginx", "bin/sleep"];
const LOG_AGENT: &str = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl";
const SIGNAL: &str = "opt/aws/bin/cfn-signal";
const CURL: &str = "bin/curl";

/// Leaves an empty file.
const DOWNLOADS: &str = r#"
for word in "$@"; do
    [ "$before" != -o ] || : >"$word"
    before=$word
done"#;
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Machine {
    fn new(name: &str) -> Self {
        let root = root().join("target/user-data").join(name);
        // There is none at first.
        let _gone = std::fs::remove_dir_all(&root);
        let machine = Self { root };
        for folder in ["etc", "tmp", "opt/aws/amazon-cloudwatch-agent/etc"] {
            std::fs::create_dir_all(machine.root.join(folder)).unwrap();
        }
        for program in PROGRAMS.into_iter().chain([LOG_AGENT]) {
            machine.install(program, "exit 0");
        }
        machine.install(CURL, DOWNLOADS);
        machine.install(SIGNAL, "echo \"$*\" >> \"$(dirname \"$0\")/signals\"");
        machine
    }

    fn install(&self, program: &str, does: &str) {
        let path = self.root.join(program);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the user data; whether it ended well, and what CloudFormation was told.
    #[expect(clippy::disallowed_methods, reason = "what is played stands before what is there")]
    fn boot(&self) -> (bool, Vec<String>) {
        let launched = launched("Frontend");
        let mut script = text(&launched["UserData"]).to_owned();
        for folder in ["/opt/", "/tmp/"] {
            for before in [" ", ":", "=", "\n"] {
                let inside = format!("{before}{}{folder}", self.root.display());
                script = script.replace(&format!("{before}{folder}"), &inside);
            }
        }
        let path = format!("{}:{}", self.root.join("bin").display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).env("PATH", path).env("GREENLIGHT_ROOT", &self.root);
        bash.env("COMPOSE_SHA256", EMPTY_SHA256);
        let ran = bash.output().unwrap();
        let told = std::fs::read_to_string(self.root.join(Path::new(SIGNAL).with_file_name("signals")));
        let told = told.unwrap_or_default().lines().map(ToOwned::to_owned).collect();
        (ran.status.success(), told)
    }
}

#[test]
fn user_data_that_ends_well_says_so_once() {
    let machine = Machine::new("well");
    let (well, told) = machine.boot();
    assert!(well, "{told:?}");
    let stack = "--stack shop-Frontend-1ABCDEFGHIJKL --resource AutoScalingGroup --region eu-west-1";
    assert_eq!(told, [format!("{stack} --success true")]);

    let read = |file: &str| std::fs::read_to_string(machine.root.join(file)).unwrap();
    let logs: Value =
        serde_json::from_str(&read("opt/aws/amazon-cloudwatch-agent/etc/greenlight.json")).unwrap();
    for file in logs["logs"]["logs_collected"]["files"]["collect_list"].as_array().unwrap() {
        assert_eq!(file["log_group_name"], json!("/greenlight/shop/frontend"));
    }
    let settings = read("etc/greenlight/environment");
    for line in [
        "GREENLIGHT_SERVICE=frontend",
        "GREENLIGHT_LIFECYCLE_FUNCTION=shop-lifecycle:hooks",
        "AWS_REGION=eu-west-1",
    ] {
        assert!(settings.lines().any(|known| known == line), "{line} is missing: {settings}");
    }
    assert!(
        read("etc/systemd/system/greenlight.service").contains("greenlight resume"),
        "nothing comes after a reboot"
    );
}

#[test]
fn user_data_that_fails_anywhere_says_where_and_never_that_it_ended_well() {
    for program in ["bin/dnf", CURL, "bin/systemctl", "bin/nginx", LOG_AGENT] {
        let machine = Machine::new("fails");
        machine.install(program, "exit 7");
        let (well, told) = machine.boot();
        assert!(!well, "{program} failed, and user data went on");
        let [told] = &told[..] else { panic!("{program}: one signal was expected, not {told:?}") };
        let command = Path::new(program).file_name().unwrap().to_str().unwrap();
        assert!(told.contains("--success false --reason "), "{told}");
        assert!(told.contains(" of the user data: ") && told.contains(command), "{program}: {told}");
    }
}

/// Once the stack stands, CloudFormation refuses every signal.
#[test]
fn a_signal_that_nobody_waits_for_is_no_failure() {
    let machine = Machine::new("later");
    machine.install(SIGNAL, "exit 1");
    assert!(machine.boot().0);
}
