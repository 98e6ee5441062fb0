//! The agent on an instance: what the real one (1.8.1) does with the service's commands.

mod bundle;
mod hook;
mod install;
mod script_log;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use appspec::agent1::{AppSpec, FILE_NAME};

use crate::{
    aws::Aws,
    diagnostics::{Diagnostics, at},
    fleet::{Host, Life},
    folders::Folders,
    lifecycle_events::POSSIBLE_LIFECYCLE_EVENTS,
    specification::Specification,
};

/// The agent of one instance.
pub(crate) struct Agent {
    pub(crate) host: Arc<Host>,
    pub(crate) aws: Arc<dyn Aws>,
    /// Hook time-outs are multiplied by this; 1 is AWS.
    pub(crate) hook_timeout_scale: f64,
}

impl Agent {
    /// Runs one command to its end. Never returns when the instance dies meanwhile, as on EC2: the service then
    /// waits for its own time-out.
    pub(crate) async fn execute(&self, event: &'static str, specification: &Specification) -> Diagnostics {
        let mut life = self.host.life();
        let born = *life.borrow_and_update();
        if born == Life::Dead {
            return std::future::pending().await;
        }
        let restarted = async {
            let changed = life.wait_for(|now| *now != born).await.is_ok_and(|now| *now != Life::Dead);
            if !changed {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            diagnostics = self.command(event, specification) => {
                if self.host.is_dead() { std::future::pending().await } else { diagnostics }
            }
            () = restarted => {
                Diagnostics::unknown("Failed: Failing in-progress lifecycle event after an agent restart.")
            }
        }
    }

    async fn command(&self, event: &'static str, specification: &Specification) -> Diagnostics {
        let folders = self.host.folders();
        if let Err(error) = fs::create_dir_all(folders.deployment(specification)) {
            return Diagnostics::unknown(error);
        }
        let result = match event {
            "DownloadBundle" => bundle::download(&folders, specification, self.aws.as_ref()).await,
            "Install" => {
                let specification = specification.clone();
                let done = tokio::task::spawn_blocking(move || install(&folders, &specification)).await;
                done.unwrap_or_else(|error| Err(error.to_string()))
            }
            _ => return self.hook(event, specification, &folders).await,
        };
        match result {
            Ok(()) => Diagnostics::success(String::new()),
            Err(message) => Diagnostics::unknown(message),
        }
    }

    async fn hook(&self, event: &str, specification: &Specification, folders: &Folders) -> Diagnostics {
        let current = folders.deployment(specification);
        let revision = if event == "ApplicationStop" && !current.join("deployment-archive").exists() {
            match fs::read_to_string(folders.last_successful_install(specification)) {
                Ok(previous) => PathBuf::from(previous.trim_end()),
                Err(_) => return Diagnostics::success(String::new()),
            }
        } else {
            current.clone()
        };
        let archive = revision.join("deployment-archive");
        let appspec = match read_appspec(&archive) {
            Ok(appspec) => appspec,
            Err(message) => return Diagnostics::unknown(message),
        };
        let scripts = appspec.scripts(event);
        if scripts.is_empty() {
            return Diagnostics::success(String::new());
        }
        let run = hook::Run {
            host: &self.host,
            archive: &archive,
            log_file: &current.join("logs/scripts.log"),
            variables: hook_variables(event, specification),
            timeout_scale: self.hook_timeout_scale,
        };
        run.all(event, scripts).await
    }
}

/// Only these are added to the agent's own environment; the creator of the deployment is not among them.
fn hook_variables(event: &str, specification: &Specification) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("LIFECYCLE_EVENT", event.to_owned()),
        ("DEPLOYMENT_ID", specification.deployment_id.clone()),
        ("APPLICATION_NAME", specification.application.clone()),
        ("DEPLOYMENT_GROUP_NAME", specification.group.clone()),
        ("DEPLOYMENT_GROUP_ID", specification.group_id.clone()),
        ("BUNDLE_BUCKET", specification.revision.bucket.clone()),
        ("BUNDLE_KEY", specification.revision.key.clone()),
    ];
    variables.extend(specification.revision.version.clone().map(|version| ("BUNDLE_VERSION", version)));
    variables.extend(specification.revision.e_tag.clone().map(|tag| ("BUNDLE_ETAG", tag)));
    variables
}

fn read_appspec(archive: &Path) -> Result<AppSpec, String> {
    let path = archive.join(FILE_NAME);
    match fs::read(&path) {
        Ok(bytes) => AppSpec::parse(&bytes).map_err(|error| error.message),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at \
             revision-relative path \"{FILE_NAME}\". The revision was unpacked to directory \"{}\", and the AppSpec \
             file was expected but not found at path \"{}\". Consult the AWS CodeDeploy Appspec documentation for \
             more information at http://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file.html",
            archive.display(),
            path.display()
        )),
        Err(error) => Err(at(&path)(error)),
    }
}

fn install(folders: &Folders, specification: &Specification) -> Result<(), String> {
    let archive = folders.deployment(specification).join("deployment-archive");
    let appspec = read_appspec(&archive)?;
    let unknown: Vec<_> = appspec
        .hooks
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !POSSIBLE_LIFECYCLE_EVENTS.contains(name))
        .collect();
    if !unknown.is_empty() {
        return Err(format!("appspec.yml file contains unknown lifecycle events: {unknown:?}"));
    }
    let behavior = appspec.file_exists_behavior.unwrap_or(specification.file_exists_behavior);
    install::Installer { folders, archive: &archive, group_id: &specification.group_id, behavior }
        .install(&appspec)?;
    let note = folders.last_successful_install(specification);
    fs::write(&note, folders.deployment(specification).display().to_string()).map_err(at(&note))
}
