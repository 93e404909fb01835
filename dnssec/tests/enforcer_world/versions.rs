//! What caches may hold of one RRset: its versions, each from the moment when somebody could fetch
//! it until the moment when the last cache has dropped it.
//! Times are seconds since 1970; a span holds its begin and not its end.

/// A set of keys, by their number in the world ([`super::keys::Keys`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeySet(pub(crate) u128);

impl KeySet {
    pub(crate) const EMPTY: KeySet = KeySet(0);

    pub(crate) fn of(numbers: &[usize]) -> KeySet {
        KeySet(numbers.iter().fold(0, |bits, number| bits | 1 << number))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn and(self, other: KeySet) -> KeySet {
        KeySet(self.0 & other.0)
    }

    pub(crate) fn or(self, other: KeySet) -> KeySet {
        KeySet(self.0 | other.0)
    }

    pub(crate) fn without(self, other: KeySet) -> KeySet {
        KeySet(self.0 & !other.0)
    }

    pub(crate) fn has(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }

    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn numbers(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |number| self.has(*number))
    }
}

/// A version of an RRset that some cache may hold.
#[derive(Clone, Debug)]
pub(crate) struct Version<T> {
    pub(crate) content: T,
    /// Its TTL, in seconds.
    pub(crate) ttl: u64,
    /// When the last cache drops it; `None` while it is served.
    pub(crate) gone: Option<u64>,
}

/// The versions of one RRset that caches may hold.
#[derive(Clone, Debug)]
pub(crate) struct Versions<T> {
    live: Vec<Version<T>>,
}

impl<T: Clone + PartialEq> Versions<T> {
    /// This one has been served for ever.
    pub(crate) fn since_ever(content: T, ttl: u64) -> Versions<T> {
        Versions { live: vec![Version { content, ttl, gone: None }] }
    }

    /// All that some cache may hold at `now`, those being served among them.
    pub(crate) fn at(&self, now: u64) -> impl Iterator<Item = &T> {
        let live = self.live.iter().filter(move |it| it.gone.is_none_or(|gone| gone > now));
        live.map(|version| &version.content)
    }

    /// Those that some cache may hold at `now`, with their times.
    pub(crate) fn live(&self, now: u64) -> impl Iterator<Item = &Version<T>> {
        self.live.iter().filter(move |it| it.gone.is_none_or(|gone| gone > now))
    }

    /// Those that some server of the zone shows at `now`.
    pub(crate) fn fetchable(&self, now: u64) -> impl Iterator<Item = &T> {
        let is_there = move |it: &&Version<T>| it.gone.is_none_or(|gone| gone > now + it.ttl);
        self.live.iter().filter(is_there).map(|version| &version.content)
    }

    /// Those that are being served.
    pub(crate) fn served(&self) -> impl Iterator<Item = &T> {
        self.live.iter().filter(|it| it.gone.is_none()).map(|it| &it.content)
    }

    /// Begins to serve a version, unless it is served with this TTL; whether it is new.
    pub(crate) fn open(&mut self, content: &T, ttl: u64) -> bool {
        let is_served =
            |it: &Version<T>| it.gone.is_none() && it.ttl == ttl && it.content == *content;
        if self.live.iter().any(is_served) {
            return false;
        }
        self.live.push(Version { content: content.clone(), ttl, gone: None });
        true
    }

    /// From `now` on nobody publishes the versions that `is_kept` refuses; for `delay` more
    /// seconds some server has them, and then caches for their TTL.
    pub(crate) fn close(&mut self, now: u64, delay: u64, is_kept: impl Fn(&T, u64) -> bool) {
        for version in self.live.iter_mut().filter(|it| it.gone.is_none()) {
            if !is_kept(&version.content, version.ttl) {
                version.gone = Some(now + delay + version.ttl);
            }
        }
        self.live.retain(|it| it.gone.is_none_or(|gone| gone > now));
    }
}
