//! `greenlight bundle pack`: a program and the kit, as one bundle.

mod architecture;
mod left_out;

use crate::archive::{Archive, Form};
use crate::check::{self, Line};
use crate::kit;
use crate::manifest::{self, Manifest};
use crate::say;
use crate::told::{Told, environment};
use anyhow::{Context as _, bail};
use architecture::{Architecture, HEADER_BYTES, of_program};
use clap::Args;
use left_out::Why;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to pack, and what it is.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A folder with compose.yaml, start.sh or app, and what they need
    folder: PathBuf,
    /// Where the bundle goes
    #[arg(long, short, default_value = "bundle.zip")]
    output: PathBuf,
    #[command(flatten)]
    told: Told,
    /// When it was built, in seconds since 1970; the same seconds give the same bytes
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH")]
    built_at: Option<i64>,
    /// The instances' processor; a program for another one is refused
    #[arg(long, value_enum, default_value_t = Architecture::Arm64)]
    architecture: Architecture,
    /// The CodeDeploy agent on the instances
    #[arg(long, value_enum, default_value_t = Line::One)]
    agent: Line,
}

/// Where the program lies in a bundle; `files:` in the kit's appspec.yml says so.
const PROGRAM: &str = "app/";

/// Packs, checks, and leaves the bundle only if it is good.
///
/// # Errors
/// When the folder cannot be read or the bundle not be written.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { folder, output, .. } = arguments;
    if !folder.is_dir() {
        bail!("{} is no folder: name the one that holds compose.yaml, start.sh or app", folder.display());
    }
    if let Some(why) = for_another_processor(folder, arguments.architecture) {
        say::beside(&format!("{why}\n{}", not_written(output)));
        return Ok(ExitCode::FAILURE);
    }
    let manifest = Manifest {
        number: arguments.told.number(None, environment)?,
        commit: arguments.told.commit(None, environment)?,
        built_at: arguments.built_at.map(manifest::time).transpose()?,
        architecture: arguments.architecture.to_string(),
    };

    let beside = output.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let cannot = || format!("{} cannot be written", output.display());
    std::fs::create_dir_all(beside).with_context(cannot)?;
    let temporary = tempfile::NamedTempFile::new_in(beside).with_context(cannot)?;
    let mut archive = Archive::new(temporary.reopen().with_context(cannot)?, Form::Bundle);
    for file in kit::FILES {
        archive.add_file(file.path, file.mode(), file.content)?;
    }
    archive.add_file(manifest::NAME, 0o644, manifest.to_text()?.as_bytes())?;
    // The bundle may be written into the folder that is packed: neither it nor the one before is part of it.
    let own: Vec<PathBuf> =
        [output.as_path(), temporary.path()].iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut secrets = Vec::new();
    archive.add_folder(folder, PROGRAM, |path| {
        let why = left_out::why(path);
        if why == Some(Why::Secret) {
            secrets.push(path.to_owned());
        }
        why.is_some() || folder.join(path).canonicalize().is_ok_and(|path| own.contains(&path))
    })?;
    let (file, odd_names) = archive.finish()?;

    let inspection = check::file(file, odd_names).await?;
    let name = output.display().to_string();
    let refused = check::tell(&name, None, &inspection, arguments.agent.agent(), check::Output::Text)?;
    for path in secrets {
        say::beside(&format!("left out: {path} is a secret by its name"));
    }
    if refused {
        say::beside(&not_written(output));
        return Ok(ExitCode::FAILURE);
    }
    // What is temporary is private; a bundle is what `zip` would have left.
    std::fs::set_permissions(temporary.path(), readable()).with_context(cannot)?;
    temporary.persist(output).map_err(|error| error.error).with_context(cannot)?;
    let bytes = std::fs::metadata(output).with_context(cannot)?.len();
    say::answer(&format!("{name}: {bytes} bytes, {}\n", manifest.in_words()))?;
    Ok(ExitCode::SUCCESS)
}

fn not_written(bundle: &Path) -> String {
    format!("{} was not written: mend what is said above", bundle.display())
}

fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Why the program cannot run on the instances. What it loads, and what is in an image, is not looked at.
fn for_another_processor(folder: &Path, wanted: Architecture) -> Option<String> {
    let path = folder.join("app");
    let mut header = Vec::new();
    // A folder called app cannot be read, and is no program.
    File::open(&path).ok()?.take(HEADER_BYTES).read_to_end(&mut header).ok()?;
    let found = of_program(&header).filter(|found| *found != wanted)?;
    Some(format!(
        "{} was built for {found}, and the instances have {wanted}: build it for {wanted}, or say --architecture {found}",
        path.display()
    ))
}
