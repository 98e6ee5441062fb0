//! Paths on an instance, as the agents tidy them before they compare them.

/// Where agent 1.x is started, and what a relative path is relative to.
const WORKING_FOLDER: &str = "/opt/codedeploy-agent";

/// Root's, which the agent runs as.
const HOME: &str = "/root";

/// Ruby's `File.expand_path`, and what 2.x has in its place: absolute, without dots, without a slash at its end.
pub(super) fn expand(path: &str) -> String {
    let (start, rest) = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (HOME, rest),
        _ if path.starts_with('/') => ("", path),
        _ => (WORKING_FOLDER, path),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(rest.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What is below `folder`, without a slash at its start; empty for the folder itself, `None` for what lies elsewhere.
pub(super) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(if folder == "/" { "" } else { folder })?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(rest),
        None if rest.is_empty() => Some(rest),
        None => None,
    }
}

/// A name in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    let mut path = folder.to_owned();
    enter(&mut path, name);
    path
}

/// Goes from a folder to a name in it.
pub(super) fn enter(folder: &mut String, name: &str) {
    if folder != "/" {
        folder.push('/');
    }
    folder.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_expanded_as_ruby_does() {
        for (path, expanded) in [
            ("/x/.", "/x"),
            ("/x//lib/../y/", "/x/y"),
            ("/../x", "/x"),
            ("/", "/"),
            ("x", "/opt/codedeploy-agent/x"),
            ("", "/opt/codedeploy-agent"),
            ("~/x", "/root/x"),
        ] {
            assert_eq!(expand(path), expanded, "{path}");
        }
    }

    #[test]
    fn a_folder_of_a_similar_name_is_another_one() {
        assert_eq!(below("/srv/app", "/srv"), Some("app"));
        assert_eq!(below("/srv", "/srv"), Some(""));
        assert_eq!(below("/srv-old", "/srv"), None);
        assert_eq!(below("/srv", "/"), Some("srv"));
    }
}
