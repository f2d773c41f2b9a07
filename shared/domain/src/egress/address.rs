//! Addresses: only globally routable unicast is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::EgressPolicy;

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefusal {
    /// Loopback, private, link-local, multicast, reserved, documentation, benchmarking …
    #[error("an address that is not globally routable")]
    NotGlobal,
    /// An IPv6 address that embeds or relays an IPv4 one.
    #[error("an IPv6 address that embeds an IPv4 address")]
    EmbedsIpv4,
}

/// Judges one address: the literal in a URL, or what a name resolved to.
pub fn judge_address(address: IpAddr, policy: EgressPolicy) -> Result<(), AddressRefusal> {
    if policy.loopback_targets && address.is_loopback() {
        return Ok(());
    }
    match address {
        IpAddr::V4(address) => judge_ipv4(address),
        IpAddr::V6(address) => judge_ipv6(address),
    }
}

/// The blocks of the IANA IPv4 special-purpose registry that are not globally reachable, and
/// multicast and reserved space (<https://www.iana.org/assignments/iana-ipv4-special-registry>).
const IPV4_REFUSED: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn judge_ipv4(address: Ipv4Addr) -> Result<(), AddressRefusal> {
    let inside = |(block, prefix): &(Ipv4Addr, u32)| {
        (address.to_bits() ^ block.to_bits()) >> (32 - prefix) == 0
    };
    if IPV4_REFUSED.iter().any(inside) { Err(AddressRefusal::NotGlobal) } else { Ok(()) }
}

/// Only global unicast (`2000::/3`) is let through, without its special-purpose blocks
/// (<https://www.iana.org/assignments/iana-ipv6-special-registry>). The forms that carry an IPv4
/// address (mapped, compatible, NAT64, 6to4, Teredo) are refused even when that one is public.
fn judge_ipv6(address: Ipv6Addr) -> Result<(), AddressRefusal> {
    let bits = address.to_bits();
    let inside = |block: Ipv6Addr, prefix: u32| (bits ^ block.to_bits()) >> (128 - prefix) == 0;
    let embedding = [
        (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        (Ipv6Addr::UNSPECIFIED, 96),
        (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    ];
    if embedding.iter().any(|(block, prefix)| inside(*block, *prefix)) && !address.is_loopback() {
        return Err(AddressRefusal::EmbedsIpv4);
    }
    let special = [
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];
    let global = inside(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    if global && !special.iter().any(|(block, prefix)| inside(*block, *prefix)) {
        Ok(())
    } else {
        Err(AddressRefusal::NotGlobal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_to_a09_ipv6_that_embeds_or_is_special_is_refused() {
        for bad in [
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "64:ff9b::808:808",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "::7f00:1",
            "fec0::1",
            "2001:0:1::1",
            "5f00::1",
            "100::1",
            "3fff::1",
            "2001:db8::1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
        ] {
            let address: IpAddr = bad.parse().expect("an address");
            assert!(judge_address(address, EgressPolicy::production()).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn ipv4_in_ipv6_never_passes(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let policy = EgressPolicy::production();
            proptest::prop_assert!(judge_address(address.to_ipv6_mapped().into(), policy).is_err());
            proptest::prop_assert!(judge_address(address.to_ipv6_compatible().into(), policy).is_err());
            let private = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified()
                || address.is_multicast();
            if private {
                proptest::prop_assert!(judge_address(address.into(), policy).is_err());
            }
        }
    }
}
