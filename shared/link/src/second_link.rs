//! What to do when a hello comes from a domain with which there is a link already. federation-spec/03-link.md §9
//!
//! One link at a time carries items between two domains: positions in a hello are only true while nothing moves
//! elsewhere. Both sides decide alike, so that of two domains that dial each other at once exactly one link stays.

use startalk_protocol::DomainName;

/// The link that there is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Whether we dialed it.
    pub dialed_by_us: bool,
    /// The peer's instance, if it is ready; `None` while it opens.
    pub instance: Option<[u8; 16]>,
}

/// What to do with the new link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// Close the new one with `second-link`.
    Refuse,
    /// Close the other one with `second-link`, and then open the new one.
    Replace,
    /// Probe the other one. If it does not answer within
    /// [`LINK_PROBE_MS`](startalk_protocol::limits::LINK_PROBE_MS), replace it. If it does and the instances are the
    /// same, refuse the new one; if they differ, close both with `two-copies`.
    Probe,
}

/// Decides for an acceptor that has read a hello of `peer` while the `other` link with it exists.
pub fn second_link(us: &DomainName, peer: &DomainName, other: &Other, instance: &[u8; 16]) -> Second {
    match other.instance {
        // Who dialed before dials again: it has given the other up.
        Some(known) if known == *instance && !other.dialed_by_us => Second::Replace,
        Some(_) => Second::Probe,
        None if !other.dialed_by_us => Second::Replace,
        // Both dial at once: the one dialed by the lower name stays.
        None if us < peer => Second::Refuse,
        None => Second::Replace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(us: &str, peer: &str, dialed_by_us: bool, known: Option<u8>, expected: Second) {
        let (us, peer) = (us.parse().expect("a domain"), peer.parse().expect("a domain"));
        let other = Other { dialed_by_us, instance: known.map(|k| [k; 16]) };
        assert_eq!(second_link(&us, &peer, &other, &[1; 16]), expected, "{us} {peer} {other:?}");
    }

    #[test]
    fn of_two_that_dial_at_once_exactly_one_link_stays() {
        check("a.example", "b.example", true, None, Second::Refuse);
        check("b.example", "a.example", true, None, Second::Replace);
    }

    #[test]
    fn a_link_is_replaced_by_who_dialed_it_and_probed_otherwise() {
        check("a.example", "b.example", false, None, Second::Replace);
        check("a.example", "b.example", false, Some(1), Second::Replace);
        check("a.example", "b.example", false, Some(2), Second::Probe);
        check("a.example", "b.example", true, Some(1), Second::Probe);
    }
}
