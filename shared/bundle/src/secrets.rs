//! What should not travel in a bundle: by its name, and where the content is at hand, by what it holds.

use crate::tree::{Kind, Tree};
use appspec::finding::{Code, Finding, Findings};

/// Folders of libraries, whose tests bring keys of their own.
const LIBRARIES: [&str; 4] = ["node_modules/", "site-packages/", "vendor/", "gems/"];

const REMEDY: &str =
    "leave it out of the bundle: read it on the instance from Parameter Store or Secrets Manager";

/// Says which files are secrets by their names.
pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    let mut folders = vec![tree.root()];
    while let Some(folder) = folders.pop() {
        for node in tree.children(folder) {
            match tree.kind(node) {
                Kind::Folder => folders.push(node),
                Kind::File if may_be_secret(tree.name(node)) => findings.extend(by_name(&tree.path(node))),
                Kind::File | Kind::Link => {}
            }
        }
    }
}

/// A quick look that spares the paths of most files.
fn may_be_secret(name: &str) -> bool {
    name.starts_with('.') || name.starts_with("id_") || name == "credentials" || extension(name).len() == 3
}

/// A file that is a secret by its name.
pub fn by_name(path: &str) -> Option<Finding> {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let in_library = LIBRARIES.iter().any(|folder| path.contains(folder));
    let kind = match name.as_str() {
        ".env" => "environment variables",
        _ if name.starts_with(".env.") && !is_example(&name) => "environment variables",
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519" => "a private key",
        ".netrc" | ".git-credentials" | ".pgpass" | ".my.cnf" | ".htpasswd" => "passwords",
        "credentials" if path.ends_with(".aws/credentials") => "AWS credentials",
        _ if in_library => return None,
        _ if ["key", "ppk", "p12", "pfx", "jks"].contains(&extension(&name)) && !is_public(&name) => {
            "a private key"
        }
        _ if extension(&name) == "pem" && !is_public(&name) => "a private key, perhaps",
        _ => return None,
    };
    let what = format!("the file holds {kind}, by its name");
    Some(Finding::new(Code::Secret, what, REMEDY).of(path))
}

/// A file that is a secret by its content.
pub fn by_content(path: &str, content: &[u8]) -> Option<Finding> {
    if LIBRARIES.iter().any(|folder| path.contains(folder)) {
        return None;
    }
    let kind = if is_private_key(content) {
        "a private key"
    } else if is_access_key(content) {
        "an AWS access key"
    } else {
        return None;
    };
    let what = format!("the file holds {kind}");
    Some(Finding::new(Code::Secret, what, REMEDY).of(path))
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_example(name: &str) -> bool {
    ["example", "sample", "template", "dist", "defaults"].iter().any(|word| name.contains(word))
}

/// A certificate and its like.
fn is_public(name: &str) -> bool {
    ["cert", "chain", "pub", "ca-", "ca.", "cacert", "bundle", "root", "example"]
        .iter()
        .any(|word| name.contains(word))
}

/// `-----BEGIN PRIVATE KEY-----` and its kin, at the beginning of a line (RFC 7468).
fn is_private_key(content: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    content.split(|byte| *byte == b'\n').any(|line| {
        let rest = line.strip_prefix(BEGIN).unwrap_or_default();
        rest.get(..rest.len().min(60))
            .unwrap_or_default()
            .windows(16)
            .any(|words| words == b"PRIVATE KEY-----")
    })
}

/// `AKIA` and sixteen capitals and digits (IAM user guide, unique identifiers).
fn is_access_key(content: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let mut words = content.split(|byte| !is_part(byte));
    words.any(|word| {
        word.len() == 20
            && (word.starts_with(b"AKIA") || word.starts_with(b"ASIA"))
            && !word.ends_with(b"EXAMPLE")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for path in [
            "app/.env",
            ".env.production",
            "deploy/id_rsa",
            "keys/server.key",
            "app/key.pem",
            "home/.aws/credentials",
        ] {
            assert!(by_name(path).is_some(), "{path}");
        }
        for path in [
            "app/.env.example",
            "app/fullchain.pem",
            "app/id_rsa.pub",
            "app/node_modules/x/test/key.pem",
            "app/keyboard.js",
            "app/credentials",
        ] {
            assert_eq!(by_name(path), None, "{path}");
        }
    }

    #[test]
    fn contents_of_secrets_are_known() {
        for content in [
            "x\n-----BEGIN RSA PRIVATE KEY-----\nMII",
            "-----BEGIN PRIVATE KEY-----",
            "id = AKIAIOSFODNN7EXAMPLX",
        ] {
            assert!(by_content("app/a", content.as_bytes()).is_some(), "{content}");
        }
        for content in [
            "-----BEGIN CERTIFICATE-----",
            "grep -- '-----BEGIN PRIVATE KEY-----'",
            "AKIAIOSFODNN7EXAMPLE",
            "AKIA",
        ] {
            assert_eq!(by_content("app/a", content.as_bytes()), None, "{content}");
        }
    }
}
