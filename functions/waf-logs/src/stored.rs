//! The function's documents in the state bucket: state, configuration, window.

use greenlight::failure::{Class, Failure};
use offenders::configuration::{Configuration, Mode};
use offenders::state::State;

use crate::keys;
use crate::ports::{PortResult, Store, Tag};
use crate::settings::Settings;

/// How often a change of the state is repeated when another writer was first.
pub const ATTEMPTS: usize = 5;

/// Reads the state; a new one when there is none.
///
/// # Errors
/// Permanent: the document is of another version. It is not replaced, because it says which entries are ours.
pub async fn state(store: &impl Store) -> PortResult<(State, Option<Tag>)> {
    let Some((bytes, tag)) = store.read(keys::STATE).await? else { return Ok((State::default(), None)) };
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let state = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let message = format!(
            "{} cannot be read; restore an earlier version of the object, or correct it",
            keys::STATE
        );
        Failure::new(Class::Permanent, message).caused_by(error)
    })?;
    Ok((state, Some(tag)))
}

/// Writes the state if it is still the one that was read; `false` when another writer was first.
///
/// # Errors
/// As the store has them.
pub async fn commit(store: &impl Store, state: &State, expected: Option<&Tag>) -> PortResult<bool> {
    let bytes = serde_json::to_vec_pretty(state).map_err(|error| {
        Failure::new(Class::Permanent, "the state cannot be written as JSON; report this as a bug")
            .caused_by(error)
    })?;
    store.replace(keys::STATE, bytes, expected).await
}

/// Whether no pass and no command has decided anything since this state was written.
///
/// # Errors
/// As [`state`].
pub async fn is_latest(store: &impl Store, written: &State) -> PortResult<bool> {
    let (mut found, _) = state(store).await?;
    // That something was told changes nothing.
    found.untold.clone_from(&written.untold);
    Ok(found == *written)
}

/// Other writers were first, again and again.
pub fn contended() -> Failure {
    Failure::new(
        Class::Conflict,
        format!(
            "{} changed each of {ATTEMPTS} times while this pass decided; the next pass tries again",
            keys::STATE
        ),
    )
}

/// A configuration file that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedConfiguration {
    /// Its version.
    pub etag: String,
    /// What is wrong, each with what to do.
    pub faults: Vec<String>,
}

/// The operator's configuration when it is good, else the last good one. Only the deciding pass reads the file itself.
///
/// # Errors
/// As the store has them.
pub async fn configuration(store: &impl Store) -> PortResult<(Configuration, Option<RefusedConfiguration>)> {
    let Some((bytes, Tag(etag))) = store.read(keys::CONFIGURATION).await? else {
        return Ok((Configuration::default(), None));
    };
    match parse(&bytes) {
        Ok(configuration) => Ok((configuration, None)),
        Err(faults) => Ok((in_force(store).await?, Some(RefusedConfiguration { etag, faults }))),
    }
}

/// Reads and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Configuration, Vec<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| vec!["the file is not UTF-8".to_owned()])?;
    if text.trim().is_empty() {
        return Ok(Configuration::default());
    }
    let configuration: Configuration =
        serde_saphyr::from_str(text).map_err(|error| vec![error.to_string()])?;
    let faults = configuration.faults();
    if faults.is_empty() { Ok(configuration) } else { Err(faults) }
}

/// The last good configuration; the defaults before there was one.
///
/// # Errors
/// As the store has them; permanent when the document is damaged.
pub async fn in_force(store: &impl Store) -> PortResult<Configuration> {
    let Some((bytes, _)) = store.read(keys::IN_FORCE).await? else { return Ok(Configuration::default()) };
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("{} cannot be read; delete it, the next pass writes it anew", keys::IN_FORCE);
        Failure::new(Class::Permanent, message).caused_by(error)
    })
}

/// Keeps a good configuration for when a bad one comes, and for the readers of logs.
///
/// # Errors
/// As the store has them.
pub async fn keep_in_force(store: &impl Store, configuration: &Configuration) -> PortResult<()> {
    let bytes = serde_json::to_vec_pretty(configuration).map_err(|error| {
        Failure::new(Class::Permanent, "the configuration cannot be written as JSON; report this as a bug")
            .caused_by(error)
    })?;
    match store.read(keys::IN_FORCE).await? {
        Some((before, _)) if before == bytes => Ok(()),
        _ => store.write(keys::IN_FORCE, bytes).await,
    }
}

/// Whether anybody is blocked.
pub fn mode(configuration: &Configuration, settings: &Settings) -> Mode {
    configuration.mode.unwrap_or(settings.mode)
}
