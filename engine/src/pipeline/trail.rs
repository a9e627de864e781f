/// The keys that lead to a value, kept on the stack so that walking a document allocates nothing.
#[derive(Clone, Copy)]
pub(crate) enum Trail<'a> {
    /// From the root of the document.
    Base(&'a [String]),
    Key(&'a Trail<'a>, &'a str),
    Item(&'a Trail<'a>, usize),
}

impl<'a> Trail<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Trail<'a> {
        Trail::Key(self, key)
    }

    pub(crate) fn item(&'a self, index: usize) -> Trail<'a> {
        Trail::Item(self, index)
    }

    /// All keys; indices of lists as digits.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (parent, last) = match self {
            Trail::Base(keys) => return keys.to_vec(),
            Trail::Key(parent, key) => (parent, (*key).to_owned()),
            Trail::Item(parent, index) => (parent, index.to_string()),
        };
        let mut keys = parent.keys();
        keys.push(last);
        keys
    }
}

/// Keys from string slices.
pub(crate) fn keys<const N: usize>(parts: [&str; N]) -> Vec<String> {
    parts.map(str::to_owned).into()
}
