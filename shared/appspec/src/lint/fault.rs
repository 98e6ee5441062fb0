//! What is wrong or odd in an AppSpec file. Each sentence follows "appspec.yml line N: ".

/// What makes the CodeDeploy agent, or the service, fail the deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, once")]
pub enum AppSpecFault {
    #[error("it is not UTF-8 text: save it as UTF-8")]
    NotUtf8,
    #[error(
        "it starts with a byte order mark, which hides the keys from the agent: save it as UTF-8 without one"
    )]
    ByteOrderMark,
    #[error("it is empty: it needs at least version, os and hooks")]
    Empty,
    #[error("it is not valid YAML, {detail}: correct it")]
    Syntax { detail: String },
    #[error("it is not a mapping: start with version: 0.0 and os: linux")]
    NotAMapping,
    #[error("an alias (*name) stops the agent on current Ruby: write the value out")]
    Alias,
    #[error("tag {tag} stops the agent: remove it")]
    RubyTag { tag: String },
    #[error("{text} is a date to the agent, which it refuses: put it in quotes")]
    Date { text: String },
    #[error("{text} looks like a number and is none, which stops the agent: put it in quotes")]
    Number { text: String },
    #[error("version is missing: add version: 0.0")]
    VersionMissing,
    #[error("version is a text in quotes, the agent wants the number: write version: 0.0")]
    VersionQuoted,
    #[error("version is {found}, CodeDeploy knows only 0.0: write version: 0.0")]
    Version { found: String },
    #[error("os is missing{}: add os: linux", if *other_platform { ", and the file looks like one for Lambda or ECS" } else { "" })]
    OsMissing { other_platform: bool },
    #[error("os is {found}, the instances are Linux: write os: linux, in lower case")]
    Os { found: String },
    #[error("{what} should be {expected}, the agent stops at anything else: correct its form")]
    Shape { what: String, expected: &'static str },
    #[error("{event} is no lifecycle event of an EC2 deployment{}: correct the name", meant.map(|name| format!(", perhaps {name} was meant")).unwrap_or_default())]
    UnknownEvent { event: String, meant: Option<&'static str> },
    #[error("scripts cannot run in {event}, which CodeDeploy keeps for itself: move them to another event")]
    ReservedEvent { event: String },
    #[error("a script of {event} has no location: add it")]
    LocationMissing { event: String },
    #[error("timeout {found} of a script of {event} is not a number of seconds above 0: correct it")]
    Timeout { event: String, found: String },
    #[error(
        "the time-outs of {event} add up to {seconds} seconds, CodeDeploy allows 3600 per event: lower them"
    )]
    TimeoutsTooLong { event: String, seconds: i128 },
    #[error("{event} runs {location}, which is not in the bundle{}", if *arguments { ": a location takes no arguments, put them into a script" } else { ": add it, or correct the location (capitals count)" })]
    ScriptMissing { event: String, location: String, arguments: bool },
    #[error("{event} runs {location}, which is a folder: name the script in it")]
    ScriptIsFolder { event: String, location: String },
    #[error("{what} {path} leaves the bundle: use a path below the bundle's root")]
    Leaves { what: &'static str, path: String },
    #[error("an item of files has no source: add it")]
    SourceMissing,
    #[error("an item of files has a source ({source_path}) and no destination: add it")]
    DestinationMissing { source_path: String },
    #[error(
        "files copies {source_path}, which is not in the bundle: add it, or correct the source (capitals count)"
    )]
    SourceNotInBundle { source_path: String },
    #[error("files puts both {first} and {second} at {destination}, which fails at Install: keep one")]
    Collision { first: String, second: String, destination: String },
    #[error("an item of permissions has no object: add it")]
    ObjectMissing,
    #[error("mode {found} is not one to four octal digits to the agent{}", if *octal { ": an unquoted leading zero makes it another number, put it in quotes" } else { ": write it as in '0755'" })]
    Mode { found: String, octal: bool },
    #[error("permission type {found} is neither file nor directory: correct it")]
    PermissionType { found: String },
    #[error("acl {entry} {why}: correct it")]
    Acl { entry: String, why: &'static str },
    #[error("context has no type: add it")]
    ContextType,
    #[error("range {found} of the context {why}: write it as in s0-s0:c0.c1023")]
    Range { found: String, why: &'static str },
    #[error("file_exists_behavior is {found}: write DISALLOW, OVERWRITE or RETAIN, in capitals")]
    FileExistsBehavior { found: String },
}

/// What only one of the agents accepts, or what does nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, once")]
pub enum AppSpecWarning {
    #[error("timeout {found} is {seconds} seconds to agent 1.x and refused by agent 2.x: write {seconds}")]
    Timeout { found: String, seconds: i128 },
    #[error(
        "without timeout each script may take 3600 seconds, so {event} may exceed the 3600 that CodeDeploy allows per event: give each script a timeout"
    )]
    DefaultTimeouts { event: String },
    #[error(
        "mode {found} without quotes becomes {read_as} in agent 1.x, which sets other bits, and {found} in agent 2.x: put it in quotes"
    )]
    Mode { found: String, read_as: String },
    #[error("key {key} is given twice, the last one counts: remove the other")]
    DuplicateKey { key: String },
    #[error("a second document is ignored by agent 1.x and refused by agent 2.x: remove it")]
    SecondDocument,
    #[error(
        "an empty source copies the whole bundle in agent 1.x and is refused by agent 2.x: write source: /"
    )]
    EmptySource,
    #[error("source {source_path} is no text, which agent 2.x refuses: write one item per source")]
    SourceNotText { source_path: String },
    #[error("location {location} is no text, which agent 2.x refuses: write the script's path")]
    LocationNotText { location: String },
    #[error(
        "{what} {path} starts with / and is still taken from the bundle's root by agent 1.x: write it without the slash"
    )]
    LeadingSlash { what: &'static str, path: String },
    #[error("an empty runas is the empty user in agent 1.x and no user in agent 2.x: remove it")]
    EmptyRunas,
    #[error(
        "destination {destination} is relative and lands below the agent's working folder: write an absolute path"
    )]
    RelativeDestination { destination: String },
    #[error("scripts of {event} never run: the agent ignores them there")]
    IgnoredEvent { event: String },
    #[error(
        "scripts of {event} never run: the deployment group has no load balancer, Greenlight moves the traffic"
    )]
    TrafficEvent { event: String },
    #[error(
        "there is no script in ValidateService, so the deployment ends before any traffic has moved and the release is taken back: add the kit's hook"
    )]
    NoValidateService,
    #[error("key {key} is not one that the agent knows, it is ignored{}", meant.map(|name| format!("; {name} was perhaps meant")).unwrap_or_default())]
    UnknownKey { key: String, meant: Option<&'static str> },
}
