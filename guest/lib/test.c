// SPDX-License-Identifier: Apache-2.0
// Runs the registered tests and prints TAP 13. Whatever a test leaves behind (MMU, FP trap, masks, timers, handlers) is
// put back after it, and a test that dies of an exception is one failed test: the suite always reaches its summary.
#include "lib/test.h"

#include "lib/landing.h"
#include "lib/layout.h"
#include "lib/mmu.h"
#include "lib/print.h"
#include "lib/registers.h"

extern const struct test *const guest_tests_start[], *const guest_tests_end[];

#define TEST_MAX 256

static const struct test *tests[TEST_MAX];
static unsigned int test_count;

static struct {
    bool failed;
    unsigned int line;
    const char *skip;
} current;

// Where a test that dies returns to.
static struct landing landing;
static bool running;

static int text_compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

static bool test_before(const struct test *a, const struct test *b)
{
    int order = text_compare(a->suite, b->suite);

    return order < 0 || (order == 0 && a->line < b->line);
}

static void sort_tests(void)
{
    test_count = 0;
    for (const struct test *const *p = guest_tests_start; p < guest_tests_end && test_count < TEST_MAX; p++) {
        unsigned int n = test_count++;

        for (; n > 0 && test_before(*p, tests[n - 1]); n--)
            tests[n] = tests[n - 1];
        tests[n] = *p;
    }
}

// Whether "suite: name" begins with filter.
static bool test_matches(const struct test *test, const char *filter)
{
    const char *const parts[] = {test->suite, ": ", test->name};

    for (unsigned int n = 0; n < 3; n++)
        for (const char *p = parts[n]; *p; p++, filter++) {
            if (!*filter)
                return true;
            if (*p != *filter)
                return false;
        }
    return !*filter;
}

void test_fail(unsigned int line, const char *format, ...)
{
    va_list arguments;

    if (current.failed)
        return;
    current.failed = true;
    print("# line %u: ", line);
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
    print("\n");
}

void test_skip(const char *reason)
{
    current.skip = reason;
}

// Puts the CPU back where every test begins.
static void restore_cpu(void)
{
    cpu_irq_mask();
    mmu_disable();
    WRITE_REG(cpacr_el1, GUEST_CPACR_FPEN);
    WRITE_REG(sctlr_el1, GUEST_SCTLR_OFF);
    WRITE_REG(cntv_ctl_el0, 0);
    exception_set_el0_handler(NULL);
    exception_set_irq_handler(NULL);
    (void)exception_end();
}

// Ends the running test as failed after an exception that nobody expected. Tests run on the boot CPU alone.
static void abandon(void)
{
    current.failed = true;
    if (cpu_index() == 0 && running)
        landing_leave(&landing);
}

static void run_one(const struct test *test)
{
    current.failed = false;
    current.skip = NULL;
    running = true;
    (void)landing_call(&landing, test->run);
    running = false;
    restore_cpu();
}

void test_run(const char *filter)
{
    unsigned int number = 0, selected = 0, passed = 0, failed = 0, skipped = 0;

    exception_set_unexpected_handler(abandon);
    sort_tests();
    for (unsigned int n = 0; n < test_count; n++)
        selected += test_matches(tests[n], filter);
    print("TAP version 13\n1..%u\n", selected);
    if (selected == 0) {
        print("# no test begins with '%s'; there are:\n", filter);
        test_list();
        failed++;
    }
    for (unsigned int n = 0; n < test_count; n++) {
        const struct test *test = tests[n];

        if (!test_matches(test, filter))
            continue;
        run_one(test);
        print("%sok %u - %s: %s", current.failed ? "not " : "", ++number, test->suite, test->name);
        if (current.skip && !current.failed)
            print(" # SKIP %s", current.skip);
        print("\n");
        if (current.failed)
            failed++;
        else if (current.skip)
            skipped++;
        else
            passed++;
    }
    print("# ariel-guest: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
}

void test_list(void)
{
    sort_tests();
    for (unsigned int n = 0; n < test_count; n++)
        print("%s: %s\n", tests[n]->suite, tests[n]->name);
}

bool test_expect_undef(unsigned int line, const struct exception *e, uint64_t address)
{
    if (e->taken == 1 && e->slot % 4 == 0 && e->esr == 0x2000000 && e->elr == address && (e->spsr & 0x1f) != 0x10)
        return true;
    test_fail(line, "expected UNDEF at 0x%lx (ESR 0x2000000), got %u exceptions, ESR 0x%lx ELR 0x%lx SPSR 0x%lx",
              address, e->taken, e->esr, e->elr, e->spsr);
    return false;
}

bool test_expect_external_abort(unsigned int line, const struct exception *e, uint64_t far, bool write)
{
    // WnR is UNKNOWN for a read-modify-write; EA, SET and the like are 0 on QEMU.
    if (e->taken == 1 && e->ec == EC_DABT && (e->iss & ISS_FSC_MASK) == FSC_EXTERNAL && e->far == far &&
        !!(e->iss & ISS_WNR) == write)
        return true;
    test_fail(line,
              "expected an external abort (EC 0x25, DFSC 0x10, WnR %u) at 0x%lx, got %u exceptions, "
              "ESR 0x%lx FAR 0x%lx",
              write, far, e->taken, e->esr, e->far);
    return false;
}

bool test_expect_no_exception(unsigned int line, const struct exception *e)
{
    if (!e->taken)
        return true;
    test_fail(line, "expected no exception, got ESR 0x%lx ELR 0x%lx FAR 0x%lx", e->esr, e->elr, e->far);
    return false;
}
