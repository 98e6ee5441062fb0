//! What tells one record of a client from another: 16 bits of its identity, the same in every copy of the record.
//!
//! The identity is the request's id together with its time in milliseconds. The id alone is not enough: behind an
//! Application Load Balancer it is the trace id, which a client may choose
//! (<https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html>), and who
//! sends the same one with every request must not count as one request.

use crate::access::Access;
use crate::classify::keyed_hash;
use crate::record::Record;

/// Fixed, because readers in other processes must come to the same marks.
const SEEDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];

/// The mark of a record. One without an id is told by its whole text.
#[inline]
pub fn of(record: &Record<'_>) -> u16 {
    let id = if record.request_id.raw.is_empty() { record.json } else { record.request_id.raw };
    (keyed_hash([SEEDS[0] ^ record.timestamp.cast_unsigned(), SEEDS[1]], id) >> 48) as u16
}

/// The mark of a line of the load balancer's log, of which time and client tell it from all others.
#[inline]
pub fn of_access(access: &Access<'_>) -> u16 {
    (keyed_hash(SEEDS, access.identity) >> 48) as u16
}
