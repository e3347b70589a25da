// SPDX-License-Identifier: Apache-2.0
// Policy about virtio: which row decides about a device and about a request, at every edge of its sectors; and how
// requests share the rates of their rows. tests/tools/test_policy_virtio.py compares the same lookups with a model.
// Links: policy/policy_virtio.c lib/rate.c

#include <hv/policy_virtio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL     UINT32_MAX
#define BLOCK   2
#define NET     1
#define TYPE(n) (1u << (n))
#define ASKS(x) (1u << VIRTIO_REQUEST_##x)

// Boot sectors that are not written, a log of other writes, and a second disk that is read-only.
enum { BOOT, WRITES, SECOND, DISKS, NETS, REST };
static const struct policy_virtio rows[] = {
    [BOOT] = {.sector_first = 8,
              .sector_last = 15,
              .devices = TYPE(BLOCK),
              .transports = ALL,
              .requests = ASKS(WRITE) | ASKS(DISCARD),
              .action = POLICY_DENY,
              .flags = POLICY_VIRTIO_PART,
              .row = 1,
              .rate = POLICY_VIRTIO_NO_RATE},
    [WRITES] = {.sector_last = 99,
                .devices = TYPE(BLOCK),
                .transports = ALL,
                .requests = ASKS(WRITE),
                .requests_per_second = 10,
                .action = POLICY_EMULATE,
                .flags = POLICY_VIRTIO_PART | POLICY_VIRTIO_LOG,
                .row = 2,
                .rate = 1},
    [SECOND] = {.sector_last = UINT64_MAX,
                .devices = TYPE(BLOCK),
                .transports = TYPE(1),
                .requests = ALL,
                .action = POLICY_EMULATE,
                .flags = POLICY_VIRTIO_READ_ONLY,
                .row = 3,
                .rate = POLICY_VIRTIO_NO_RATE},
    [DISKS] = {.sector_last = UINT64_MAX,
               .devices = TYPE(BLOCK),
               .transports = 0xff,
               .requests = ALL,
               .bytes_per_second = 10240,
               .action = POLICY_EMULATE,
               .row = 4,
               .rate = 0},
    [NETS] = {.sector_last = UINT64_MAX,
              .devices = TYPE(NET),
              .transports = ALL,
              .requests = ALL,
              .action = POLICY_DENY,
              .row = 5,
              .rate = POLICY_VIRTIO_NO_RATE},
    [REST] = {.sector_last = UINT64_MAX,
              .devices = ALL,
              .transports = ALL,
              .requests = ALL,
              .action = POLICY_DENY,
              .rate = POLICY_VIRTIO_NO_RATE},
};
static const struct policy policy = {.virtio = rows, .virtio_count = ARRAY_COUNT(rows)};

static struct policy_virtio_verdict ask(unsigned int transport, enum virtio_request request, uint64_t sector,
                                        uint64_t sectors)
{
    const struct policy_virtio_access access = {transport, BLOCK, request, sector, sectors};

    return policy_virtio_request(&policy, &access);
}

#define CHECK(verdict, decides, may)                                                                                   \
    do {                                                                                                               \
        struct policy_virtio_verdict got_ = (verdict);                                                                 \
        assert_ptr_equal(got_.row, &rows[decides]);                                                                    \
        assert_int_equal(got_.allowed, may);                                                                           \
    } while (0)

static void a_device_is_decided_by_rows_about_all_of_it(void **state)
{
    (void)state;
    assert_ptr_equal(policy_virtio_device(&policy, 0, BLOCK), &rows[DISKS]);
    assert_ptr_equal(policy_virtio_device(&policy, 1, BLOCK), &rows[SECOND]);
    assert_ptr_equal(policy_virtio_device(&policy, 7, BLOCK), &rows[DISKS]);
    assert_ptr_equal(policy_virtio_device(&policy, 8, BLOCK), &rows[REST]);
    assert_ptr_equal(policy_virtio_device(&policy, 31, NET), &rows[NETS]);
    assert_ptr_equal(policy_virtio_device(&policy, 0, 9), &rows[REST]);
}

static void what_no_row_can_name_is_denied(void **state)
{
    static const struct policy empty;
    const struct policy_virtio_access access = {0, BLOCK, VIRTIO_REQUEST_READ, 0, 1};
    const struct policy_virtio *nothing = policy_virtio_device(&policy, 0, 32);

    (void)state;
    assert_int_equal(nothing->action, POLICY_DENY);
    assert_int_equal(nothing->row, 0);
    assert_ptr_equal(policy_virtio_device(&policy, 32, BLOCK), nothing);
    assert_ptr_equal(policy_virtio_device(&policy, UINT32_MAX, UINT32_MAX), nothing);
    assert_ptr_equal(policy_virtio_device(&empty, 0, BLOCK), nothing);
    struct policy_virtio_verdict verdict = policy_virtio_request(&empty, &access);
    assert_ptr_equal(verdict.row, nothing);
    assert_false(verdict.allowed);
}

static void a_row_that_denies_matches_what_touches_its_sectors(void **state)
{
    (void)state;
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 0, 8), WRITES, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 0, 9), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 15, 1), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 15, 1000), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 0, 1000), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 16, 1), WRITES, true);
    CHECK(ask(0, VIRTIO_REQUEST_DISCARD, 8, 1), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_DISCARD, 16, 1), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE_ZEROES, 8, 1), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_READ, 8, 1), DISKS, true);
}

static void a_row_that_emulates_matches_what_lies_whole_within(void **state)
{
    (void)state;
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 16, 84), WRITES, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 16, 85), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 100, 1), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_FLUSH, 0, 0), DISKS, true);
}

static void no_sectors_are_one_and_ends_do_not_wrap(void **state)
{
    (void)state;
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 8, 0), BOOT, false);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 7, 0), WRITES, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, UINT64_MAX, 1), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 16, UINT64_MAX), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, UINT64_MAX, UINT64_MAX), DISKS, true);
    CHECK(ask(0, VIRTIO_REQUEST_WRITE, 9, UINT64_MAX), BOOT, false);
}

static void a_read_only_disk_takes_no_request_that_writes(void **state)
{
    (void)state;
    CHECK(ask(1, VIRTIO_REQUEST_READ, 0, 1), SECOND, true);
    CHECK(ask(1, VIRTIO_REQUEST_FLUSH, 0, 0), SECOND, true);
    CHECK(ask(1, VIRTIO_REQUEST_GET_ID, 0, 0), SECOND, true);
    CHECK(ask(1, VIRTIO_REQUEST_WRITE, 8, 1), BOOT, false);   // a row before it says so
    CHECK(ask(1, VIRTIO_REQUEST_WRITE, 0, 1), SECOND, false); // WRITES would let it through
    CHECK(ask(1, VIRTIO_REQUEST_DISCARD, 0, 1), SECOND, false);
    CHECK(ask(1, VIRTIO_REQUEST_WRITE_ZEROES, 0, 1), SECOND, false);
    CHECK(ask(1, VIRTIO_REQUEST_SECURE_ERASE, 0, 1), SECOND, false);
}

static void a_device_that_is_denied_takes_no_request(void **state)
{
    const struct policy_virtio_access net = {0, NET, VIRTIO_REQUEST_TX, 0, 0};

    (void)state;
    CHECK(ask(8, VIRTIO_REQUEST_WRITE, 0, 1), REST, false);
    CHECK(ask(8, VIRTIO_REQUEST_READ, 0, 1), REST, false);
    CHECK(policy_virtio_request(&policy, &net), NETS, false);
}

static void rates_of_the_row_and_of_the_device_hold_both(void **state)
{
    struct policy_virtio_rates rates = {0};
    struct policy_virtio_verdict writes = ask(0, VIRTIO_REQUEST_WRITE, 0, 1);
    struct policy_virtio_verdict reads = ask(0, VIRTIO_REQUEST_READ, 0, 1);
    struct policy_virtio_verdict second = ask(1, VIRTIO_REQUEST_READ, 0, 1);
    uint64_t when = 1;

    (void)state;
    // Full buckets: one write (10 a second), 1,024 bytes.
    assert_true(policy_virtio_pace(&rates, &writes, 512, (struct rate_clock){0, 1000}, &when));
    assert_false(policy_virtio_pace(&rates, &writes, 512, (struct rate_clock){0, 1000}, &when));
    assert_int_equal(when, 100);
    // The write that waits has paid nothing: a read of as many bytes may go.
    assert_true(policy_virtio_pace(&rates, &reads, 512, (struct rate_clock){0, 1000}, &when));
    assert_false(policy_virtio_pace(&rates, &reads, 512, (struct rate_clock){0, 1000}, &when));
    assert_int_equal(when, 50);
    // A write must wait for the later of the two.
    assert_false(policy_virtio_pace(&rates, &writes, 512, (struct rate_clock){0, 1000}, &when));
    assert_int_equal(when, 100);
    assert_true(policy_virtio_pace(&rates, &second, UINT64_MAX, (struct rate_clock){0, 1000}, &when)); // no rate
    assert_true(policy_virtio_pace(&rates, &writes, 512, (struct rate_clock){100, 1000}, &when));
}

static void a_device_with_both_rates_pays_each_once(void **state)
{
    static const struct policy_virtio both = {.bytes_per_second = 10000, .requests_per_second = 20, .rate = 7};
    const struct policy_virtio_verdict verdict = {&both, &both, true};
    struct policy_virtio_rates rates = {0};
    uint64_t when;

    (void)state;
    assert_true(policy_virtio_pace(&rates, &verdict, 100, (struct rate_clock){0, 1000}, &when));
    assert_int_equal(rates.row[7].bytes.used, 100);
    assert_int_equal(rates.row[7].requests.used, 1);
    assert_true(policy_virtio_pace(&rates, &verdict, 100, (struct rate_clock){0, 1000}, &when));
    assert_false(policy_virtio_pace(&rates, &verdict, 1000, (struct rate_clock){0, 1000}, &when));
    assert_int_equal(when, 50);
    assert_true(policy_virtio_pace(&rates, &verdict, 1000, (struct rate_clock){50, 1000}, &when));
    assert_false(policy_virtio_pace(&rates, &verdict, 0, (struct rate_clock){50, 1000}, &when));
    assert_int_equal(when, 100);
    assert_false(policy_virtio_pace(&rates, &verdict, 1000, (struct rate_clock){100, 1000}, &when));
    assert_int_equal(when, 150);
}

// What was paid and not used comes back to both rows; what was not paid for is owed to both.
static void what_a_request_did_not_use_comes_back(void **state)
{
    static const struct policy_virtio device = {.bytes_per_second = 10000, .rate = 0},
                                      row = {.bytes_per_second = 20000, .rate = 1}, calls = {.rate = 2};
    const struct policy_virtio_verdict verdict = {&row, &device, true}, alone = {&device, &device, true},
                                       uncounted = {&calls, &calls, true};
    struct policy_virtio_rates rates = {0};
    uint64_t when;

    (void)state;
    assert_true(policy_virtio_pace(&rates, &verdict, 900, (struct rate_clock){0, 1000}, &when));
    policy_virtio_settle(&rates, &verdict, 900, 300);
    assert_int_equal(rates.row[0].bytes.used, 300);
    assert_int_equal(rates.row[1].bytes.used, 300);
    policy_virtio_settle(&rates, &alone, 0, 50);
    assert_int_equal(rates.row[0].bytes.used, 350);
    assert_int_equal(rates.row[1].bytes.used, 300);
    policy_virtio_settle(&rates, &uncounted, 0, 50);
    assert_int_equal(rates.row[2].bytes.used, 0);
}

static void names_are_those_of_policy_files(void **state)
{
    (void)state;
    assert_string_equal(policy_virtio_request_name(VIRTIO_REQUEST_READ), "read");
    assert_string_equal(policy_virtio_request_name(VIRTIO_REQUEST_WRITE_ZEROES), "write-zeroes");
    assert_string_equal(policy_virtio_request_name(VIRTIO_REQUEST_COUNT), "?");
    assert_int_equal(policy_virtio_request_type(VIRTIO_REQUEST_SECURE_ERASE), BLOCK);
    assert_int_equal(policy_virtio_request_type(VIRTIO_REQUEST_RX), NET);
    assert_int_equal(policy_virtio_request_type(VIRTIO_REQUEST_ANY), 0);
    assert_string_equal(policy_virtio_type_name(2), "block");
    assert_string_equal(policy_virtio_type_name(4), "rng");
    assert_string_equal(policy_virtio_type_name(9), "9p");
    assert_string_equal(policy_virtio_type_name(0), "?");
    assert_string_equal(policy_virtio_type_name(5), "?");
    assert_string_equal(policy_virtio_type_name(10), "?");
}

// Asked once, so that nobody needs to ask about each request.
static void all_requests_of_a_device(void **state)
{
    struct policy_virtio own[ARRAY_COUNT(rows)];
    const struct policy other = {.virtio = own, .virtio_count = ARRAY_COUNT(own)};

    (void)state;
    memcpy(own, rows, sizeof(own));
    own[DISKS].rate = POLICY_VIRTIO_NO_RATE;
    assert_false(policy_virtio_allows_all(&other, 0, BLOCK)); // rows are about some of them
    own[BOOT].devices = own[WRITES].devices = TYPE(NET);
    assert_true(policy_virtio_allows_all(&other, 0, BLOCK));
    assert_false(policy_virtio_allows_all(&other, 1, BLOCK)); // read-only
    assert_false(policy_virtio_allows_all(&other, 9, BLOCK)); // denied
    own[WRITES].devices = TYPE(BLOCK);
    own[WRITES].transports = TYPE(3);
    assert_true(policy_virtio_allows_all(&other, 0, BLOCK));
    assert_false(policy_virtio_allows_all(&other, 3, BLOCK));
    own[DISKS].rate = 0;
    assert_false(policy_virtio_allows_all(&other, 0, BLOCK)); // has a rate
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_requests_of_a_device),
        cmocka_unit_test(a_device_is_decided_by_rows_about_all_of_it),
        cmocka_unit_test(what_no_row_can_name_is_denied),
        cmocka_unit_test(a_row_that_denies_matches_what_touches_its_sectors),
        cmocka_unit_test(a_row_that_emulates_matches_what_lies_whole_within),
        cmocka_unit_test(no_sectors_are_one_and_ends_do_not_wrap),
        cmocka_unit_test(a_read_only_disk_takes_no_request_that_writes),
        cmocka_unit_test(a_device_that_is_denied_takes_no_request),
        cmocka_unit_test(rates_of_the_row_and_of_the_device_hold_both),
        cmocka_unit_test(a_device_with_both_rates_pays_each_once),
        cmocka_unit_test(what_a_request_did_not_use_comes_back),
        cmocka_unit_test(names_are_those_of_policy_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
