//! Names and uploads that tests can make up.

use release::{Commit, ReleaseNumber, Revision, ServiceName, UnknownFields, Upload};

/// A service's name.
pub fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// The commit that [`upload`] gives a number.
pub fn commit(number: u64) -> Commit {
    Commit::new(format!("{number:07x}")).unwrap_or_else(|error| panic!("{error}"))
}

/// An upload with this number. The same number is always the same object version.
pub fn upload(service: &ServiceName, number: u64) -> Upload {
    let commit = commit(number);
    let revision = Revision {
        bucket: "artifacts".to_owned(),
        key: format!("releases/{service}/{number}-{commit}.zip"),
        version: format!("version-{number}"),
        etag: format!("etag-{number}"),
        unknown_fields: UnknownFields::default(),
    };
    let (number, unknown_fields) = (ReleaseNumber(number), UnknownFields::default());
    Upload { number, commit, revision, tells_smoke: false, unknown_fields }
}
