//! What a version is told of its secrets.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use crate::{kit_scene::data, support::repository};

/// Writes the file of blue's variables, and prints what bash and Compose read in it.
const SCRIPT: &str = r#"
    source "$1/instance/hooks/release.sh"
    release=7
    write_app_environment blue || exit 1
    file=$(app_environment_file blue)
    ! docker compose version >/dev/null 2>&1 || compose_check blue || exit 1
    mv "$file.new" "$file"
    (export_app_environment blue; printf '%s\n' "${KEY-}")
    cd "$here/blue"
    ! docker compose version >/dev/null 2>&1 || GREENLIGHT_ENV_FILE=$file docker compose config --format json
"#;

fn written(folder: &Path, secrets: &str, secret: &str) -> Output {
    run(folder, SCRIPT, secrets, secret)
}

fn run(folder: &Path, script: &str, secrets: &str, secret: &str) -> Output {
    let colour = folder.join("opt/greenlight/backend/blue");
    fs::create_dir_all(&colour).unwrap();
    fs::create_dir_all(folder.join("opt/greenlight/backend/run")).unwrap();
    fs::create_dir_all(folder.join("etc/greenlight")).unwrap();
    let settings = "GREENLIGHT_SERVICE=backend\nGREENLIGHT_LIFECYCLE_FUNCTION=demo\nINSTANCE_ID=i-1\nAWS_REGION=eu-west-1\n\
                    environment=production\n";
    fs::write(folder.join("etc/greenlight/environment"), settings).unwrap();
    fs::write(colour.join("secrets"), secrets).unwrap();
    let compose = "services:\n  app:\n    image: a\n    env_file: [\"${GREENLIGHT_ENV_FILE}\"]\n";
    fs::write(colour.join("compose.yaml"), compose).unwrap();
    Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(repository())
        .env_clear()
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", data("").display()))
        .env("GREENLIGHT_ROOT", folder)
        .env("DEPLOYMENT_ID", "d-1")
        .env("DEPLOYMENT_GROUP_ID", "g")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SECRET", secret)
        .output()
        .unwrap()
}

#[test]
fn a_secret_reaches_the_version_as_it_is_and_only_root_can_read_it() {
    for secret in [
        "plain",
        r#"two words # "$HOME" \n ${x}"#,
        r#"it's "so" $HOME \ # done"#,
        r"ends in \",
        r#"ends'in "$x" \\\"#,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = written(folder.path(), "# the database\nKEY=ssm:/backend/key\n", secret);
        let text = String::from_utf8(output.stdout).unwrap();
        let (read, compose) = text.split_once('\n').unwrap_or((&text, ""));
        assert_eq!(read, secret, "by bash: {}", String::from_utf8_lossy(&output.stderr));
        if compose.is_empty() {
            skipped::because(
                "secrets::a_secret_reaches_the_version_as_it_is",
                "Docker has no plugin docker-compose",
            );
        } else {
            let compose: serde_json::Value = serde_json::from_str(compose).unwrap();
            let told = &compose["services"]["app"]["environment"];
            // Compose doubles a dollar in what it prints.
            assert_eq!(told["KEY"].as_str().map(|value| value.replace("$$", "$")).as_deref(), Some(secret));
            assert_eq!(told["GREENLIGHT_RELEASE"], "7");
        }
        let file = folder.path().join("opt/greenlight/backend/run/blue.env");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_member_of_a_secret_is_told_alone() {
    let folder = tempfile::tempdir().unwrap();
    for (secret, told) in [("hunter2", "hunter2"), (r"a\\n\u0026\/\tb", "a\\n&/\tb")] {
        let output = written(folder.path(), "KEY=secretsmanager:backend/database#password", secret);
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().next(), Some(told));
    }
}

#[test]
fn a_secret_may_be_what_the_command_line_says_of_nothing() {
    for secret in ["None", "null", r#"a "quoted" \ word"#] {
        let folder = tempfile::tempdir().unwrap();
        let output = written(folder.path(), "KEY=secretsmanager:plain\n", secret);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.lines().next(), Some(secret), "{output:?}");
    }
}

#[test]
fn a_secret_that_cannot_be_told_ends_the_release_with_its_name_and_without_its_value() {
    for (secrets, secret, words) in [
        (
            "KEY=ssm:/none\n",
            "x",
            "secret KEY could not be read from ssm:/none: An error occurred (ParameterNotFound)",
        ),
        (
            "KEY=/backend/key\n",
            "x",
            "secret KEY could not be read from /backend/key: a secret stands in ssm:NAME",
        ),
        ("KEY=ssm:/a\n", "hidden\nlines", "secret KEY has several lines"),
        ("KEY=secretsmanager:a#password\n", r"hidden\nlines", "secret KEY has several lines"),
        (
            "KEY=secretsmanager:a#password\n",
            r"hidden\x",
            "secret KEY could not be read from secretsmanager:a#password: password has an escape in it",
        ),
        (
            "KEY=secretsmanager:binary\n",
            "x",
            "secret KEY could not be read from secretsmanager:binary: it is binary",
        ),
        ("KEY=ssm:/a\n", r"hid`den\", "secret KEY has several lines, or one of ` and !"),
        ("KEY=ssm:/a\n", "hid'`den", "secret KEY has several lines, or one of ` and !"),
        ("not a name=ssm:/a\n", "x", "secrets has a line that is neither"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = written(folder.path(), secrets, secret);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains(words), "{words}: {text}");
        assert!(!text.contains("hid"), "{text}");
    }
}

#[test]
fn what_compose_cannot_read_of_a_secret_is_not_repeated() {
    let compose = Command::new("docker").args(["compose", "version"]).output();
    if !compose.is_ok_and(|answer| answer.status.success()) {
        skipped::because("secrets::what_compose_cannot_read", "Docker has no plugin docker-compose");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broken = r#"quoted() { printf "'%s" "$1"; }; write_app_environment blue || exit 1"#;
    let script = SCRIPT.replace("write_app_environment blue || exit 1", broken);
    assert_ne!(script, SCRIPT);
    let output = run(folder.path(), &script, "KEY=ssm:/a\nOTHER=ssm:/a\n", "hidden");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Compose cannot read") && !text.contains("hid"), "{text}");
}
