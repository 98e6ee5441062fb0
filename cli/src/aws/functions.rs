//! The stack's functions, invoked as `aws lambda invoke` does.

use super::Account;
use crate::say;
use anyhow::{Context as _, bail};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use greenlight::aws::classify::{Caller, failure_of};
use greenlight::failure::chain;
use serde_json::Value;

/// The alias of `lifecycle` that is for people. Instances have one of their own, which takes no command.
const OPERATORS: &str = "operators";

/// The functions of one stack.
pub(crate) struct Functions<'a> {
    client: Client,
    stack: &'a str,
}

impl<'a> Functions<'a> {
    pub(crate) async fn of(account: &Account, stack: &'a str) -> Self {
        Self { client: Client::new(&account.config().await), stack }
    }

    /// What `lifecycle` answers.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub(crate) async fn lifecycle(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke("lifecycle", Some(OPERATORS), payload).await
    }

    /// What `waf-logs` answers.
    ///
    /// # Errors
    /// As [`Self::invoke`].
    pub(crate) async fn waf_logs(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke("waf-logs", None, payload).await
    }

    /// Invokes a function and waits for its answer. A command that is sent twice is the same as once, so the SDK may
    /// repeat a call.
    ///
    /// # Errors
    /// When there is none of that name, it may not be invoked, or it failed; with its own words.
    async fn invoke(&self, function: &str, alias: Option<&str>, payload: &Value) -> anyhow::Result<Value> {
        let name = format!("{}-{function}", self.stack);
        let call = |alias: Option<&str>| {
            let invocation =
                self.client.invoke().function_name(&name).set_qualifier(alias.map(str::to_owned));
            invocation.payload(Blob::new(payload.to_string())).send()
        };
        let mut sent = call(alias).await;
        // A stack that was not updated yet has no alias, and rights that were given before there was one do not name it.
        let code = sent.as_ref().err().and_then(|error| error.code().map(str::to_owned));
        let denied = code.as_deref() == Some("AccessDeniedException");
        if let Some(alias) = alias.filter(|_| denied || code.as_deref() == Some("ResourceNotFoundException"))
        {
            let bare = call(None).await;
            if denied && bare.is_ok() {
                // An abort at night must not fail for that; but whoever sends it must know whom it reached.
                say::beside(&format!(
                    "these credentials may not invoke {name}:{alias}, so {name} itself was asked: while a new version of \
                     Greenlight is being tried, or after it was given up, that is the new one. Let them have \
                     lambda:InvokeFunction on {name}:{alias}"
                ));
            }
            // What the alias said names the right that is missing.
            sent = if denied && bare.is_err() { sent } else { bare };
        }
        let output = match sent {
            Ok(output) => output,
            Err(error) if error.code() == Some("ResourceNotFoundException") => {
                bail!(
                    "there is no function {name} in this account and region: name the stack with --stack, and where it \
                     is with --profile and --region"
                )
            }
            Err(error) => {
                let failure = failure_of(Caller::Person, format!("invoking {name}"), error);
                bail!("{}", chain(&failure))
            }
        };
        let answer = output.payload().map(Blob::as_ref).unwrap_or_default();
        let answer: Value = serde_json::from_slice(answer)
            .with_context(|| format!("{name} answered with something that is no JSON"))?;
        if output.function_error().is_some() {
            let says = answer.get("errorMessage").and_then(Value::as_str).unwrap_or("it does not say why");
            bail!("{name} could not do it: {says}");
        }
        Ok(answer)
    }
}
