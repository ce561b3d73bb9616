//! Keys of views: the module's prefix, a letter for the kind of entry, then numbers (big-endian) or a text.

/// The key of one view value. The first byte is the module that owns it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key(Box<[u8]>);

impl Key {
    /// `module, kind, numbers…`
    pub fn numbers(module: u8, kind: u8, numbers: &[u64]) -> Self {
        let mut key = Vec::with_capacity(2 + 8 * numbers.len());
        key.extend([module, kind]);
        for n in numbers {
            key.extend(n.to_be_bytes());
        }
        Self(key.into())
    }

    /// `module, kind, number, text`
    pub fn text(module: u8, kind: u8, number: u64, text: &[u8]) -> Self {
        let mut key = Vec::with_capacity(10 + text.len());
        key.extend([module, kind]);
        key.extend(number.to_be_bytes());
        key.extend(text);
        Self(key.into())
    }

    /// The bytes, as stored.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The module that owns it.
    pub fn module(&self) -> u8 {
        self.0[0]
    }
}
