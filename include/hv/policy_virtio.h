// SPDX-License-Identifier: Apache-2.0
// What a policy says about virtio devices: which of them a guest has, which of its requests reach the real device, and
// how fast. docs/POLICY.md has the source format, [[virtio]]. All of it is pure: tables that the policy compiler made,
// lookups in them, and token buckets whose memory is the caller's.
#pragma once

#include <hv/policy.h>
#include <hv/rate.h>
#include <hv/virtio_request_table.h>

#define VIRTIO_REQUEST_ENUM(id, ...) VIRTIO_REQUEST_##id,
enum virtio_request { VIRTIO_REQUEST_TABLE(VIRTIO_REQUEST_ENUM) VIRTIO_REQUEST_COUNT };

#define POLICY_VIRTIO_READ_ONLY  0x01 // block: VIRTIO_BLK_F_RO is offered, and what would write is refused
#define POLICY_VIRTIO_MAC_PINNED 0x02 // net: frames with another source address than the device's are dropped
#define POLICY_VIRTIO_LOG        0x04 // a record for each request that this row decides about
#define POLICY_VIRTIO_PART       0x08 // about some requests of a device, not about the device

#define POLICY_VIRTIO_TRANSPORTS 32 // that a row can name: 0 .. 31
#define POLICY_VIRTIO_RATE_MAX   8  // of them, so many with bytes or requests
#define POLICY_VIRTIO_NO_RATE    UINT8_MAX
#define POLICY_VIRTIO_SECTOR_END UINT64_MAX // "2048.."

// One [[virtio]] row, in the order of the file. Behind them comes the file's default, which names every device.
struct policy_virtio {
    uint64_t
        sector_first; // inclusive, in sectors of 512 bytes; 0 .. POLICY_VIRTIO_SECTOR_END when there is no `sectors`
    uint64_t sector_last;
    uint64_t bytes_per_second; // 0: no limit. At most RATE_MAX
    uint64_t requests_per_second;
    uint32_t devices;    // bit n: device type n (VIRTIO 1.2, 5)
    uint32_t transports; // bit n: transport n of the board
    uint32_t requests;   // bit n: request n of enum virtio_request
    uint8_t action;      // POLICY_EMULATE: the device works; POLICY_DENY: it is not there, or the request is refused
    uint8_t flags;       // POLICY_VIRTIO_*
    uint16_t row;        // index into the policy's rows, to cite it
    uint8_t rate;        // which bucket of struct policy_virtio_rates is its own, or POLICY_VIRTIO_NO_RATE
};

// A request as policy sees it. For requests that name no sectors both numbers are 0.
struct policy_virtio_access {
    unsigned int transport; // number of the board's transport
    unsigned int device_id; // VIRTIO_ID_*
    enum virtio_request request;
    uint64_t sector;  // the first; 512 bytes each
    uint64_t sectors; // how many: bytes, divided by 512 and rounded up
};

struct policy_virtio_verdict {
    const struct policy_virtio *row;    // decides. Never NULL
    const struct policy_virtio *device; // decides about the device: its rate holds for all requests. Never NULL
    bool allowed;
};

// The row that decides about a device: the first one that names its type and its transport and is about all of its
// requests. Action POLICY_EMULATE: the guest has it, with the row's POLICY_VIRTIO_READ_ONLY and
// POLICY_VIRTIO_MAC_PINNED. Else it sees a transport without a device. Never NULL: a type that ariel does not know, and
// any in a policy without virtio rows, is denied by row 0.
const struct policy_virtio *policy_virtio_device(const struct policy *policy, unsigned int transport,
                                                 unsigned int device_id);

// The row that decides about one request of a device that the guest has: the first one that matches it. A row that
// denies sectors matches a request that touches any of them; one that emulates, only a request that lies whole within
// them. A request of no sectors at all counts as one of the sector that it names; one whose end is beyond 2^64 ends at
// the last sector that there can be. A discard or write-zeroes names several pieces (VIRTIO 1.2, 5.2.6): each is an
// access of its own, and the request may go on when each of them may.
struct policy_virtio_verdict policy_virtio_request(const struct policy *policy,
                                                   const struct policy_virtio_access *access);

// Whether the row that decides about a device lets every request of it pass at once, so that nobody needs to ask about
// one: the device is the guest's, no row is about a part of its requests, and it is not read-only and has no rate.
bool policy_virtio_allows_all(const struct policy *policy, unsigned int transport, unsigned int device_id);

// How fast the guest has been at one queue of a device, which is one direction of a network device or a console: all
// zero at boot. A reset of the device by the guest changes nothing, or the guest could get more by resetting it.
// Guarded by the device's lock.
struct policy_virtio_rates {
    struct {
        struct rate bytes, requests;
    } row[POLICY_VIRTIO_RATE_MAX];
};

// Whether a request of so many bytes, which was allowed, may go now: then it has been paid for. It needs its share of
// the row's rate and of the device's. False: *when is the counter's value at which to ask again, and nothing was paid.
// now: CNTPCT_EL0; frequency: CNTFRQ_EL0. A caller asks once for each request, before it shows it to the device.
bool policy_virtio_pace(struct policy_virtio_rates *rates, const struct policy_virtio_verdict *verdict, uint64_t bytes,
                        struct rate_clock clock, uint64_t *when);

// A request that has gone ends: paid for `paid` bytes, it moved `used`. What it did not use is given back; what only
// its end has told, a frame that a net device received for example, is paid for by those after it.
void policy_virtio_settle(struct policy_virtio_rates *rates, const struct policy_virtio_verdict *verdict, uint64_t paid,
                          uint64_t used);

// "read", "write-zeroes" ... as policy files spell them; "?" when out of range.
const char *policy_virtio_request_name(unsigned int request);
// The device type whose request it is, VIRTIO_ID_*; 0 for VIRTIO_REQUEST_ANY, which every type has.
unsigned int policy_virtio_request_type(enum virtio_request request);
// "block", "net" ...; "?" for a type that ariel does not know.
const char *policy_virtio_type_name(unsigned int device_id);
