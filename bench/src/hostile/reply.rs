//! The replies: A43 to A48 of the catalogue, and some of their kin.

/// A reply that no honest server gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    EndlessChunks,
    TenGigabytes,
    EndlessHead,
    LongHeader,
    ManyHeaders,
    DrippingHead,
    DrippingBody,
    ManyContinues,
    Bomb,
    Garbage,
    NoStatus,
    TwoLengths,
    CutHead,
    CutBody,
    Silence,
    HangUp,
}

/// What follows once the first of a reply is written.
pub(super) enum Rest {
    /// Hangs up.
    End,
    /// Says nothing more, and stays.
    Silence,
    /// These octets again and again, as fast as they are taken.
    Flood(Vec<u8>),
    /// This octet again and again, one every 20 ms.
    Drip(u8),
}

impl Reply {
    pub(super) const ALL: [Self; 16] = [
        Self::EndlessChunks,
        Self::TenGigabytes,
        Self::EndlessHead,
        Self::LongHeader,
        Self::ManyHeaders,
        Self::DrippingHead,
        Self::DrippingBody,
        Self::ManyContinues,
        Self::Bomb,
        Self::Garbage,
        Self::NoStatus,
        Self::TwoLengths,
        Self::CutHead,
        Self::CutBody,
        Self::Silence,
        Self::HangUp,
    ];

    /// The path that it is asked for by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::EndlessChunks => "endless-chunks",
            Self::TenGigabytes => "ten-gigabytes",
            Self::EndlessHead => "endless-head",
            Self::LongHeader => "long-header",
            Self::ManyHeaders => "many-headers",
            Self::DrippingHead => "dripping-head",
            Self::DrippingBody => "dripping-body",
            Self::ManyContinues => "many-continues",
            Self::Bomb => "bomb",
            Self::Garbage => "garbage",
            Self::NoStatus => "no-status",
            Self::TwoLengths => "two-lengths",
            Self::CutHead => "cut-head",
            Self::CutBody => "cut-body",
            Self::Silence => "silence",
            Self::HangUp => "hang-up",
        }
    }

    pub(super) fn of_path(path: &str) -> Option<Self> {
        let name = path.trim_start_matches('/');
        Self::ALL.into_iter().find(|reply| reply.name() == name)
    }

    /// What is written first, and what follows.
    pub(super) fn script(self) -> (Vec<u8>, Rest) {
        let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes();
        let zeros = || Rest::Flood(vec![0; 16 * 1_024]);
        match self {
            Self::EndlessChunks => {
                let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
                (ok("transfer-encoding: chunked\r\n\r\n"), Rest::Flood(chunk))
            }
            Self::TenGigabytes => (ok("content-length: 10737418240\r\n\r\n"), zeros()),
            Self::EndlessHead => (ok(""), Rest::Flood(b"x-more: of the same\r\n".repeat(500))),
            Self::LongHeader => (ok("x-long: "), Rest::Flood(vec![b'x'; 16 * 1_024])),
            Self::ManyHeaders => {
                let headers: Vec<_> = (0..400).map(|n| format!("x-{n}: {n}\r\n")).collect();
                (ok(&format!("{}content-length: 0\r\n\r\n", headers.concat())), Rest::End)
            }
            Self::DrippingHead => (ok("x-drip: "), Rest::Drip(b'x')),
            Self::DrippingBody => (ok("content-length: 60000\r\n\r\n"), Rest::Drip(b'x')),
            Self::ManyContinues => {
                (Vec::new(), Rest::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(200)))
            }
            // Nobody unpacks it, so that what it would unpack to does not matter.
            Self::Bomb => {
                let head = ok("content-encoding: gzip\r\ncontent-length: 10485760\r\n\r\n");
                ([head, vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]].concat(), zeros())
            }
            Self::Garbage => ((0..=255).cycle().take(8_192).collect(), Rest::End),
            Self::NoStatus => (b"HTTP/1.1\r\n\r\n<html>".to_vec(), Rest::End),
            Self::TwoLengths => {
                (ok("content-length: 5\r\ncontent-length: 50\r\n\r\nhello"), Rest::Silence)
            }
            Self::CutHead => (ok("content-len"), Rest::End),
            Self::CutBody => (ok("content-length: 100\r\n\r\nhalf"), Rest::End),
            Self::Silence => (Vec::new(), Rest::Silence),
            Self::HangUp => (Vec::new(), Rest::End),
        }
    }
}
