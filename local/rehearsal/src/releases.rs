//! Releasing as a user does: a bundle with the kit, an upload, and the verdict on the uploaded object.

use crate::product::Product;
use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use cloud::Places;
use jiff::Timestamp;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

/// Between two looks at a verdict.
const LOOK: Duration = Duration::from_millis(300);

/// Makes bundles, uploads them, and reads what became of them.
#[derive(Debug)]
pub struct Releases {
    s3: Client,
    places: Places,
    product: Product,
}

/// An uploaded bundle.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The service it is for.
    pub service: String,
    /// Its number.
    pub number: u32,
    /// When it was uploaded.
    pub at: Timestamp,
    key: String,
    version: Option<String>,
    /// How it ended, once it has.
    pub verdict: Option<ToldVerdict>,
}

/// How a release ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldVerdict {
    /// `live`, `rejected` or `superseded`.
    pub word: String,
    /// The text of the object's tag `greenlight:reason`.
    pub reason: String,
}

impl ToldVerdict {
    /// What became of the release.
    pub(crate) fn sentence(&self) -> String {
        // Some reasons begin with the word.
        let reason =
            self.reason.strip_prefix(&self.word).map_or_else(|| self.reason.as_str(), str::trim_start);
        match self.word.as_str() {
            "superseded" => format!("is superseded {reason}"),
            word => format!("is {word}: {reason}"),
        }
    }
}

impl Releases {
    /// For the product behind these clients.
    pub fn new(aws: &SdkConfig, places: &Places, product: Product) -> Self {
        Self { s3: Client::new(aws), places: places.clone(), product }
    }

    /// Makes a bundle of the sample application with the product's own script. `behaviour` is how it misbehaves.
    ///
    /// # Errors
    /// When the script fails or the sample application is not built.
    pub async fn bundle(&self, service: &str, number: u32, behaviour: &Value) -> Result<PathBuf> {
        self.bundle_with(service, number, behaviour, None).await
    }

    async fn bundle_with(
        &self,
        service: &str,
        number: u32,
        behaviour: &Value,
        smoke: Option<&str>,
    ) -> Result<PathBuf> {
        let folder = self.places.state.join("bundles").join(format!("{service}-{number}"));
        fs::create_dir_all(&folder)?;
        let binary = self.places.binary("sample-app");
        fs::copy(&binary, folder.join("app"))
            .with_context(|| format!("{} is missing; run make demo", binary.display()))?;
        fs::write(folder.join("release"), format!("{number}\n"))?;
        fs::write(folder.join("behaviour.json"), behaviour.to_string())?;
        if let Some(smoke) = smoke {
            fs::write(folder.join("smoke.txt"), smoke)?;
        }
        let bundle = folder.with_extension("zip");
        let script = self.places.kit().join("bundle");
        let output = Command::new(&script).arg(&folder).arg(&bundle).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("cannot start {}", script.display()))?;
        if !output.status.success() {
            bail!("{} failed: {}", script.display(), String::from_utf8_lossy(&output.stderr));
        }
        Ok(bundle)
    }

    /// Makes and uploads a release.
    ///
    /// # Errors
    /// When the bundle cannot be made or uploaded.
    pub async fn upload(&self, service: &str, number: u32, behaviour: &Value) -> Result<Upload> {
        self.upload_with(service, number, behaviour, None).await
    }

    /// Makes and uploads a release whose bundle has this `smoke.txt`, if any.
    ///
    /// # Errors
    /// As [`Releases::upload`].
    pub async fn upload_with(
        &self,
        service: &str,
        number: u32,
        behaviour: &Value,
        smoke: Option<&str>,
    ) -> Result<Upload> {
        let bundle = self.bundle_with(service, number, behaviour, smoke).await?;
        let key = format!(
            "releases/{service}/{number}-{:07x}.zip",
            0x00c0_ffee_u32.wrapping_mul(number) & 0x0fff_ffff
        );
        let body = ByteStream::from_path(&bundle)
            .await
            .with_context(|| format!("cannot read {}", bundle.display()))?;
        let at = cloud::now();
        let put = self.s3.put_object().bucket(&self.product.artifacts).key(&key).body(body).send().await;
        let put = put.with_context(|| format!("cannot upload {key}"))?;
        let version = put.version_id().map(ToOwned::to_owned);
        Ok(Upload { service: service.to_owned(), number, at, key, version, verdict: None })
    }

    /// The tags that say what became of an upload so far; none before the first word.
    ///
    /// # Errors
    /// When S3 does not answer.
    pub async fn word(&self, upload: &Upload) -> Result<Option<ToldVerdict>> {
        let request = self.s3.get_object_tagging().bucket(&self.product.artifacts).key(&upload.key);
        let answer = request.set_version_id(upload.version.clone()).send().await;
        let answer = answer.with_context(|| format!("cannot read the tags of {}", upload.key))?;
        let tag = |name: &str| {
            answer.tag_set().iter().find(|tag| tag.key() == name).map(|tag| tag.value().to_owned())
        };
        Ok(tag("greenlight:verdict")
            .map(|word| ToldVerdict { word, reason: tag("greenlight:reason").unwrap_or_default() }))
    }

    /// Waits until the tags say one of these words.
    ///
    /// # Errors
    /// When they do not within `limit`.
    pub async fn until(&self, upload: &Upload, words: &[&str], limit: Duration) -> Result<ToldVerdict> {
        let mut last = None;
        let said = async {
            loop {
                last = self.word(upload).await?;
                if let Some(verdict) = last.clone().filter(|verdict| words.contains(&verdict.word.as_str())) {
                    return Ok::<_, anyhow::Error>(verdict);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        if let Ok(outcome) = tokio::time::timeout(limit, said).await {
            return outcome;
        }
        let last = last.map_or_else(
            || "no verdict".to_owned(),
            |verdict| format!("{} ({})", verdict.word, verdict.reason),
        );
        bail!(
            "release {} of {} is not {} after {limit:?}: {last}; the functions' logs are in {}",
            upload.number,
            upload.service,
            words.join(" or "),
            self.places.state.join("logs").display()
        )
    }

    /// Waits until the open release of a service has weight.
    ///
    /// # Errors
    /// When it has none within `limit`.
    pub async fn until_shifting(&self, service: &str, limit: Duration) -> Result<()> {
        let shifting = async {
            loop {
                let ledger = self.ledger(service).await?;
                let is = |pointer, word| ledger.pointer(pointer).and_then(Value::as_str) == Some(word);
                // Without weight it would still yield to a newer upload.
                if is("/open/phase", "shifting") && is("/open/state/trial/raised", "decided") {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = tokio::time::timeout(limit, shifting).await;
        waited.unwrap_or_else(|_| bail!("no release of {service} has traffic after {limit:?}"))
    }

    /// What a release has left. It is written by a tick, after the verdict.
    ///
    /// # Errors
    /// When there is none within `limit`.
    pub async fn receipt(&self, upload: &Upload, limit: Duration) -> Result<Value> {
        let Upload { service, number, .. } = upload;
        let prefix = format!("receipts/{service}/{number:010}-");
        let written = async {
            loop {
                let listed = self.s3.list_objects_v2().bucket(&self.product.state).prefix(&prefix);
                let listed = listed.send().await.with_context(|| format!("cannot list {prefix}"))?;
                if let Some(key) = listed.contents().iter().filter_map(|object| object.key()).next_back() {
                    let object = self.s3.get_object().bucket(&self.product.state).key(key).send().await;
                    let object = object.with_context(|| format!("cannot read {key}"))?;
                    return Ok(serde_json::from_slice(&object.body.collect().await?.into_bytes())?);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = tokio::time::timeout(limit, written).await;
        waited.unwrap_or_else(|_| bail!("release {number} of {service} has left no receipt after {limit:?}"))
    }

    /// A service's ledger; null when it has none yet.
    async fn ledger(&self, service: &str) -> Result<Value> {
        let key = format!("ledger/{service}.json");
        let object = match self.s3.get_object().bucket(&self.product.state).key(&key).send().await {
            Ok(object) => object,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::get_object::GetObjectError::is_no_such_key) =>
            {
                return Ok(Value::Null);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {key}")),
        };
        Ok(serde_json::from_slice(&object.body.collect().await?.into_bytes())?)
    }

    /// All ledgers, by service.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn ledgers(&self) -> Result<Vec<(String, Value)>> {
        let mut ledgers = Vec::new();
        for service in &self.product.services {
            ledgers.push((service.clone(), self.ledger(service).await?));
        }
        Ok(ledgers)
    }
}
