// SPDX-License-Identifier: Apache-2.0
// Policy about virtio, and its rates: rows drawn at random, any request, at any time. The model knows sectors as
// intervals of numbers of 128 bits, which do not wrap, and a bucket as what is owed in parts of a counter's tick, which
// needs no division.
//
// Links: policy/policy_virtio.c lib/rate.c

#include <fuzz.h>
#include <hv/policy_virtio.h>

#define ROWS_MAX 6

typedef unsigned __int128 wide;

static struct policy_virtio rows[ROWS_MAX];
static struct policy policy = {.virtio = rows};
static struct policy_virtio_rates rates;
static uint64_t now;
static uint32_t frequency;

// What is owed, times the frequency: in a second, per_second * frequency of it flows back.
static struct {
    wide owed;
    uint64_t last;
} bytes_model[POLICY_VIRTIO_RATE_MAX], requests_model[POLICY_VIRTIO_RATE_MAX];

// Numbers near 0, near the end, and everywhere.
static uint64_t draw_sector(struct fuzz_input *input)
{
    switch (fuzz_below(input, 4)) {
    case 0:
        return fuzz_take(input, 8);
    case 1:
        return UINT64_MAX - fuzz_below(input, 32);
    default:
        return fuzz_below(input, 32);
    }
}

static uint64_t draw_rate(struct fuzz_input *input)
{
    uint64_t rate = fuzz_take(input, 5) >> (fuzz_below(input, 41));

    return fuzz_below(input, 3) == 0 ? 0 : rate;
}

static void draw_rows(struct fuzz_input *input)
{
    policy.virtio_count = fuzz_below(input, ROWS_MAX + 1);
    for (unsigned int n = 0; n < policy.virtio_count; n++) {
        uint64_t first = draw_sector(input), last = draw_sector(input);
        unsigned int bits = (unsigned int)fuzz_take(input, 3);

        rows[n] = (struct policy_virtio){.sector_first = first < last ? first : last,
                                         .sector_last = first < last ? last : first,
                                         .bytes_per_second = draw_rate(input),
                                         .requests_per_second = draw_rate(input),
                                         .devices = bits & 0xf,
                                         .transports = bits >> 4 & 0xf,
                                         .requests = bits >> 8 & 0x3ff,
                                         .action = bits >> 18 & 1 ? POLICY_DENY : POLICY_EMULATE,
                                         .flags = bits >> 19 & (POLICY_VIRTIO_READ_ONLY | POLICY_VIRTIO_PART),
                                         .row = (uint8_t)n,
                                         .rate = bits >> 23 & 1 ? POLICY_VIRTIO_NO_RATE : (uint8_t)n};
        if (!(rows[n].flags & POLICY_VIRTIO_PART)) {
            rows[n].sector_first = 0;
            rows[n].sector_last = POLICY_VIRTIO_SECTOR_END;
            rows[n].requests = UINT32_MAX;
        }
    }
    memset(&rates, 0, sizeof(rates));
    memset(bytes_model, 0, sizeof(bytes_model));
    memset(requests_model, 0, sizeof(requests_model));
    now = fuzz_take(input, 4);
    frequency = 1 + (uint32_t)fuzz_take(input, 3);
}

static bool model_names(const struct policy_virtio *row, const struct policy_virtio_access *access)
{
    return access->device_id < 32 && access->transport < 32 && ((row->devices >> access->device_id) & 1) &&
           ((row->transports >> access->transport) & 1);
}

static bool model_matches(const struct policy_virtio *row, const struct policy_virtio_access *access)
{
    wide begin = access->sector, end = begin + (access->sectors == 0 ? 1 : access->sectors);
    wide row_begin = row->sector_first, row_end = (wide)row->sector_last + 1;

    if (end > (wide)1 << 64)
        end = (wide)1 << 64;
    if (!model_names(row, access) || !(row->requests >> access->request & 1))
        return false;
    return row->action == POLICY_DENY ? begin < row_end && row_begin < end : row_begin <= begin && end <= row_end;
}

static void check_verdict(const struct policy_virtio_access *access, const struct policy_virtio_verdict *got)
{
    const struct policy_virtio *device = NULL, *found = NULL;

    for (unsigned int n = policy.virtio_count; n-- > 0;) {
        if (model_names(&rows[n], access) && !(rows[n].flags & POLICY_VIRTIO_PART))
            device = &rows[n];
        if (model_matches(&rows[n], access))
            found = &rows[n];
    }
    const struct policy_virtio *said = policy_virtio_device(&policy, access->transport, access->device_id);
    fuzz_check(device != NULL ? said == device : said->action == POLICY_DENY && said->row == 0);
    fuzz_check(got->device == said);
    bool writes = access->request == VIRTIO_REQUEST_WRITE || access->request == VIRTIO_REQUEST_DISCARD ||
                  access->request == VIRTIO_REQUEST_WRITE_ZEROES || access->request == VIRTIO_REQUEST_SECURE_ERASE;
    bool denied = found != NULL && found->action == POLICY_DENY;
    bool refused = device == NULL || device->action == POLICY_DENY ||
                   ((device->flags & POLICY_VIRTIO_READ_ONLY) && writes) || found == NULL;
    fuzz_check(got->allowed == !(denied || refused));
    fuzz_check(got->row == (denied || !refused ? found : said));
}

// Whether amount may go at per_second; what is owed is brought up to date.
static bool model_allows(wide *owed, uint64_t *last, uint64_t per_second, uint64_t amount)
{
    wide flowed = (wide)(now - *last) * per_second;
    uint64_t burst = per_second / RATE_BURST_PART;
    wide room = (wide)(burst - (amount < burst ? amount : burst)) * frequency;

    *last = now;
    *owed = flowed >= *owed ? 0 : *owed - flowed;
    // The code counts whole ones: what has flowed back in part is still owed.
    return (*owed + frequency - 1) / frequency * frequency <= room;
}

static bool model_row_allows(const struct policy_virtio *row, uint64_t bytes)
{
    bool allowed = true;

    if (row->rate == POLICY_VIRTIO_NO_RATE)
        return true;
    if (row->bytes_per_second != 0)
        allowed &=
            model_allows(&bytes_model[row->rate].owed, &bytes_model[row->rate].last, row->bytes_per_second, bytes);
    if (row->requests_per_second != 0)
        allowed &=
            model_allows(&requests_model[row->rate].owed, &requests_model[row->rate].last, row->requests_per_second, 1);
    return allowed;
}

static void model_take(const struct policy_virtio *row, uint64_t bytes)
{
    if (row->rate == POLICY_VIRTIO_NO_RATE)
        return;
    bytes_model[row->rate].owed += (wide)bytes * frequency;
    requests_model[row->rate].owed += frequency;
}

static void model_settle(const struct policy_virtio *row, uint64_t paid, uint64_t used)
{
    if (row->rate == POLICY_VIRTIO_NO_RATE)
        return;
    wide *owed = &bytes_model[row->rate].owed, less = (wide)(paid > used ? paid - used : 0) * frequency;

    *owed += (wide)(used > paid ? used - paid : 0) * frequency;
    *owed = *owed > less ? *owed - less : 0;
}

// A request ends, and has moved more or less than it paid for.
static void check_settle(struct fuzz_input *input, const struct policy_virtio_verdict *verdict, uint64_t paid)
{
    uint64_t used = fuzz_take(input, 4) >> fuzz_below(input, 32);

    policy_virtio_settle(&rates, verdict, paid, used);
    model_settle(verdict->device, paid, used);
    if (verdict->row != verdict->device)
        model_settle(verdict->row, paid, used);
}

static void check_pace(struct fuzz_input *input, const struct policy_virtio_verdict *verdict)
{
    uint64_t bytes = fuzz_take(input, 4) >> fuzz_below(input, 32), when = 0;
    bool both = verdict->row != verdict->device;

    now += fuzz_take(input, 4) >> fuzz_below(input, 32);
    bool device = model_row_allows(verdict->device, bytes);
    bool row = !both || model_row_allows(verdict->row, bytes);
    bool got = policy_virtio_pace(&rates, verdict, bytes, (struct rate_clock){now, frequency}, &when);
    fuzz_check(got == (device && row));
    if (!got) {
        fuzz_check(when > now);
        return;
    }
    model_take(verdict->device, bytes);
    if (both)
        model_take(verdict->row, bytes);
    if (fuzz_below(input, 2))
        check_settle(input, verdict, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    draw_rows(&input);
    while (input.size > 0) {
        struct policy_virtio_access access = {.transport = fuzz_below(&input, 5),
                                              .device_id = fuzz_below(&input, 5),
                                              .request = fuzz_below(&input, VIRTIO_REQUEST_COUNT),
                                              .sector = draw_sector(&input),
                                              .sectors = draw_sector(&input)};
        if (fuzz_below(&input, 16) == 0)
            access.transport = access.device_id = 32;
        struct policy_virtio_verdict verdict = policy_virtio_request(&policy, &access);
        check_verdict(&access, &verdict);
        if (verdict.allowed)
            check_pace(&input, &verdict);
    }
    return 0;
}
