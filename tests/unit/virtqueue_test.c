// SPDX-License-Identifier: Apache-2.0
// Links: drivers/virtqueue.c
// A queue of EL2's against a model of a device that reads and writes the three parts as bytes in memory, at the offsets
// that VIRTIO 1.2 gives them (2.7.5, 2.7.6, 2.7.8).

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>
#include <hv/types.h>
#include <hv/virtqueue.h>

static struct virtqueue queue;

// The device. It knows the queue by three addresses and its size.
static struct {
    uint8_t *desc, *avail, *used;
    uint16_t size;
    bool event_idx;
    uint16_t avail_next;
    uint16_t used_next;
    uint16_t interrupted_at; // used_next when it last looked whether to interrupt
} device;

static uint16_t word(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static void set_word(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void set_number(uint8_t *at, uint32_t value)
{
    set_word(at, (uint16_t)value);
    set_word(at + 2, (uint16_t)(value >> 16));
}

static void begin(uint16_t size, bool event_idx)
{
    memset(&queue, 0xa5, sizeof(queue));
    virtqueue_init(&queue, size, event_idx);
    memset(&device, 0, sizeof(device));
    device.desc = (uint8_t *)queue.desc;
    device.avail = (uint8_t *)&queue.avail;
    device.used = (uint8_t *)&queue.used;
    device.size = size;
    device.event_idx = event_idx;
}

// As begin, but as if the queue had been in use for so long that both indices are at index.
static void begin_at(uint16_t size, bool event_idx, uint16_t index)
{
    begin(size, event_idx);
    queue.avail_next = queue.avail_notified = queue.used_next = index;
    set_word(device.avail + 2, index);
    set_word(device.used + 2, index);
    set_word(device.avail + 4 + 2 * size, index);
    set_word(device.used + 4 + 8 * size, index);
    device.avail_next = device.used_next = device.interrupted_at = index;
}

static bool device_has_work(void)
{
    return word(device.avail + 2) != device.avail_next;
}

// The device asks to be told at its next entry.
static void device_wants_notify(bool on)
{
    if (device.event_idx)
        set_word(device.used + 4 + 8 * device.size, (uint16_t)(device.avail_next + (on ? 0 : 0x4000)));
    else
        set_word(device.used, on ? 0 : 1);
}

// The device takes a request: the sum of the bytes that it reads and of those that it writes.
static uint16_t device_take(uint64_t *reads, uint64_t *writes, uint64_t *first)
{
    uint16_t head = word(device.avail + 4 + 2 * (device.avail_next % device.size));
    uint16_t at = head;
    bool wrote = false;
    unsigned int count = 0;

    assert_true(device_has_work());
    device.avail_next++;
    *reads = *writes = 0;
    memcpy(first, device.desc + 16 * at, 8);
    for (;;) {
        const uint8_t *desc = device.desc + 16 * at;
        uint32_t length;
        uint16_t flags = word(desc + 12);

        assert_true(at < device.size);
        assert_true(count++ < device.size); // no loop
        memcpy(&length, desc + 8, 4);
        assert_false(wrote && !(flags & 2)); // what it reads comes first
        wrote = flags & 2;
        *(wrote ? writes : reads) += length;
        if (!(flags & 1))
            return head;
        at = word(desc + 14);
    }
}

// The device is done with a request. Whether it interrupts.
static bool device_use(uint32_t id, uint32_t written)
{
    uint16_t old = device.interrupted_at;
    uint8_t *entry = device.used + 4 + 8 * (device.used_next % device.size);

    set_number(entry, id);
    set_number(entry + 4, written);
    set_word(device.used + 2, ++device.used_next);
    if (!device.event_idx)
        return !(word(device.avail) & 1);
    uint16_t event = word(device.avail + 4 + 2 * device.size);
    device.interrupted_at = device.used_next;
    return (uint16_t)(device.used_next - event - 1) < (uint16_t)(device.used_next - old);
}

static enum hv_status add(unsigned int reads, unsigned int writes, uint16_t *head)
{
    static struct virtqueue_buffer buffers[VIRTQUEUE_SIZE_MAX + 2];

    for (unsigned int i = 0; i < reads + writes; i++)
        buffers[i] = (struct virtqueue_buffer){pa_make(0x40000000 + i), i < reads ? 16 : 512,
                                               i < reads ? 0 : VIRTQ_DESC_F_WRITE, 0};
    return virtqueue_add(&queue, buffers, reads + writes, head);
}

static void a_request_goes_and_comes_back(void **state)
{
    uint64_t reads, writes, first;
    uint32_t written;
    uint16_t head, taken;
    (void)state;

    begin(8, false);
    assert_int_equal(add(1, 2, &head), HV_OK);
    assert_false(device_has_work()); // not published
    assert_true(virtqueue_publish(&queue));
    assert_false(virtqueue_publish(&queue)); // nothing new
    assert_int_equal(virtqueue_in_flight(&queue), 1);
    assert_int_equal(virtqueue_take(&queue, &taken, &written), HV_ERR_NOT_FOUND);
    assert_int_equal(device_take(&reads, &writes, &first), head);
    assert_int_equal(reads, 16);
    assert_int_equal(writes, 1024);
    assert_int_equal(first, 0x40000000);
    assert_true(device_use(head, 700));
    assert_int_equal(virtqueue_take(&queue, &taken, &written), HV_OK);
    assert_int_equal(taken, head);
    assert_int_equal(written, 700);
    assert_int_equal(virtqueue_in_flight(&queue), 0);
    assert_int_equal(virtqueue_take(&queue, &taken, &written), HV_ERR_NOT_FOUND);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    uint64_t reads, writes, first;
    uint16_t head, other;
    uint32_t written;
    (void)state;

    begin(4, false);
    assert_int_equal(add(0, 0, &head), HV_ERR_EMPTY);
    assert_int_equal(add(2, 3, &head), HV_ERR_TOO_LONG);
    assert_int_equal(add(1, 1, &head), HV_OK);
    assert_int_equal(add(1, 2, &other), HV_ERR_NO_MEMORY);
    assert_int_equal(virtqueue_in_flight(&queue), 1);
    assert_int_equal(add(2, 0, &other), HV_OK);
    assert_int_equal(add(1, 0, &other), HV_ERR_NO_MEMORY);
    (void)virtqueue_publish(&queue);
    (void)device_use(device_take(&reads, &writes, &first), 0);
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_OK);
    assert_int_equal(add(1, 1, &head), HV_OK); // what came back is free
    begin(VIRTQUEUE_SIZE_MAX, false);
    assert_int_equal(add(1, VIRTQUEUE_SIZE_MAX, &head), HV_ERR_TOO_LONG);
    assert_int_equal(add(1, VIRTQUEUE_SIZE_MAX - 1, &head), HV_OK);
    (void)virtqueue_publish(&queue);
    assert_int_equal(device_take(&reads, &writes, &first), head);
    assert_int_equal(writes, 512u * (VIRTQUEUE_SIZE_MAX - 1));
}

// Requests of random lengths, done in random order, across the wrap of both indices: each comes back once, and no
// descriptor is lost.
static void the_wrap(uint16_t size, bool event_idx, unsigned int seed)
{
    uint16_t pending[64];
    unsigned int pending_count = 0, out = 0, back = 0;
    uint64_t reads, writes, first;
    bool in_flight[64] = {false};
    uint16_t head;
    uint32_t written;

    srand(seed);
    begin_at(size, event_idx, (uint16_t)(65536 - 3 * size));
    while (back < 8u * size) {
        while (add((unsigned int)rand() % 3, 1 + (unsigned int)rand() % 2, &head) == HV_OK) {
            assert_false(in_flight[head]);
            in_flight[head] = true;
            out++;
        }
        assert_true(virtqueue_publish(&queue) || !device_has_work());
        while (device_has_work() && (pending_count == 0 || rand() % 4 > 0))
            pending[pending_count++] = device_take(&reads, &writes, &first);
        if (!device_has_work())
            device_wants_notify(true);
        assert_int_equal(virtqueue_in_flight(&queue), out - back);
        for (unsigned int n = 1 + (unsigned int)rand() % pending_count; n > 0; n--) {
            unsigned int which = (unsigned int)rand() % pending_count;

            (void)device_use(pending[which], pending[which] * 3u);
            pending[which] = pending[--pending_count];
        }
        while (virtqueue_take(&queue, &head, &written) == HV_OK) {
            assert_true(in_flight[head]);
            assert_int_equal(written, head * 3u);
            in_flight[head] = false;
            back++;
        }
        // What it left untaken it must be told of again, or it would wait for ever in this test.
        device_wants_notify(true);
        while (device_has_work())
            pending[pending_count++] = device_take(&reads, &writes, &first);
        device_wants_notify(true);
    }
    for (; pending_count > 0; pending_count--)
        (void)device_use(pending[pending_count - 1], pending[pending_count - 1] * 3u);
    while (virtqueue_take(&queue, &head, &written) == HV_OK)
        back++;
    assert_int_equal(out, back);
    assert_int_equal(queue.free_count, size);
}

static void indices_wrap_at_65536(void **state)
{
    (void)state;
    for (unsigned int seed = 1; seed <= 40; seed++)
        for (uint16_t size = 4; size <= 64; size = (uint16_t)(size * 2))
            the_wrap(size, seed % 2, seed);
}

static void a_queue_of_one(void **state)
{
    uint64_t reads, writes, first;
    uint16_t head;
    uint32_t written;
    (void)state;

    begin_at(1, true, 65535);
    for (unsigned int i = 0; i < 5; i++) {
        assert_int_equal(add(0, 1, &head), HV_OK);
        assert_int_equal(add(0, 1, &head), HV_ERR_NO_MEMORY);
        assert_true(virtqueue_publish(&queue));
        assert_false(virtqueue_set_interrupt(&queue, true));
        assert_true(device_use(device_take(&reads, &writes, &first), 1));
        device_wants_notify(true);
        assert_int_equal(virtqueue_take(&queue, &head, &written), HV_OK);
    }
}

// The device is notified when it asks for it, and interrupts when EL2 asks for it; for both kinds of asking.
static void each_side_is_told_when_it_asks(void **state)
{
    uint64_t reads, writes, first;
    uint16_t head;
    uint32_t written;
    (void)state;

    for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
        begin_at(16, event_idx != 0, 65534);
        assert_false(virtqueue_set_interrupt(&queue, false));
        device_wants_notify(false);
        for (unsigned int i = 0; i < 4; i++) {
            assert_int_equal(add(1, 0, &head), HV_OK);
            assert_false(virtqueue_publish(&queue));
            assert_false(device_use(device_take(&reads, &writes, &first), 0));
        }
        assert_true(virtqueue_set_interrupt(&queue, true)); // used meanwhile, without an interrupt
        for (unsigned int i = 0; i < 4; i++)
            assert_int_equal(virtqueue_take(&queue, &head, &written), HV_OK);
        assert_false(virtqueue_set_interrupt(&queue, true));
        device_wants_notify(true);
        assert_int_equal(add(1, 0, &head), HV_OK);
        assert_int_equal(add(1, 0, &head), HV_OK);
        assert_true(virtqueue_publish(&queue));
        assert_true(device_use(device_take(&reads, &writes, &first), 0));
    }
}

static void barriers_stand_around_the_indices(void **state)
{
    uint16_t head;
    (void)state;

    begin(8, false);
    assert_int_equal(add(1, 1, &head), HV_OK);
    fake_trace_reset();
    (void)virtqueue_publish(&queue);
    assert_int_equal(fake_trace_count, 2);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_OSHST);
    assert_int_equal(fake_trace[1].operation, FAKE_DMB_OSH);
    fake_trace_reset();
    (void)virtqueue_set_interrupt(&queue, true);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_OSH);
}

// The device that uses an entry in the moment between EL2's wish and its look at the index.
static void use_at_barrier(enum fake_operation operation)
{
    uint64_t reads, writes, first;

    if (operation == FAKE_DMB_OSH && device_has_work())
        (void)device_use(device_take(&reads, &writes, &first), 0);
}

static void no_entry_is_missed_while_interrupts_come_on(void **state)
{
    uint16_t head;
    (void)state;

    begin(8, true);
    assert_int_equal(add(1, 0, &head), HV_OK);
    (void)virtqueue_publish(&queue);
    fake_trace_hook = use_at_barrier;
    assert_true(virtqueue_set_interrupt(&queue, true));
    fake_trace_reset();
}

static void a_broken_device_is_found_out(void **state)
{
    uint64_t reads, writes, first;
    uint16_t head, other;
    uint32_t written;
    (void)state;

    begin(8, false);
    assert_int_equal(add(1, 0, &head), HV_OK);
    assert_int_equal(add(1, 0, &other), HV_OK);
    (void)virtqueue_publish(&queue);
    set_word(device.used + 2, 3); // three done, of two
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_ERR_INVALID);
    set_word(device.used + 2, 0xffff); // back
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_ERR_INVALID);
    set_word(device.used + 2, 0);
    (void)device_use(8, 0); // no such descriptor
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_ERR_INVALID);
    device.used_next = 0;
    (void)device_use(0x10000, 0); // one that is 0 in 16 bits
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_ERR_INVALID);
    device.used_next = 0;
    (void)device_use(5, 0); // one that is free
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_ERR_INVALID);
    device.used_next = 0;
    (void)device_use(device_take(&reads, &writes, &first), 0);
    assert_int_equal(virtqueue_take(&queue, &head, &written), HV_OK);
    (void)device_use(head, 0); // twice
    assert_int_equal(virtqueue_take(&queue, &other, &written), HV_ERR_INVALID);

    begin(8, false); // one that was added and not shown
    assert_int_equal(add(1, 0, &head), HV_OK);
    (void)device_use(head, 0);
    assert_int_equal(virtqueue_take(&queue, &other, &written), HV_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_and_comes_back),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
        cmocka_unit_test(indices_wrap_at_65536),
        cmocka_unit_test(a_queue_of_one),
        cmocka_unit_test(each_side_is_told_when_it_asks),
        cmocka_unit_test(barriers_stand_around_the_indices),
        cmocka_unit_test(no_entry_is_missed_while_interrupts_come_on),
        cmocka_unit_test(a_broken_device_is_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
