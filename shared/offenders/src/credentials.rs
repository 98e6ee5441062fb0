//! Where credentials are tried, and which answers refuse them.

use crate::configuration::Credentials;
use crate::path;

/// The configuration's paths, made ready.
#[derive(Debug, Clone)]
pub(crate) struct CredentialPaths {
    paths: Vec<Pattern>,
    methods: Vec<Vec<u8>>,
    refused: Vec<u16>,
    refused_at: Vec<(Pattern, Vec<u16>)>,
}

/// A path where credentials are tried: what refuses them there beside the usual answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(u8);

impl Place {
    const USUAL: Self = Self(u8::MAX);
}

#[derive(Debug, Clone)]
struct Pattern {
    /// In the normal form.
    path: Vec<u8>,
    /// What begins so.
    is_prefix: bool,
    /// What ends so.
    is_suffix: bool,
}

impl Pattern {
    fn new(path: &str) -> Self {
        let (path, is_prefix) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        let (path, is_suffix) = path.strip_prefix('*').map_or((path, false), |path| (path, true));
        let mut bytes = path::normalise(path.as_bytes()).bytes;
        if is_prefix && path.ends_with('/') && !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        Self { path: bytes, is_prefix, is_suffix }
    }

    fn fits(&self, path: &[u8]) -> bool {
        match (self.is_suffix, self.is_prefix) {
            (true, true) => memchr::memmem::find(path, &self.path).is_some(),
            (true, false) => path.ends_with(&self.path),
            (false, true) => path.starts_with(&self.path),
            (false, false) => path == self.path,
        }
    }

    /// With or without what a file's name ends with.
    fn fits_file(&self, path: &[u8]) -> bool {
        self.fits(path) || self.fits(without_extension(path))
    }
}

impl CredentialPaths {
    pub(crate) fn new(credentials: &Credentials) -> Self {
        let methods = credentials.methods.iter().map(|method| method.to_ascii_uppercase().into_bytes());
        let refused_at = credentials.refused_at.iter();
        Self {
            paths: credentials.paths.iter().map(|path| Pattern::new(path)).collect(),
            methods: methods.collect(),
            refused: credentials.refused.clone(),
            refused_at: refused_at.map(|(path, statuses)| (Pattern::new(path), statuses.clone())).collect(),
        }
    }

    /// Whether credentials are tried at this normal path.
    pub(crate) fn place(&self, path: &[u8]) -> Option<Place> {
        let path = without_padding(path);
        let own = self.refused_at.iter().position(|(pattern, _)| pattern.fits_file(path));
        if let Some(own) = own {
            return Some(Place(u8::try_from(own).ok().filter(|&own| own != u8::MAX)?));
        }
        self.paths.iter().any(|pattern| pattern.fits_file(path)).then_some(Place::USUAL)
    }

    /// Whether a request with this method tries any.
    pub(crate) fn has_method(&self, method: &[u8]) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|wanted| wanted.eq_ignore_ascii_case(method))
    }

    /// Whether this answer refuses them.
    pub(crate) fn refuses(&self, place: Place, status: u16) -> bool {
        self.refused.contains(&status)
            || self
                .refused_at
                .get(usize::from(place.0))
                .is_some_and(|(_, statuses)| statuses.contains(&status))
    }
}

/// Servers drop what some clients append: blanks, NUL, dots, an encoded query.
fn without_padding(path: &[u8]) -> &[u8] {
    let path = path.split(|&byte| byte == b'?' || byte == b'#').next().unwrap_or_default();
    let end = path.iter().rposition(|&byte| byte > b' ' && byte != b'.').map_or(0, |last| last + 1);
    &path[..end]
}

/// `/login.php` is `/login`.
fn without_extension(path: &[u8]) -> &[u8] {
    const LONGEST: usize = 6;
    let name = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    match memchr::memrchr(b'.', &path[name..]) {
        Some(dot) if dot > 0 && path.len() - name - dot <= LONGEST => &path[..name + dot],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Option<Place> {
        CredentialPaths::new(&Credentials::default()).place(&path::normalise(path.as_bytes()).bytes)
    }

    #[test]
    fn credentials_are_tried_where_frameworks_put_it() {
        for path in [
            "/login",
            "/Account/Login.aspx",
            "/accounts/login/",
            "/user/login",
            "/login.php",
            "/users/sign_in.json",
            "/api/v2/auth/login",
            "/oauth/token",
            "/realms/shop/protocol/openid-connect/token",
            "/login%00",
            "/login%20",
            "/login.",
            "/login%3fa=b",
            "/wp-login.php",
        ] {
            assert!(place(path).is_some(), "{path}");
        }
        for path in [
            "/",
            "/logins",
            "/login/help",
            "/products/login-7",
            "/api/v1/orders",
            "/oauth/token/refresh",
            "/blogin",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn wordpress_refuses_with_200() {
        let paths = CredentialPaths::new(&Credentials::default());
        let wordpress = paths.place(b"/blog/wp-login.php").unwrap();
        let usual = paths.place(b"/login").unwrap();
        assert!(
            paths.refuses(wordpress, 200) && paths.refuses(wordpress, 403) && !paths.refuses(wordpress, 302)
        );
        assert!(!paths.refuses(usual, 200) && paths.refuses(usual, 422));
        assert!(paths.has_method(b"put") && !paths.has_method(b"GET"));
    }
}
