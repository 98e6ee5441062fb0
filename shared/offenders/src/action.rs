//! What WAF does with a request.

/// What WAF did with a request: the log's `action`.
/// <https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WafAction {
    /// `ALLOW`.
    Allow,
    /// `BLOCK`.
    Block,
    /// `CAPTCHA`: ended here, so the client brought no valid token.
    Captcha,
    /// `CHALLENGE`: ended here, so the client brought no valid token.
    Challenge,
    /// `COUNT`, or a word that this version does not know. Counted as a request, never as an offence.
    Other,
}

impl WafAction {
    pub(crate) fn parse(word: &[u8]) -> Self {
        match word {
            b"ALLOW" => Self::Allow,
            b"BLOCK" => Self::Block,
            b"CAPTCHA" => Self::Captcha,
            b"CHALLENGE" => Self::Challenge,
            _ => Self::Other,
        }
    }
}
