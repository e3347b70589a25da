// SPDX-License-Identifier: Apache-2.0
// The program of `make bench-virtio` in a Linux guest, without a C library: moves data as fast as it can and says how
// long that took, as "# bytes N ns N". "# failed N" is the system call's error.
//
//   transfer read DISK DEPTH SIZE COUNT         COUNT requests of SIZE bytes, one after the other, DEPTH at a time
//   transfer write DISK DEPTH SIZE COUNT        the same, and flushes the disk at the end
//   transfer random DISK DEPTH SIZE COUNT SPAN  reads at multiples of SIZE below SPAN, the same in each run
//   transfer send PORT BYTES                    to who connects, until they have closed the connection
//   transfer receive PORT 0                     from who connects, until they say that there is no more
//
// The disk's requests go past the page cache (O_DIRECT) and are Linux's asynchronous ones (io_submit), which fio calls
// libaio: one process keeps DEPTH of them at the disk.
#include "syscall.h"

enum { DEPTH_MAX = 32, BYTES_MAX = 1 << 20 };
enum { AT_FDCWD = -100, O_RDWR = 2, O_DIRECT = 0200000, CLOCK_MONOTONIC = 1 };
enum { AF_INET = 2, SOCK_STREAM = 1, SOL_SOCKET = 1, SO_REUSEADDR = 2, SHUT_WR = 1 };
enum { IOCB_CMD_PREAD = 0, IOCB_CMD_PWRITE = 1 };

struct request { // struct iocb of linux/aio_abi.h
    uint64_t data;
    uint32_t key, flags;
    uint16_t opcode, priority;
    uint32_t file;
    uint64_t buffer, size, offset, reserved, event_file;
};

struct event { // struct io_event
    uint64_t data, request;
    int64_t result, result2;
};

static char buffers[DEPTH_MAX][BYTES_MAX] __attribute__((aligned(4096)));
static struct request requests[DEPTH_MAX];
static struct event events[DEPTH_MAX];

static uint64_t now(void)
{
    uint64_t time[2];

    (void)call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)time, 0);
    return time[0] * 1000000000 + time[1];
}

static void print(const char *text)
{
    long size = 0;

    while (text[size] != '\0')
        size++;
    (void)call(SYS_WRITE, 1, (long)text, size);
}

static void print_number(uint64_t number)
{
    char digits[24];
    int at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    print(&digits[at]);
}

__attribute__((noreturn)) static void leave(long status)
{
    for (;;)
        (void)call(SYS_EXIT, status, 0, 0);
}

// Ends the program when a system call has failed.
static long must(long result)
{
    if (result >= 0)
        return result;
    print("# failed ");
    print_number((uint64_t)-result);
    print("\n");
    leave(1);
}

static void say(uint64_t bytes, uint64_t start)
{
    uint64_t end = now();

    print("# bytes ");
    print_number(bytes);
    print(" ns ");
    print_number(end - start);
    print("\n");
}

// ---- A disk

struct job {
    uint64_t depth, size, count, span; // span: 0: one request after the other
    uint16_t opcode;
    long file;
};

// xorshift64 of Marsaglia's: the same numbers in each run.
static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void submit(long context, const struct job *job, uint64_t slot, uint64_t number)
{
    struct request *request = &requests[slot];
    uint64_t place = job->span != 0 ? random_number() % (job->span / job->size) : number;

    request->data = slot;
    request->opcode = job->opcode;
    request->file = (uint32_t)job->file;
    request->buffer = (uint64_t)(uintptr_t)buffers[slot];
    request->size = job->size;
    request->offset = place * job->size;
    (void)must(call(SYS_IO_SUBMIT, context, 1, (long)&request));
}

static void run_disk(const struct job *job)
{
    long context = 0;
    uint64_t submitted = 0;
    uint64_t done = 0;

    (void)must(call(SYS_IO_SETUP, DEPTH_MAX, (long)&context, 0));
    for (long n = 0; n < BYTES_MAX; n += 4) // also so that each page is there
        for (uint64_t slot = 0; slot < job->depth; slot++)
            *(volatile uint32_t *)&buffers[slot][n] = (uint32_t)random_number();
    uint64_t start = now();
    while (submitted < job->depth && submitted < job->count) {
        submit(context, job, submitted, submitted);
        submitted++;
    }
    while (done < job->count) {
        long found = must(call5(SYS_IO_GETEVENTS, (const long[]){context, 1, DEPTH_MAX, (long)events, 0}));
        for (long n = 0; n < found; n++) {
            if ((uint64_t)must(events[n].result) != job->size)
                must(-5);
            done++;
            if (submitted < job->count)
                submit(context, job, events[n].data, submitted++);
        }
    }
    if (job->opcode == IOCB_CMD_PWRITE)
        (void)must(call(SYS_FSYNC, job->file, 0, 0));
    say(job->count * job->size, start);
}

// ---- The network

static long connected(long port)
{
    uint16_t address[8] = {AF_INET, (uint16_t)(port << 8 | port >> 8)}; // struct sockaddr_in; 0.0.0.0
    int one = 1;
    long listener = must(call(SYS_SOCKET, AF_INET, SOCK_STREAM, 0));

    (void)must(call5(SYS_SETSOCKOPT, (const long[]){listener, SOL_SOCKET, SO_REUSEADDR, (long)&one, sizeof(one)}));
    (void)must(call(SYS_BIND, listener, (long)address, sizeof(address)));
    (void)must(call(SYS_LISTEN, listener, 1, 0));
    print("# listens\n");
    return must(call(SYS_ACCEPT, listener, 0, 0));
}

static void run_send(long port, uint64_t bytes)
{
    long peer = connected(port);
    uint64_t start = now();

    for (uint64_t sent = 0; sent < bytes;) {
        uint64_t left = bytes - sent;
        sent += (uint64_t)must(call(SYS_WRITE, peer, (long)buffers, (long)(left < BYTES_MAX ? left : BYTES_MAX)));
    }
    (void)must(call(SYS_SHUTDOWN, peer, SHUT_WR, 0));
    while (must(call(SYS_READ, peer, (long)buffers, BYTES_MAX)) != 0)
        ;
    say(bytes, start);
}

static void run_receive(long port)
{
    long peer = connected(port);
    uint64_t bytes = 0;
    uint64_t start = now();
    long got;

    while ((got = must(call(SYS_READ, peer, (long)buffers, BYTES_MAX))) != 0)
        bytes += (uint64_t)got;
    say(bytes, start);
}

// From the kernel's stack: argc, argv[0] ...
__attribute__((used, noreturn)) static void run(char **stack)
{
    long count = (long)stack[0];
    char **words = &stack[2];

    if (count == 4 && words[0][0] == 's') {
        run_send(number_of(words[1]), (uint64_t)number_of(words[2]));
    } else if (count == 4 && words[0][0] == 'r') {
        run_receive(number_of(words[1]));
    } else if (count >= 6) {
        struct job job = {.depth = (uint64_t)number_of(words[2]),
                          .size = (uint64_t)number_of(words[3]),
                          .count = (uint64_t)number_of(words[4]),
                          .span = count == 7 ? (uint64_t)number_of(words[5]) : 0,
                          .opcode = words[0][0] == 'w' ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD};
        if (job.depth < 1 || job.depth > DEPTH_MAX || job.size < 512 || job.size > BYTES_MAX)
            leave(2);
        job.file = must(call5(SYS_OPENAT, (const long[]){AT_FDCWD, (long)words[1], O_RDWR | O_DIRECT, 0, 0}));
        run_disk(&job);
    } else {
        leave(2);
    }
    leave(0);
}

__asm__(".global _start\n_start: mov x0, sp\n b run");
