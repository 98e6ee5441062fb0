//! `appspec.yml` as the CodeDeploy agent 2.x reads it, the rewrite in Rust.
//!
//! Types first, in the order of the file, then the agent's own checks in theirs; the sentences are those of 1.x where
//! there is one. Read in the agent's source (github.com/aws/aws-codedeploy-agent, `src/application_specification`).

mod permissions;
mod reading;
mod refusal;

pub use refusal::Refusal;

use crate::file_exists_behavior::FileExistsBehavior;
use crate::sentences;
use crate::tree::{self, Node, Place, Rest};
use permissions::RawPermission;
use reading::{Anchors, Item, Misshapen};

/// Whether the agent takes a file's bytes.
///
/// # Errors
/// What the agent says.
pub fn judge(bytes: &[u8]) -> Result<(), Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Refusal::because("of an IO error: stream did not contain valid UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Refusal::because(sentences::empty()));
    }
    let document = tree::read(text).map_err(|error| {
        let Place { line, column } = error.place;
        Refusal::yaml(format!("{} at line {line} column {column}", error.detail))
    })?;
    if document.root.is_some() && document.rest != Rest::Nothing && !text.starts_with('\u{feff}') {
        return Err(Refusal::yaml(
            "deserializing from YAML containing more than one document is not supported",
        ));
    }
    let root = document.root.unwrap_or_else(|| nothing_at_the_end_of(text));
    let anchors = Anchors::of(&root);
    RawAppSpec::read(&anchors.root(&root)?)?.check()
}

/// Whether a scalar without quotes is a time-out to the agent.
pub(crate) fn is_timeout(plain: &str) -> bool {
    reading::unsigned(plain).is_some_and(|seconds| seconds > 0 && u32::try_from(seconds).is_ok())
}

/// Whether a scalar without quotes is the version that the agent wants: anything as near to zero as this is zero to it.
pub(crate) fn is_version(plain: &str) -> bool {
    reading::float(plain).is_some_and(|version| version.abs() < f64::EPSILON)
}

/// What stands in for the root of a file with nothing but comments.
fn nothing_at_the_end_of(text: &str) -> Node {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let place = Place { line: text.split('\n').count(), column: last_line.chars().count() + 1 };
    Node::nothing(place)
}

/// The file by its types.
struct RawAppSpec {
    version: f64,
    os: String,
    hooks: Vec<(String, Vec<RawScript>)>,
    files: Vec<RawFileMapping>,
    permissions: Vec<RawPermission>,
    file_exists_behavior: Option<String>,
}

impl RawAppSpec {
    fn read(root: &Item<'_, '_>) -> Result<Self, Misshapen> {
        const FIELDS: [&str; 6] = ["version", "os", "hooks", "files", "permissions", "file_exists_behavior"];
        let (mut version, mut os, mut file_exists_behavior) = (None, None, None);
        let (mut hooks, mut files, mut permissions) = (Vec::new(), Vec::new(), Vec::new());
        root.clone().fields("RawAppSpec", &FIELDS, |field, item| {
            match field {
                "version" => version = Some(item.float()?),
                "os" => os = Some(item.text()?),
                "hooks" => hooks = item.map(|hook| Ok(hook.optional(scripts)?.unwrap_or_default()))?,
                "files" => files = item.list(RawFileMapping::read)?,
                "permissions" => permissions = item.list(RawPermission::read)?,
                _ => file_exists_behavior = item.optional(Item::text)?,
            }
            Ok(())
        })?;
        let version = version.ok_or_else(|| root.missing("version"))?;
        let os = os.ok_or_else(|| root.missing("os"))?;
        Ok(Self { version, os, hooks, files, permissions, file_exists_behavior })
    }

    fn check(self) -> Result<(), Refusal> {
        let Self { version, os, .. } = &self;
        if version.is_nan() || version.abs() >= f64::EPSILON {
            return Err(Refusal::because(sentences::version(&version.to_string())));
        }
        if !matches!(os.as_str(), "linux" | "windows") {
            return Err(Refusal::because(sentences::os(os)));
        }
        let behavior = self.file_exists_behavior.as_deref();
        if let Some(found) = behavior.filter(|found| FileExistsBehavior::parse(found).is_none()) {
            return Err(Refusal::because(sentences::file_exists_behavior(found)));
        }
        self.hooks.iter().flat_map(|(_, scripts)| scripts).try_for_each(RawScript::check)?;
        self.files.iter().try_for_each(RawFileMapping::check)?;
        if os == "windows" && !self.permissions.is_empty() {
            return Err(Refusal::because(
                "the application specification file specifies file permissions, but the deployment is targeting one \
                 or more Windows Server instances. Permissions are supported only for Amazon Linux, Ubuntu Server, \
                 and Red Hat Enterprise Linux (RHEL) instances. Update the permissions section of the AppSpec file, \
                 and then try again.",
            ));
        }
        self.permissions.iter().try_for_each(RawPermission::check)
    }
}

fn scripts(item: Item<'_, '_>) -> Result<Vec<RawScript>, Misshapen> {
    item.list(RawScript::read)
}

#[derive(Default)]
struct RawScript {
    location: Option<String>,
    timeout: Option<u32>,
}

impl RawScript {
    fn read(item: Item<'_, '_>) -> Result<Self, Misshapen> {
        let mut script = Self::default();
        item.fields("RawScript", &["location", "runas", "sudo", "timeout"], |field, item| {
            match field {
                "location" => script.location = item.optional(Item::text)?,
                "runas" => drop(item.optional(Item::text)?),
                "sudo" => drop(item.optional(Item::flag)?),
                _ => script.timeout = item.optional(Item::seconds)?,
            }
            Ok(())
        })?;
        Ok(script)
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.location.as_deref().is_none_or(|location| location.trim().is_empty()) {
            return Err(Refusal::because(sentences::no_location()));
        }
        if self.timeout == Some(0) {
            return Err(Refusal::because(sentences::timeout()));
        }
        Ok(())
    }
}

#[derive(Default)]
struct RawFileMapping {
    source: Option<String>,
    destination: Option<String>,
}

impl RawFileMapping {
    fn read(item: Item<'_, '_>) -> Result<Self, Misshapen> {
        let mut mapping = Self::default();
        item.fields("RawFileMapping", &["source", "destination"], |field, item| {
            let text = item.optional(Item::text)?;
            match field {
                "source" => mapping.source = text,
                _ => mapping.destination = text,
            }
            Ok(())
        })?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), Refusal> {
        let Some(source) = self.source.as_ref().filter(|source| !source.is_empty()) else {
            return Err(Refusal::because(sentences::no_source()));
        };
        if self.destination.as_ref().is_none_or(String::is_empty) {
            return Err(Refusal::because(sentences::no_destination(source)));
        }
        Ok(())
    }
}
