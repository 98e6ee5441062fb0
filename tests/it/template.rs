//! The transformed template, with references resolved as CloudFormation would for a stack called `shop`.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

pub(crate) const STACK: &str = "shop";
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
/// The services of the template, by the logical ids of their nested stacks.
pub(crate) const SERVICES: [(&str, &str); 2] = [("frontend", "Frontend"), ("backend", "Backend")];

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A template as CloudFormation gets it, for a stack with a name in a region.
#[derive(Clone)]
pub(crate) struct Template {
    document: Value,
    stack: String,
    region: String,
    /// What the stack is given for its parameters.
    given: Map<String, Value>,
    /// The stacks that it nests, by logical id.
    nested: BTreeMap<String, Template>,
}

impl Template {
    /// `template.yaml` for the stack `shop`.
    pub(crate) fn read() -> &'static Self {
        static TEMPLATE: OnceLock<Template> = OnceLock::new();
        TEMPLATE.get_or_init(|| Self::of(STACK, REGION))
    }

    /// `template.yaml` for any stack.
    pub(crate) fn of(stack: &str, region: &str) -> Self {
        Self::new(transformed("template.yaml"), stack.to_owned(), region.to_owned(), Map::new())
    }

    /// A template of the repository with these parameters in place of their defaults.
    pub(crate) fn with(file: &str, given: &[(&str, &str)]) -> Self {
        let document = transformed(file);
        for (name, _) in given {
            assert!(document["Parameters"].get(name).is_some(), "{file} has no parameter {name}");
        }
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        Self::new(document, STACK.to_owned(), REGION.to_owned(), given)
    }

    fn new(document: Value, stack: String, region: String, given: Map<String, Value>) -> Self {
        let mut template = Self { document, stack, region, given, nested: BTreeMap::new() };
        let nests = template.of_type("AWS::CloudFormation::Stack").into_iter();
        let nests: Vec<(String, Value)> = nests
            .map(|(id, own)| {
                let url = text(&own.raw()["Properties"]["TemplateURL"]).to_owned();
                (id.to_owned(), transformed(url.split_once(".com/code/").unwrap().1))
            })
            .collect();
        // One may be given what another tells, so each is resolved anew when the others are there.
        for round in 0..4 {
            let of_id = |(id, document): &(String, Value)| {
                let given = if round == 0 { Map::new() } else { template.handed(id) };
                // AWS adds letters of its own.
                let stack = format!("{}-{id}-1ABCDEFGHIJKL", template.stack);
                (id.clone(), Self::new(document.clone(), stack, template.region.clone(), given))
            };
            template.nested = nests.iter().map(of_id).collect();
        }
        template
    }

    /// What it hands a stack that it nests: texts, because CloudFormation refuses a list for a nested stack's parameter
    /// (AWS re:Post, "How do I pass `CommaDelimitedList` parameters to nested stacks?").
    fn handed(&self, id: &str) -> Map<String, Value> {
        let handed = self.resource(id).properties()["Parameters"].as_object().unwrap().clone();
        for (name, value) in &handed {
            let is_plain = !value.is_array() && !value.is_object();
            assert!(
                is_plain,
                "{id} is handed {value} as {name}: CloudFormation takes a text, so join the list"
            );
        }
        handed
    }

    /// Why CloudFormation refuses the parameters before it makes anything: what the template's `Rules` say.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let rules = self.document["Rules"].as_object().unwrap().values();
        let applying = rules.filter(|rule| {
            rule.get("RuleCondition").is_none_or(|condition| self.resolve(condition) == json!(true))
        });
        let assertions = applying.flat_map(|rule| rule["Assertions"].as_array().unwrap());
        let failing = assertions.filter(|assertion| self.resolve(&assertion["Assert"]) != json!(true));
        failing.map(|assertion| text(&assertion["AssertDescription"]).to_owned()).collect()
    }

    /// A stack that it nests, by its logical id.
    pub(crate) fn nested(&self, id: &str) -> &Self {
        &self.nested[id]
    }

    /// The stack's name.
    pub(crate) fn stack(&self) -> &str {
        &self.stack
    }

    /// Itself and the stacks that it nests.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.nested.values())
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
            Value::Array(items) => {
                let resolved = items.iter().map(|item| self.resolve(item));
                resolved.filter(|item| *item != json!({ "absent": true })).collect()
            }
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
                if let Some((nested, output)) = path.split_once(".Outputs.") {
                    let nested = self.nested(nested);
                    return nested.resolve(&nested.document["Outputs"][output]["Value"]);
                }
                match path.strip_suffix(".Arn").map(|id| (id, self.resource(id))) {
                    Some((id, set)) if set.kind() == "AWS::WAFv2::IPSet" => {
                        let (name, region) = (text(&set.properties()["Name"]).to_owned(), &self.region);
                        json!(format!("arn:aws:wafv2:{region}:{ACCOUNT}:regional/ipset/{name}/{id}"))
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
            "Fn::EachMemberEquals" => {
                let members = self.resolve(&argument[0]);
                json!(members.as_array().unwrap().iter().all(|member| *member == argument[1]))
            }
            "Fn::Not" => json!(self.resolve(&argument[0]) == json!(false)),
            "Fn::If" => self.resolve(&argument[if self.holds(text(&argument[0])) { 1 } else { 2 }]),
            other => panic!("the tests do not know {other}: teach them"),
        }
    }

    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::StackName" => return json!(self.stack),
            "AWS::AccountId" => return json!(ACCOUNT),
            "AWS::Region" => return json!(self.region),
            "AWS::Partition" => return json!("aws"),
            "AWS::URLSuffix" => return json!("amazonaws.com"),
            "AWS::NoValue" => return json!({ "absent": true }),
            _ => {}
        }
        if let Some(parameter) = self.document["Parameters"].get(name) {
            let given = self.given.get(name).or_else(|| parameter.get("Default"));
            let value = given.cloned().unwrap_or_else(|| json!(name));
            let list = parameter["Type"].as_str().unwrap().contains("List");
            return if list { text(&value).split(',').collect() } else { value };
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

    /// How CloudFormation updates it, resolved.
    pub(crate) fn update_policy(&self) -> Value {
        self.template.resolve(&self.raw["UpdatePolicy"])
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
        let Template { stack, region, .. } = self.template;
        let balancing = format!("arn:aws:elasticloadbalancing:{region}:{ACCOUNT}");
        let name =
            |property: &str| text(&self.template.resolve(&self.raw["Properties"][property])).to_owned();
        match self.kind() {
            "AWS::ElasticLoadBalancingV2::Listener" => {
                format!("{balancing}:listener/app/{}/{}", name_of_32(stack, id), number(&[stack, id]))
                    + &format!("/{}", number(&[id, stack]))
            }
            "Custom::ListenerRule" => {
                let listener = name("ListenerArn").replace(":listener/", ":listener-rule/");
                format!("{listener}/{}", number(&[stack, id]))
            }
            "AWS::ElasticLoadBalancingV2::TargetGroup" => {
                format!("{balancing}:targetgroup/{}/{}", name_of_32(stack, id), number(&[stack, id]))
            }
            "AWS::SNS::Topic" => format!("arn:aws:sns:{region}:{ACCOUNT}:{}", name("TopicName")),
            "AWS::AutoScaling::AutoScalingGroup" => name("AutoScalingGroupName"),
            "AWS::Logs::LogGroup" => name("LogGroupName"),
            "AWS::Lambda::Alias" => {
                format!(
                    "arn:aws:lambda:{region}:{ACCOUNT}:function:{}:{}",
                    name("FunctionName"),
                    name("Name")
                )
            }
            "AWS::CodeDeploy::Application" => name("ApplicationName"),
            "AWS::CodeDeploy::DeploymentGroup" => name("DeploymentGroupName"),
            _ => id.to_owned(),
        }
    }
}

/// A template of this repository, transformed the way the local cloud does it, once for all tests of a process.
fn transformed(file: &str) -> Value {
    static KNOWN: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    known.entry(file.to_owned()).or_insert_with(|| remembered(file)).clone()
}

/// Each test may be a process of its own, and a transformation takes a second: so one is kept for as long as neither the
/// template nor what transforms it changes.
fn remembered(file: &str) -> Value {
    let read = |path: &str| std::fs::read(root().join(path)).unwrap();
    let mut hasher = DefaultHasher::new();
    (read(file), read("local/cloud/emulator/transform.py"), read("local/requirements-demo.txt"))
        .hash(&mut hasher);
    let folder = root().join("target/transformed");
    let kept = folder.join(format!("{:x}.json", hasher.finish()));
    if let Ok(text) = std::fs::read(&kept) {
        return serde_json::from_slice(&text).unwrap();
    }
    let document = transform(file);
    std::fs::create_dir_all(&folder).unwrap();
    // Whole or not at all, because another process may read it.
    let new = folder.join(format!("{:x}.{}", hasher.finish(), std::process::id()));
    std::fs::write(&new, document.to_string()).unwrap();
    std::fs::rename(&new, &kept).unwrap();
    document
}

fn transform(file: &str) -> Value {
    let root = root();
    let python = root.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make prepare`", python.display());
    let output = Command::new(python)
        .arg(root.join("local/cloud/emulator/transform.py"))
        .args([root.join(file), PathBuf::from("/dev/stdout")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The name that CloudFormation gives a load balancer or a target group: 32 letters of stack, logical id and chance.
fn name_of_32(stack: &str, id: &str) -> String {
    format!("{stack:.6}-{id:.8}-{}", number(&[stack, id]))
}

/// A number such as AWS gives: 16 hexadecimal digits.
fn number(of: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
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
