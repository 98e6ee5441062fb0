//! Paths that scanners ask for, and where in a path they mean something.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// What asking for a path says about who asks, unless the application answers it with success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Nothing.
    #[default]
    None,
    /// It belongs to a program that other sites run. Old links and browsers' habits lead there too.
    Software,
    /// No page links to it: secrets, and doors of programs that are known to be broken.
    Secret,
}

/// Secrets and doors. `^`: only where a path begins; `$`: only where it ends. All begin where a segment does, but those
/// with `$`, which are the end of a file's name; those with a slash at the end are whole segments.
const SECRETS: &[&str] = &[
    "/.env",
    "/.git/",
    "/.gitignore/",
    "/.svn/",
    "/.hg/",
    "/.aws/",
    "/.ssh/",
    "/.docker/",
    "/.vscode/",
    "/.ds_store/",
    "/.htpasswd/",
    "/.htaccess/",
    "/.npmrc/",
    "/.kube/",
    "/etc/passwd/",
    "/proc/self/",
    "/bin/sh/",
    "/id_rsa/",
    "/vendor/phpunit/",
    "/eval-stdin.php/",
    "/phpinfo.php/",
    "/shell.php/",
    "/c99.php/",
    "/setup-config.php/",
    "^/boaform/",
    "^/hnap1/",
    "^/goform/",
    "^/gponform/",
    "^/jmx-console/",
    "^/_ignition/",
    "^/_cat/indices/",
    "/dump.sql/",
    "$.sql.gz/",
    "$.sql.zip/",
    "$.bak/",
];

/// Programs.
const SOFTWARE: &[&str] = &[
    "/wp-login.php/",
    "/wp-admin/",
    "/wp-includes/",
    "/wp-content/",
    "/wp-json/",
    "/wlwmanifest.xml/",
    "/xmlrpc.php/",
    "/phpmyadmin",
    "/web.config/",
    "/appsettings.json/",
    "/docker-compose.y",
    "/login.action/",
    "^/pma/",
    "^/adminer",
    "^/info.php/",
    "^/actuator/",
    "^/cgi-bin/",
    "^/server-status/",
    "^/server-info/",
    "^/solr/",
    "^/owa/",
    "^/ecp/",
    "^/autodiscover/",
    "^/remote/login/",
    "^/manager/html/",
    "^/telescope/",
    "^/debug/default/view/",
    "^/backup.",
    "^/config.json/",
    "^/config.php/",
    "^/console/",
    "^/geoserver/",
    "^/struts",
    "^/api/jsonws/",
];

#[derive(Debug, Clone, Copy)]
enum Place {
    Anywhere,
    Begin,
    End,
}

/// All of them in one automaton, so that a site with a path for every product does not pay for each part.
#[derive(Debug, Clone)]
pub(crate) struct Probes {
    parts: Option<AhoCorasick>,
    meanings: Vec<(Probe, Place)>,
}

impl Probes {
    /// The built-in ones, and parts that an operator calls odd.
    pub(crate) fn and(also: &[String]) -> Self {
        let built_in =
            |list: &[&'static str], probe| list.iter().map(move |part| (*part, probe)).collect::<Vec<_>>();
        let mut texts = Vec::new();
        let mut meanings = Vec::new();
        for (part, probe) in [built_in(SECRETS, Probe::Secret), built_in(SOFTWARE, Probe::Software)].concat()
        {
            let (text, place) = match part.as_bytes().first() {
                Some(b'^') => (part.trim_start_matches('^'), Place::Begin),
                Some(b'$') => (part.trim_start_matches('$'), Place::End),
                _ => (part, Place::Anywhere),
            };
            texts.push(text.to_owned());
            meanings.push((probe, place));
        }
        for part in also {
            texts.push(part.to_ascii_lowercase());
            meanings.push((Probe::Secret, Place::Anywhere));
        }
        Self { parts: automaton(&texts), meanings }
    }

    /// What a normal path with a slash at its end is.
    pub(crate) fn find(&self, path: &[u8]) -> Probe {
        let Some(parts) = &self.parts else { return Probe::None };
        let found = parts.find_overlapping_iter(path).filter_map(|found| {
            let (probe, place) = self.meanings.get(found.pattern().as_usize())?;
            let fits = match place {
                Place::Anywhere => true,
                Place::Begin => found.start() == 0,
                Place::End => found.end() == path.len(),
            };
            fits.then_some(*probe)
        });
        found.max().unwrap_or_default()
    }
}

/// `None` when there are no parts.
pub(crate) fn automaton(parts: &[String]) -> Option<AhoCorasick> {
    // The only limit is on the number of states; a configuration with that many parts is refused for its size.
    (!parts.is_empty())
        .then(|| AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(parts).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_means_something_only_where_it_stands() {
        let probes = Probes::and(&["/Internal/".to_ascii_lowercase()]);
        for (path, probe) in [
            ("/.env/", Probe::Secret),
            ("/api/.env.local/", Probe::Secret),
            ("/shop/.git/config/", Probe::Secret),
            ("/x/internal/y/", Probe::Secret),
            ("/site.bak/", Probe::Secret),
            ("/site.bak/readme/", Probe::None),
            ("/console/", Probe::Software),
            ("/blog/wp-content/a.png/", Probe::Software),
            ("/gaming/console/item-7/", Probe::None),
            ("/parts/struts/7/", Probe::None),
            ("/people/j.baker/", Probe::None),
            ("/shop/telescope/", Probe::None),
            ("/valves/actuator/", Probe::None),
            ("/map/geoserver/", Probe::None),
            ("/", Probe::None),
        ] {
            assert_eq!(probes.find(path.as_bytes()), probe, "{path}");
        }
    }
}
