//! `file_exists_behavior`, which the AppSpec file and the service's API share.

/// What Install does about a file that is already there and that the last deployment did not lay down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileExistsBehavior {
    /// Fail the deployment: the default.
    #[default]
    Disallow,
    /// Replace it.
    Overwrite,
    /// Leave it and go on.
    Retain,
}

impl FileExistsBehavior {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disallow => "DISALLOW",
            Self::Overwrite => "OVERWRITE",
            Self::Retain => "RETAIN",
        }
    }

    /// From the API's word, upper case only.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Disallow, Self::Overwrite, Self::Retain].into_iter().find(|b| b.as_str() == word)
    }
}
