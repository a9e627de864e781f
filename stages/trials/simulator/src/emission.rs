/// A token that came out of an engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emission {
    /// The request that it is for.
    pub request: u64,
    /// When it came out.
    pub at_s: f64,
    /// Whether it ends the request.
    pub last: bool,
    /// When the request was first scheduled.
    pub scheduled_s: f64,
    /// Prompt tokens that were found in the prefix cache then.
    pub cached_tokens: u32,
}
