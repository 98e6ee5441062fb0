//! The transformed template, with references resolved as CloudFormation would for a stack called `shop`.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

pub(crate) const STACK: &str = "shop";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// `template.yaml` as CloudFormation gets it.
pub(crate) struct Template {
    document: Value,
}

impl Template {
    /// `template.yaml` with its defaults.
    pub(crate) fn read() -> &'static Self {
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        TEMPLATE.get_or_init(|| Self::transform("template.yaml"))
    }

    /// A template of the repository with these parameters in place of their defaults.
    pub(crate) fn with(file: &str, given: &[(&str, &str)]) -> Self {
        let mut template = Self::transform(file);
        for (name, value) in given {
            let parameter = template.document["Parameters"].get_mut(name);
            parameter.unwrap_or_else(|| panic!("{file} has no parameter {name}"))["Default"] = json!(value);
        }
        template
    }

    /// Transforms a template the way the local cloud does, once for all tests of a process.
    fn transform(file: &str) -> Self {
        static DONE: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
        let mut done = DONE.lock().unwrap();
        Self { document: done.entry(file.to_owned()).or_insert_with(|| transformed(file)).clone() }
    }

    /// All resources of a type that a default stack has, by logical id.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeMap<&str, Resource<'_>> {
        self.resources().filter(|(_, resource)| resource.kind() == kind).collect()
    }

    /// A resource by its logical id.
    pub(crate) fn resource(&self, id: &str) -> Resource<'_> {
        let found = self.resources().find(|(known, _)| *known == id);
        found.unwrap_or_else(|| panic!("the template has no resource {id}")).1
    }

    /// Every resource that a default stack has.
    pub(crate) fn resources(&self) -> impl Iterator<Item = (&str, Resource<'_>)> {
        let all = self.document["Resources"].as_object().unwrap();
        all.iter()
            .filter(|(_, raw)| raw.get("Condition").is_none_or(|name| self.holds(name.as_str().unwrap())))
            .map(|(id, raw)| (id.as_str(), Resource { template: self, raw }))
    }

    /// Every parameter with its default; empty where there is none.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, String)> {
        self.document["Parameters"].as_object().unwrap().iter().map(|(name, parameter)| {
            let default = match parameter.get("Default") {
                None => String::new(),
                Some(Value::String(default)) => default.clone(),
                Some(default) => default.to_string(),
            };
            (name.as_str(), default)
        })
    }

    /// The parameters as they stand in the template.
    pub(crate) fn declared(&self) -> &Map<String, Value> {
        self.document["Parameters"].as_object().unwrap()
    }

    /// The type of each resource, of those too that a default stack has not.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.document["Resources"].as_object().unwrap();
        all.iter().map(|(id, raw)| (id.as_str(), text(&raw["Type"])))
    }

    /// An output of a default stack, resolved.
    pub(crate) fn output(&self, name: &str) -> Value {
        self.resolve(&self.document["Outputs"][name]["Value"])
    }

    fn holds(&self, condition: &str) -> bool {
        self.resolve(&self.document["Conditions"][condition]).as_bool().unwrap()
    }

    /// The value with its intrinsic functions replaced by what they stand for.
    pub(crate) fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => match single(object) {
                Some((function, argument)) if is_intrinsic(function, argument) => {
                    self.call(function, argument)
                }
                _ => object
                    .iter()
                    .map(|(key, value)| (key.clone(), self.resolve(value)))
                    .filter(|(_, value)| *value != json!({ "absent": true }))
                    .collect::<Map<_, _>>()
                    .into(),
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            plain => plain.clone(),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Value {
        match function {
            "Ref" => self.reference(argument.as_str().unwrap()),
            "Condition" => Value::Bool(self.holds(argument.as_str().unwrap())),
            "Fn::GetAtt" => {
                let path = match argument {
                    Value::String(path) => path.clone(),
                    _ => format!("{}.{}", text(&argument[0]), text(&argument[1])),
                };
                match path.strip_suffix(".Arn").map(|id| (id, self.resource(id))) {
                    Some((id, set)) if set.kind() == "AWS::WAFv2::IPSet" => {
                        let name = text(&set.properties()["Name"]).to_owned();
                        json!(format!("arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/ipset/{name}/{id}"))
                    }
                    _ => json!(path),
                }
            }
            "Fn::Sub" => match argument {
                Value::Array(parts) => json!(self.substitute(text(&parts[0]), &parts[1])),
                pattern => json!(self.substitute(text(pattern), &Value::Null)),
            },
            "Fn::Join" => {
                let parts = self.resolve(&argument[1]);
                let parts: Vec<&str> = parts.as_array().unwrap().iter().map(text).collect();
                json!(parts.join(text(&argument[0])))
            }
            "Fn::Split" => {
                let whole = self.resolve(&argument[1]);
                text(&whole).split(text(&argument[0])).collect()
            }
            "Fn::Select" => {
                let items = self.resolve(&argument[1]);
                items[usize::try_from(argument[0].as_u64().unwrap()).unwrap()].clone()
            }
            "Fn::GetAZs" => json!([format!("{REGION}a"), format!("{REGION}b")]),
            "Fn::Cidr" => {
                (0..argument[1].as_u64().unwrap()).map(|n| json!(format!("10.20.{n}.0/24"))).collect()
            }
            "Fn::Base64" => self.resolve(argument),
            "Fn::Equals" => json!(self.resolve(&argument[0]) == self.resolve(&argument[1])),
            "Fn::And" => {
                let all = argument.as_array().unwrap();
                json!(all.iter().all(|condition| self.resolve(condition) == json!(true)))
            }
            "Fn::Or" => {
                let any = argument.as_array().unwrap();
                json!(any.iter().any(|condition| self.resolve(condition) == json!(true)))
            }
            "Fn::Not" => json!(self.resolve(&argument[0]) == json!(false)),
            "Fn::If" => self.resolve(&argument[if self.holds(text(&argument[0])) { 1 } else { 2 }]),
            other => panic!("the tests do not know {other}: teach them"),
        }
    }

    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::StackName" => return json!(STACK),
            "AWS::AccountId" => return json!(ACCOUNT),
            "AWS::Region" => return json!(REGION),
            "AWS::Partition" => return json!("aws"),
            "AWS::URLSuffix" => return json!("amazonaws.com"),
            "AWS::NoValue" => return json!({ "absent": true }),
            _ => {}
        }
        if let Some(parameter) = self.document["Parameters"].get(name) {
            let default = parameter.get("Default").cloned().unwrap_or_else(|| json!(name));
            let list = parameter["Type"].as_str().unwrap().contains("List");
            return if list { text(&default).split(',').collect() } else { default };
        }
        json!(self.resource(name).reference(name))
    }

    /// `own` are the variables that the pattern brings along.
    fn substitute(&self, pattern: &str, own: &Value) -> String {
        let mut parts = pattern.split("${");
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.resolve(value),
                (None, Some(_)) => json!(name),
                (None, None) => self.reference(name),
            };
            match value {
                Value::String(value) => out.push_str(&value),
                value => out.push_str(&value.to_string()),
            }
            out.push_str(rest);
        }
        out
    }
}

fn transformed(file: &str) -> Value {
    let root = root();
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make prepare`", python.display());
    let output = Command::new(python)
        .arg(root.join("local/cloud/emulator/transform.py"))
        .args([root.join(file), PathBuf::from("/dev/stdout")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One resource.
#[derive(Clone, Copy)]
pub(crate) struct Resource<'a> {
    template: &'a Template,
    raw: &'a Value,
}

impl Resource<'_> {
    pub(crate) fn kind(&self) -> &str {
        text(&self.raw["Type"])
    }

    /// As it stands in the template, references and all.
    pub(crate) fn raw(&self) -> &Value {
        self.raw
    }

    /// Its properties, resolved.
    pub(crate) fn properties(&self) -> Value {
        self.template.resolve(&self.raw["Properties"])
    }

    /// What a function is told.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let properties = self.properties();
        let variables = properties["Environment"]["Variables"].as_object().unwrap();
        variables.iter().map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
    }

    /// What `!Ref` of it gives: the name where the template gives one, an ARN where AWS gives one, else its logical id.
    fn reference(&self, id: &str) -> String {
        let balancing = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}");
        let name =
            |property: &str| text(&self.template.resolve(&self.raw["Properties"][property])).to_owned();
        match self.kind() {
            "AWS::ElasticLoadBalancingV2::Listener" => format!("{balancing}:listener/app/{STACK}/1/2"),
            "AWS::ElasticLoadBalancingV2::ListenerRule" => {
                format!("{balancing}:listener-rule/app/{STACK}/1/2/{id}")
            }
            "AWS::ElasticLoadBalancingV2::TargetGroup" => format!("{balancing}:targetgroup/{id}/3"),
            "AWS::SNS::Topic" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:{STACK}-{id}"),
            "AWS::CodeDeploy::Application" => name("ApplicationName"),
            "AWS::CodeDeploy::DeploymentGroup" => name("DeploymentGroupName"),
            _ => id.to_owned(),
        }
    }
}

/// `Condition` is also the name of a part of a policy, which is no text.
fn is_intrinsic(function: &str, argument: &Value) -> bool {
    function == "Ref" || function.starts_with("Fn::") || (function == "Condition" && argument.is_string())
}

fn single(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, value) = object.iter().next()?;
    (object.len() == 1).then_some((key.as_str(), value))
}

/// The text of a value that must be one.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text was expected, not {value}"))
}

/// A value that may be one or a list of them, as a list of texts.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}
