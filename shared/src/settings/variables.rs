//! The variables that the functions read: the one list that documents, the template and the tests are checked against.

/// A documented variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name. `<S>` stands for a service's name in capitals, with `_` for `-`.
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

impl Variable {
    /// The name for one service. Names without `<S>` stay as they are.
    pub fn name_for(&self, service: &str) -> String {
        self.name.replace("<S>", &service.to_uppercase().replace('-', "_"))
    }

    /// Whether each service has its own.
    pub fn is_per_service(&self) -> bool {
        self.name.contains("<S>")
    }
}

/// Names that were given up, and the names that say the same now.
pub(super) const RENAMED: &[(&str, &str)] = &[("GREENLIGHT_HOLD", "GREENLIGHT_DRAIN")];

const TIME: &str = "a whole number with its unit: ms, s, m, h or d";
const BUCKET: &str = "the name of an S3 bucket";
const ALARMS: &str = "the names of alarms of one colour, separated by commas, each in one list only";
const TARGET_GROUP: &str = "the ARN of a target group, another one for each colour";

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
    SERVICES: "GREENLIGHT_SERVICES", "The services that are released.",
        "service names, separated by commas, each a lower-case letter followed by at most 31 lower-case letters, digits or dashes",
        None, "frontend,backend";
    STATE_BUCKET: "GREENLIGHT_STATE_BUCKET", "Holds the ledgers, ledger/<service>.json.",
        BUCKET, None, "shop-state-123456789012";
    ARTIFACT_BUCKET: "GREENLIGHT_ARTIFACT_BUCKET", "Holds the uploads, releases/<service>/<number>-<commit>.zip; versioned.",
        BUCKET, None, "shop-artifacts-123456789012";
    APPLICATION: "GREENLIGHT_APPLICATION", "The CodeDeploy application.",
        "a CodeDeploy name of 1 to 100 characters", None, "shop";
    LISTENER_ARN: "GREENLIGHT_LISTENER_ARN", "The listener that holds the services' rules.",
        "the ARN of a listener", None,
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2";
    STRATEGY: "GREENLIGHT_STRATEGY", "How weight moves to the candidate.",
        "AllAtOnce, a CodeDeploy name such as Canary10Percent5Minutes or Linear10PercentEvery1Minute, or canary:5%:90s, linear:10%:1m (1 to 99 percent, time with a unit)",
        None, "Canary10Percent5Minutes";
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
    LOOK_INTERVAL: "GREENLIGHT_LOOK_INTERVAL", "At most one pass per service reads AWS in this interval; also the pause between a hook's questions.",
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
        "a whole number from 1 to 65536", Some("8"), "8";
    DEPLOYMENT_GROUP: "GREENLIGHT_<S>_DEPLOYMENT_GROUP", "The service's CodeDeploy deployment group.",
        "a CodeDeploy name of 1 to 100 characters, another one for each service", None, "shop-backend";
    BASE_RULE_ARN: "GREENLIGHT_<S>_BASE_RULE_ARN", "The service's base rule, which names both target groups.",
        "the ARN of a listener rule, another one for each service", None,
        "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee";
    BLUE_TARGET_GROUP_ARN: "GREENLIGHT_<S>_BLUE_TARGET_GROUP_ARN", "The target group of the blue colour, port 8080.",
        TARGET_GROUP, None, "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-backend-blue/73e2d6bc24d8a067";
    GREEN_TARGET_GROUP_ARN: "GREENLIGHT_<S>_GREEN_TARGET_GROUP_ARN", "The target group of the green colour, port 8081.",
        TARGET_GROUP, None, "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-backend-green/9a8b7c6d5e4f3a2b";
    BLUE_ALARMS: "GREENLIGHT_<S>_BLUE_ALARMS", "The alarms that judge the blue colour.",
        ALARMS, None, "shop-backend-blue-errors,shop-backend-blue-latency";
    GREEN_ALARMS: "GREENLIGHT_<S>_GREEN_ALARMS", "The alarms that judge the green colour.",
        ALARMS, None, "shop-backend-green-errors,shop-backend-green-latency";
    AUTO_SCALING_GROUP: "GREENLIGHT_<S>_AUTO_SCALING_GROUP", "The Auto Scaling group of the service's instances.",
        "an Auto Scaling group's name of 1 to 255 characters", None, "shop-backend";
}
