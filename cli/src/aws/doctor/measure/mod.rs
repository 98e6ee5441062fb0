//! What `greenlight doctor --measure` looks at. Every call reads.

mod kept;
mod logs;
mod metrics;

use super::{cause, functions, services, why};
use crate::aws::Account;
use crate::operator::doctor::measure::{Look, Seen, ServiceLook, Versions};
use crate::operator::doctor::{Alias, Looked};
use aws_config::SdkConfig;
use aws_sdk_s3::operation::get_object::GetObjectError;
use greenlight::aws::Aws;
use greenlight::ports::{ListenerRules as _, TargetGroups as _, Traffic as _};
use greenlight::settings::{ServiceSettings, Settings};
use jiff::Timestamp;
use release::plan::Window;
use release::{Colour, InstanceId, Ledger, PerColour, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

/// Minutes of a metric that each look reads: those that may still grow.
const MINUTES: i64 = 10;

/// A stack that is measured.
pub(crate) struct Measuring {
    config: SdkConfig,
    s3: aws_sdk_s3::Client,
    lambda: aws_sdk_lambda::Client,
    stack: String,
    aliases: Looked<Vec<Alias>>,
    aws: Looked<Aws>,
}

impl Measuring {
    pub(crate) async fn of(account: &Account, stack: &str) -> Self {
        let config = account.config().await;
        let lambda = aws_sdk_lambda::Client::new(&config);
        let (aliases, settings) = functions::answering(&lambda, stack).await;
        let aws = settings.map(|settings| Aws::new(settings, &config)).map_err(|why| {
            format!(
                "the functions' settings, which name the services, cannot be read (lambda:GetFunctionConfiguration): {why}"
            )
        });
        Self { s3: account.s3().await, lambda, stack: stack.to_owned(), aliases, aws, config }
    }

    /// Looks at each service once.
    pub(crate) async fn look(&self, now: Timestamp) -> Look {
        let mut services = BTreeMap::new();
        if let Ok(aws) = &self.aws {
            for (name, own) in &aws.settings().services {
                services.insert(name.clone(), self.look_at(aws, name, own, now).await);
            }
        }
        Look { at: now, services }
    }

    async fn look_at(
        &self,
        aws: &Aws,
        name: &ServiceName,
        own: &ServiceSettings,
        now: Timestamp,
    ) -> ServiceLook {
        let minute = now.as_second().div_euclid(60);
        let window = Window { from: minute - MINUTES, until: minute + 1 };
        let minutes = aws.published(name, window).await.map(|minutes| {
            let requests = minutes.iter().map(|one| (one.minute, one.blue.requests + one.green.requests));
            requests.filter(|(_, requests)| *requests > 0).collect()
        });
        ServiceLook {
            ledger: self.ledger(&aws.settings().state_bucket, name).await,
            minutes: minutes.map_err(|failure| cause(&failure)),
            rules: aws.rules(name).await.map_err(|failure| cause(&failure)),
            health: PerColour {
                blue: aws.target_health(name, Colour::Blue).await.map_err(|failure| cause(&failure)),
                green: aws.target_health(name, Colour::Green).await.map_err(|failure| cause(&failure)),
            },
            group: services::group(&self.config, &own.auto_scaling_group).await,
        }
    }

    /// As it lies in the state bucket: the function need not be invoked for it.
    async fn ledger(&self, bucket: &str, service: &ServiceName) -> Looked<Option<Ledger>> {
        let get = self.s3.get_object().bucket(bucket).key(format!("ledger/{service}.json")).send().await;
        let get = match get {
            Ok(get) => get,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(why(error)),
        };
        let body = get.body.collect().await.map_err(|error| error.to_string())?;
        Ledger::from_json(&body.into_bytes()).map(Some).map_err(|error| error.to_string())
    }

    /// What AWS has kept, beside these looks.
    pub(crate) async fn read(&self, looks: Vec<Look>, now: Timestamp) -> Seen {
        let aws = self.aws.as_ref().map_err(Clone::clone);
        let logs = logs::Logs::of(&self.config, &self.stack, now);
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&self.config);
        let alarms = aws.clone().map(|aws| alarms(aws.settings()));
        Seen {
            known: aws.clone().map(|_| ()),
            expressions: match &alarms {
                Ok(alarms) => metrics::expressions(&cloudwatch, alarms, now).await,
                Err(why) => Err(why.clone()),
            },
            transitions: match &alarms {
                Ok(alarms) => metrics::transitions(&cloudwatch, alarms, now).await,
                Err(why) => Err(why.clone()),
            },
            account: metrics::account(&cloudwatch, &self.lambda, now).await,
            conditions: match &aws {
                Ok(aws) => kept::conditions(&self.config, &aws.settings().listener_arn).await,
                Err(why) => Err(why.clone()),
            },
            deployments: match &aws {
                Ok(aws) => kept::deployments(aws).await,
                Err(why) => Err(why.clone()),
            },
            firewall_logs: match &aws {
                Ok(aws) => kept::firewall_logs(&self.s3, &self.stack, aws.settings(), now).await,
                Err(why) => Err(why.clone()),
            },
            uploads: match &aws {
                Ok(aws) => logs.uploads(&self.s3, &aws.settings().artifact_bucket).await,
                Err(why) => Err(why.clone()),
            },
            boots: match aws.as_ref().map_err(Clone::clone).and(instances(&looks)) {
                Ok(in_service) => logs.boots(&in_service).await,
                Err(why) => Err(why),
            },
            starts: logs.starts().await,
            clocks: logs.clocks().await,
            versions: self.versions().await,
            endpoint: self.variables("upload", None).await.map(|mut all| all.remove("AWS_ENDPOINT_URL")),
            looks,
        }
    }

    async fn versions(&self) -> Looked<Versions> {
        let aliases = self.aliases.clone()?;
        let function = self.variables("lifecycle", None).await?;
        let mut others = BTreeMap::new();
        for alias in &aliases {
            let version = self.variables("lifecycle", Some(&alias.version)).await?;
            let names: BTreeSet<&String> = version.keys().chain(function.keys()).collect();
            let other = names.into_iter().filter(|name| version.get(*name) != function.get(*name));
            others.insert(alias.name, other.cloned().collect());
        }
        Ok(Versions { aliases, others })
    }

    /// What a version of a function is told; without a version the function itself.
    async fn variables(&self, function: &str, version: Option<&str>) -> Looked<BTreeMap<String, String>> {
        let call =
            self.lambda.get_function_configuration().function_name(format!("{}-{function}", self.stack));
        let output = call.set_qualifier(version.map(str::to_owned)).send().await.map_err(why)?;
        Ok(functions::variables(&output))
    }
}

/// Those in service at the last look, by service.
fn instances(looks: &[Look]) -> Looked<BTreeMap<ServiceName, BTreeSet<InstanceId>>> {
    let last = looks.last().into_iter().flat_map(|look| &look.services);
    let known = last.map(|(name, service)| {
        let group = service.group.as_ref().map_err(Clone::clone)?;
        Ok((name.clone(), group.in_service.clone()))
    });
    known.collect()
}

/// The names of all alarms of services.
fn alarms(settings: &Settings) -> Vec<String> {
    let alarms = settings.services.values().map(|service| &service.alarms);
    alarms.flat_map(|PerColour { blue, green }| blue.iter().chain(green).cloned()).collect()
}
