/// One request to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// When it is to be sent, seconds from the start; for a later turn the pause after the turn
    /// before has ended.
    pub start_s: f64,
    /// Index of the turn before, in the same slice and before this one.
    pub after: Option<usize>,
    /// Whether it needs the answer of the turn before: it is not sent when that one failed.
    pub continues: bool,
    /// Its priority where the server has such a policy: the lowest goes first.
    pub priority: i32,
    /// Tokens of the whole prompt.
    pub prompt_tokens: u32,
    /// Tokens to generate.
    pub output_tokens: u32,
    /// Identity of each leading block of the sequence, prompt and output: equal id, equal block
    /// and equal blocks before it. Tokens beyond are shared with nobody.
    pub block_ids: Vec<u64>,
    /// Tokens of one such block; the last may be partial.
    pub block_tokens: u32,
}
