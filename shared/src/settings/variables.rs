//! The variables that the functions read: the one list that documents, the template and the tests are checked against.

/// A documented variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What a value looks like, its unit included.
    pub format: &'static str,
    /// What holds when it is not set; `None`: it must be set.
    pub default: Option<&'static str>,
    /// A valid value.
    pub example: &'static str,
}

/// Names that were given up, and the names that say the same now.
pub(super) const RENAMED: &[(&str, &str)] = &[("GREENLIGHT_HOLD", "GREENLIGHT_DRAIN")];

const TIME: &str = "a whole number with its unit: ms, s, m, h or d";
const BUCKET: &str = "the name of an S3 bucket";
macro_rules! variables {
    ($($constant:ident: $name:literal, $meaning:literal, $format:expr, $default:expr, $example:literal;)*) => {
        $(
            #[doc = $meaning]
            pub(super) const $constant: Variable =
                Variable { name: $name, meaning: $meaning, format: $format, default: $default, example: $example };
        )*
        /// Every variable of the release path, the general ones first.
        pub const VARIABLES: &[Variable] = &[$($constant),*];
    };
}

variables! {
    SERVICES: "GREENLIGHT_SERVICES", "The services that are released, and of each what no name tells: the base rule, the blue and the green target group.",
        "SERVICE:RULE:BLUE:GREEN, separated by commas: the service a lower-case letter followed by at most 31 lower-case letters, digits or dashes, its rule an id, its target groups NAME/ID, and nothing in two services",
        None, "frontend:9683b2d02a6cabee:shop-Blue-1ABCDEF/73e2d6bc24d8a067:shop-Green-2ABCDEF/9a8b7c6d5e4f3a2b";
    ALARMS: "GREENLIGHT_ALARMS", "The alarms that judge a colour: <application>.<service>-<colour>-<alarm>.",
        "how the alarms' names end, separated by commas, at most 50",
        None, "errors,refused,unhealthy,slow";
    STATE_BUCKET: "GREENLIGHT_STATE_BUCKET", "Holds the ledgers, ledger/<service>.json.",
        BUCKET, None, "shop-state-123456789012-eu-west-1";
    ARTIFACT_BUCKET: "GREENLIGHT_ARTIFACT_BUCKET", "Holds the uploads, releases/<service>/<number>-<commit>.zip; versioned.",
        BUCKET, None, "shop-artifacts-123456789012-eu-west-1";
    APPLICATION: "GREENLIGHT_APPLICATION", "The CodeDeploy application. The names of Auto Scaling groups, <application>.<service>, and of alarms begin with it.",
        "a CodeDeploy name of 1 to 100 characters", None, "shop";
    LISTENER_ARN: "GREENLIGHT_LISTENER_ARN", "The listener that holds the services' rules.",
        "the ARN of a listener", None,
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2";
    STRATEGY: "GREENLIGHT_STRATEGY", "How weight moves to the candidate.",
        "AllAtOnce, a CodeDeploy name such as Canary10Percent5Minutes or Linear10PercentEvery1Minute, canary:5%:90s or linear:10%:1m (1 to 99 percent, time with a unit), or evidence, evidence(20m) or canary:10%:evidence(30m) (1 to 50 percent, at least 3m)",
        None, "evidence";
    HARM: "GREENLIGHT_HARM", "How many requests a bad version may fail, in a release by evidence.",
        "a whole number from 1 to 1000000", Some("10"), "10";
    AT_MAX: "GREENLIGHT_AT_MAX", "What a release by evidence does that has proven nothing when its longest time is over.",
        "go-on, wait or back", Some("go-on"), "go-on";
    GATE: "GREENLIGHT_GATE", "The Lambda function that must say yes before the first weight of a release and before its success; none asks nobody.",
        "none, or the name of a Lambda function in the stack's account and region, without an alias: 1 to 64 letters, digits, _ or -",
        Some("none"), "shop-gate";
    GATE_DEADLINE: "GREENLIGHT_GATE_DEADLINE", "How long each of these answers may take before the release goes back.",
        "a whole number with its unit, ms, s, m, h or d, of at least 30s", Some("2m"), "2m";
    BAKE: "GREENLIGHT_BAKE", "Time at full weight before a release is a success.",
        TIME, Some("5m"), "5m";
    INSTALL_DEADLINE: "GREENLIGHT_INSTALL_DEADLINE", "How long an installation may take before the release is given up.",
        "a whole number above 0 with its unit: ms, s, m, h or d", Some("15m"), "15m";
    DRAIN: "GREENLIGHT_DRAIN", "How long a colour keeps serving after it lost its weight.",
        TIME, Some("60s"), "60s";
    UNHEALTHY_GRACE: "GREENLIGHT_UNHEALTHY_GRACE", "How long candidate targets may be unhealthy before traffic goes back.",
        TIME, Some("30s"), "30s";
    UNKNOWN_LIMIT: "GREENLIGHT_UNKNOWN_LIMIT", "How long facts may be unreadable, with weight on the candidate, before traffic goes back.",
        TIME, Some("3m"), "3m";
    LOOK_INTERVAL: "GREENLIGHT_LOOK_INTERVAL", "How often a service is looked at; also the usual pause between a hook's questions.",
        "a whole number above 0 with its unit: ms, s, m, h or d", Some("5s"), "5s";
    SILENCE_LIMIT: "GREENLIGHT_SILENCE_LIMIT", "How long no hook may ask, with weight on the candidate, before traffic goes back; 0 never.",
        TIME, Some("3m"), "3m";
    ROLLBACK_WINDOW: "GREENLIGHT_ROLLBACK_WINDOW", "How long after success an alarm on the live colour rolls back to the previous one; 0 never.",
        TIME, Some("30m"), "30m";
    HEAL_AFTER: "GREENLIGHT_HEAL_AFTER", "How long an instance may be unhealthy on the live colour before it is replaced, and the pause between two replacements; 0 never.",
        TIME, Some("5m"), "5m";
    DRIFT: "GREENLIGHT_DRIFT", "What becomes of weights and suspended processes that nothing explains: they are reported, or put right where that is proven safe.",
        "report or repair", Some("repair"), "repair";
    AGENT: "GREENLIGHT_AGENT", "The CodeDeploy agent on the instances. A bundle that it would fail on is refused; what only the other one fails on is a warning.",
        "1 or 2", Some("1"), "1";
    INSTANCE_DISK: "GREENLIGHT_INSTANCE_DISK_GIB", "The disk of an instance, in GiB. A bundle with a saved image that does not fit on it is refused.",
        "a whole number from 1 to 65536", Some("20"), "20";
}
