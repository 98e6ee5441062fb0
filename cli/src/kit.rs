//! The kit, as it travels in every bundle. It is part of the program, so that a build needs nothing else.

/// A file of the kit.
#[derive(Debug)]
pub(crate) struct KitFile {
    /// Its path in the bundle.
    pub(crate) path: &'static str,
    pub(crate) content: &'static [u8],
}

impl KitFile {
    /// Hooks are run, the rest is read.
    pub(crate) fn mode(&self) -> u32 {
        if self.content.starts_with(b"#!") { 0o755 } else { 0o644 }
    }
}

macro_rules! kit {
    ($($path:literal),* $(,)?) => {
        &[$(KitFile {
            path: $path,
            content: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../instance/", $path)),
        }),*]
    };
}

/// Every file of it, by path.
pub(crate) const FILES: &[KitFile] = kit![
    "appspec.yml",
    "hooks/after_install.sh",
    "hooks/application_start.sh",
    "hooks/ask.sh",
    "hooks/before_install.sh",
    "hooks/migrate.sh",
    "hooks/release.sh",
    "hooks/resume.sh",
    "hooks/smoke.sh",
    "hooks/validate_service.sh",
    "nginx/counts.awk",
    "nginx/counts.sh",
    "nginx/nginx.conf",
    "nginx/nginx.sh",
    "runtimes/compose.sh",
    "runtimes/environment.sh",
    "runtimes/process.sh",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_whole_kit_is_in_the_program() {
        let instance = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance");
        let mut files = vec!["appspec.yml".to_owned()];
        for folder in ["hooks", "nginx", "runtimes"] {
            for entry in std::fs::read_dir(instance.join(folder)).unwrap() {
                files.push(format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()));
            }
        }
        files.sort();
        assert_eq!(FILES.iter().map(|file| file.path).collect::<Vec<_>>(), files);
    }
}
