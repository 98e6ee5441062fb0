//! How the SDK reaches AWS: through one connector, which all clients share, and with few roots of trust.
//!
//! The SDK's own client reads every root that the machine trusts, some 140 files, for each start of a function and
//! before its first event. Here are the five under which AWS has its endpoints certified.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Names a file of certificates in PEM, which are trusted instead of Amazon's: for a proxy that answers in AWS's
/// place, and for AWS in China. AWS's command line and SDKs know the variable by this name.
pub const BUNDLE: &str = "AWS_CA_BUNDLE";

/// Amazon Root CA 1 to 4 and Starfield Services Root G2. Amazon asks those who keep their own list to trust all five:
/// <https://www.amazontrust.com/repository/>. They end between 2037 and 2040.
const AMAZON: &[u8] = include_bytes!("amazon_roots.pem");

/// Why the file that [`BUNDLE`] names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("{BUNDLE} names {}, which cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not PEM.
    #[error("{BUNDLE} names {}, which is no file of certificates in PEM", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PemError,
    },
    /// It has no certificate.
    #[error("{BUNDLE} names {}, which has no certificate in it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// One of its certificates cannot be a root of trust.
    #[error("{BUNDLE} names {}, whose certificate {number} cannot be used: take it out", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Which certificate, from 1.
        number: usize,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The SDK refuses the roots.
    #[error("the SDK refuses the roots of trust")]
    Refused(#[from] HttpClientError),
}

/// A client that trusts Amazon's roots, or those of `bundle`, and goes through the proxy that `HTTPS_PROXY` names.
///
/// # Errors
/// When the bundle cannot be used: the function must not start.
pub(super) fn client(bundle: Option<&Path>) -> Result<SharedHttpClient, BundleError> {
    let trust = trust(bundle)?;
    // Every client of a function has the same time-outs, so one connector serves all, made for the first call.
    let connector = OnceLock::<SharedHttpConnector>::new();
    Ok(http_client_fn(move |settings, _components| {
        let make = || connect(trust.clone(), settings.clone());
        connector.get_or_init(make).clone()
    }))
}

/// A connector of the same kind, for requests that no client of the SDK makes.
///
/// # Errors
/// As [`client`].
pub(super) fn connector(
    bundle: Option<&Path>,
    settings: HttpConnectorSettings,
) -> Result<SharedHttpConnector, BundleError> {
    Ok(connect(trust(bundle)?, settings))
}

fn trust(bundle: Option<&Path>) -> Result<TlsContext, BundleError> {
    let roots = match bundle {
        None => AMAZON.to_vec(),
        Some(path) => read(path)?,
    };
    let store = TrustStore::empty().with_pem_certificate(roots);
    Ok(TlsContext::builder().with_trust_store(store).build()?)
}

fn connect(trust: TlsContext, settings: HttpConnectorSettings) -> SharedHttpConnector {
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(trust);
    SharedHttpConnector::new(connector.build())
}

/// The bundle, after every certificate in it was tried: the SDK would panic on a bad one at its first call.
fn read(path: &Path) -> Result<Vec<u8>, BundleError> {
    let path = path.to_owned();
    let pem = match std::fs::read(&path) {
        Ok(pem) => pem,
        Err(source) => return Err(BundleError::Unreadable { path, source }),
    };
    let mut store = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let certificate = match certificate {
            Ok(certificate) => certificate,
            Err(source) => return Err(BundleError::NotPem { path, source }),
        };
        if let Err(source) = store.add(certificate) {
            return Err(BundleError::Unusable { path, number: index + 1, source });
        }
    }
    if store.is_empty() { Err(BundleError::Empty { path }) } else { Ok(pem) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn said(content: Option<&[u8]>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        match client(Some(&path)) {
            Ok(_) => "used".to_owned(),
            Err(error) => error.to_string().replace(&path.display().to_string(), "FILE"),
        }
    }

    /// When Mozilla drops one of them, or takes in another of Amazon's, this fails at the next update.
    #[test]
    fn the_roots_are_those_of_amazon_that_mozilla_trusts() {
        let ours: BTreeSet<Vec<u8>> =
            CertificateDer::pem_slice_iter(AMAZON).map(|root| root.unwrap().to_vec()).collect();
        let is_amazons = |root: &&CertificateDer<'_>| {
            ["Amazon Root CA", "Starfield Services Root Certificate Authority"]
                .iter()
                .any(|name| root.windows(name.len()).any(|window| window == name.as_bytes()))
        };
        let theirs: BTreeSet<Vec<u8>> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .filter(is_amazons)
            .map(|root| root.to_vec())
            .collect();
        assert_eq!(ours.len(), 5);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_bundle_is_used_or_refused_with_what_to_do_about_it() {
        let unusable = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(said(Some(AMAZON)), "used");
        assert_eq!(said(None), "AWS_CA_BUNDLE names FILE, which cannot be read");
        assert_eq!(said(Some(b"")), "AWS_CA_BUNDLE names FILE, which has no certificate in it");
        assert_eq!(
            said(Some(b"-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n")),
            "AWS_CA_BUNDLE names FILE, which is no file of certificates in PEM"
        );
        assert_eq!(
            said(Some(&[AMAZON, unusable].concat())),
            "AWS_CA_BUNDLE names FILE, whose certificate 6 cannot be used: take it out"
        );
    }
}
