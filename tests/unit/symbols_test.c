// SPDX-License-Identifier: Apache-2.0
// A guest's symbols: a table is checked whole before it is used, addresses and names are found, and a kernel that KASLR
// has moved is found by its vectors, or not at all.
// Links: vm/symbols.c vm/symbols_table.c lib/printf.c tests/fake/fake_cpu.c
#include <hv/symbols.h>

#include <hv/arch/fields.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/machine.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINK       UINT64_C(0xffff800080000000)
#define LOAD       UINT64_C(0x40200000)
#define SLIDE      UINT64_C(0x2b5d30200000)
#define SPAN       0x30000u
#define VECTORS    0x10800u
#define ROOM       4096u
#define FIRST      0x10000u // where the first function is
#define COUNT      6u
#define TEXT_AT    (sizeof(struct symbols_header) + sizeof(uint32_t) * 2 * COUNT)
#define TRAMPOLINE UINT64_C(0xfffffbfffdff1800) // where Linux has its other vectors

static union {
    struct symbols_header header;
    uint8_t bytes[ROOM];
} table;
static struct vm vm;
static struct trap_frame frames[2];
static uint64_t vbar[2];

// Of the CPU that fake_cpu.c pretends to be on: the two vCPUs are asked one after the other.
static unsigned int asked;

bool vcpu_register_read(unsigned int number, uint64_t *value)
{
    assert_int_equal(number, VCPU_REGISTER_VBAR_EL1);
    *value = vbar[asked++ % 2];
    return true;
}

static const struct {
    uint32_t offset;
    const char *name;
} functions[COUNT] = {{FIRST, "_stext"},        {VECTORS, "vectors"},        {0x11000, "first_name"},
                      {0x11000, "second_name"}, {0x12000, ""} /* no code */, {0x20000, "\x1b[31m start"}};

static uint64_t table_size(void)
{
    return table.header.size;
}

static void make_table(void)
{
    uint32_t *numbers = (uint32_t *)(&table.header + 1);
    size_t length = 0;

    memset(&table, 0, sizeof(table));
    for (unsigned int n = 0; n < COUNT; n++) {
        numbers[n] = functions[n].offset;
        numbers[COUNT + n] = (uint32_t)length;
        strcpy((char *)&table.bytes[TEXT_AT + length], functions[n].name);
        length += strlen(functions[n].name) + 1;
    }
    table.header = (struct symbols_header){.magic = SYMBOLS_MAGIC,
                                           .version = SYMBOLS_VERSION,
                                           .count = COUNT,
                                           .size = (TEXT_AT + length + 7) / 8 * 8,
                                           .link = LINK,
                                           .vectors = VECTORS,
                                           .span = SPAN,
                                           .load_ipa = LOAD};
}

static const char *attach(void)
{
    return symbols_attach(&vm.symbols, &table, ROOM, table_size(), symbols_sum(&table, table_size()));
}

static int set_up(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    vm.vcpu_count = 2;
    asked = 0;
    for (unsigned int n = 0; n < 2; n++) {
        vm.vcpus[n] = (struct vcpu){.id = n, .cpu = n, .frame = &frames[n], .vm = &vm};
        frames[n].spsr_el2 = FIELD_PREP(SPSR_ELX_M_EL, 1) | SPSR_ELX_M_SP;
        vbar[n] = 0;
    }
    make_table();
    assert_null(attach());
    return 0;
}

static void named(uint64_t address, const char *expected)
{
    char text[SYMBOLS_NAME_SIZE];

    assert_int_equal(symbols_name(&vm.symbols, address, text), *expected != '\0');
    assert_string_equal(text, expected);
}

static void an_address_in_guest_ram_has_a_name(void **state)
{
    (void)state;
    named(LOAD + FIRST, "_stext");
    named(LOAD + VECTORS + 0x10, "vectors+0x10");
    named(LOAD + 0x11ffc, "first_name+0xffc"); // the first of two names
    named(LOAD + 0x12000, "");                 // behind the code
    named(LOAD + 0x1ffff, "");
    named(LOAD + 0x20004, "?[31m?start+0x4"); // nothing that a terminal obeys
    named(LOAD + SPAN - 1, "?[31m?start+0xffff");
    named(LOAD + SPAN, "");
    named(LOAD + FIRST - 1, ""); // before the first one
    named(LOAD - 1, "");
    named(0, "");
    named(UINT64_MAX, "");
}

static void a_moved_kernel_is_found_by_its_vectors(void **state)
{
    uint64_t address;
    uint32_t at = 0;

    (void)state;
    named(LINK + FIRST, ""); // nobody has said yet that it is there
    assert_false(symbols_address(&vm.symbols, "vectors", &at, &address));
    vbar[1] = LINK + SLIDE + VECTORS;
    symbols_solve(&vm);
    named(LINK + SLIDE + FIRST + 4, "_stext+0x4");
    named(LINK + FIRST, "");
    assert_true(symbols_address(&vm.symbols, "second_name", &at, &address));
    assert_int_equal(address, LINK + SLIDE + 0x11000);
    assert_false(symbols_address(&vm.symbols, "second_name", &at, &address));
    vbar[1] = LINK + VECTORS; // another boot
    symbols_solve(&vm);
    named(LINK + FIRST, "_stext");
}

static void other_vectors_are_not_taken_for_the_kernels(void **state)
{
    const uint64_t others[] = {
        0, VECTORS, LOAD + VECTORS, LINK + VECTORS + 0x800, LINK - 0x10000 + VECTORS, TRAMPOLINE, UINT64_MAX - 0x7ff};

    (void)state;
    for (unsigned int n = 0; n < sizeof(others) / sizeof(others[0]); n++) {
        vbar[0] = vbar[1] = others[n];
        symbols_solve(&vm);
        assert_false(vm.symbols.solved);
    }
}

// While programs run, the vectors of a kernel that hides itself are not its own; the kernel has not moved.
static void the_slide_holds_while_programs_run(void **state)
{
    (void)state;
    vbar[0] = vbar[1] = LINK + SLIDE + VECTORS;
    symbols_solve(&vm);
    vbar[0] = vbar[1] = TRAMPOLINE;
    frames[0].spsr_el2 = frames[1].spsr_el2 = 0;
    symbols_solve(&vm);
    named(LINK + SLIDE + FIRST, "_stext");
    frames[1].spsr_el2 = FIELD_PREP(SPSR_ELX_M_EL, 1); // a kernel of which these are the vectors is another one
    symbols_solve(&vm);
    named(LINK + SLIDE + FIRST, "");
}

static void the_kernel_is_seen_before_somebody_asks(void **state)
{
    (void)state;
    vbar[0] = LINK + SLIDE + VECTORS;
    symbols_look(&vm.vcpus[0]);
    named(LINK + SLIDE + FIRST, "_stext");
    symbols_look(&vm.vcpus[1]);
    assert_int_equal(asked, 1); // it is known
    vbar[0] = vbar[1] = TRAMPOLINE;
    frames[0].spsr_el2 = frames[1].spsr_el2 = 0;
    symbols_solve(&vm);
    named(LINK + SLIDE + FIRST, "_stext");
}

static void a_vcpu_that_is_off_is_not_asked(void **state)
{
    (void)state;
    vm.vcpus[0].power = VCPU_OFF;
    vm.vcpus[1].power = VCPU_ON_PENDING;
    vbar[0] = vbar[1] = LINK + VECTORS;
    symbols_solve(&vm);
    assert_int_equal(asked, 0);
}

static void a_program_stays_where_it_was_linked(void **state)
{
    (void)state;
    table.header.vectors = SYMBOLS_FIXED;
    assert_null(attach());
    named(LINK + FIRST, "_stext");
    symbols_solve(&vm);
    assert_int_equal(asked, 0);
    named(LINK + FIRST, "_stext");
}

static void a_long_name_is_cut(void **state)
{
    char text[SYMBOLS_NAME_SIZE];

    (void)state;
    memset(&table.bytes[TEXT_AT], 'n', 200); // over the names behind it
    table.header.size = TEXT_AT + 208;
    assert_null(attach());
    assert_true(symbols_name(&vm.symbols, LOAD + FIRST + 0x7ff, text));
    assert_string_equal(&text[70], "nn...+0x7ff");
}

static void no_table_is_no_mistake(void **state)
{
    (void)state;
    assert_null(symbols_attach(&vm.symbols, &table, ROOM, 0, 0));
    assert_null(vm.symbols.table);
    symbols_solve(&vm);
    named(LOAD + FIRST, "");
}

static void refused(const char *words)
{
    const char *why = attach();

    assert_non_null(why);
    assert_non_null(strstr(why, words));
    assert_ptr_equal(vm.symbols.refused, why);
    named(LOAD + FIRST, "");
    make_table();
}

static void a_bad_table_is_refused(void **state)
{
    uint32_t *numbers = (uint32_t *)(&table.header + 1);

    (void)state;
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, table_size(), symbols_sum(&table, table_size()) + 1));
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, ROOM + 8, 0));
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, UINT64_MAX - 7, 0));
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, 8, symbols_sum(&table, 8)));
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, table_size() - 8, symbols_sum(&table, table_size() - 8)));
    assert_non_null(symbols_attach(&vm.symbols, &table, ROOM, table_size() + 4, symbols_sum(&table, table_size() + 4)));
    table.header.magic++;
    refused("another version");
    table.header.version++;
    refused("another version");
    table.header.count = 0;
    refused("no symbols");
    table.header.count = UINT32_MAX;
    refused("size");
    table.header.count = (uint32_t)(table_size() - sizeof(table.header)) / 8; // no room for text
    refused("size");
    table.header.span = UINT64_C(1) << 32;
    refused("no symbols");
    numbers[3] = 0x10fff;
    refused("in order");
    numbers[COUNT] = (uint32_t)(table_size() - TEXT_AT);
    refused("in order");
    table.bytes[table_size() - 1] = 'x';
    refused("no end");
}

// Whatever the bytes are, a table is refused, or every lookup stays within it: the sanitizer sees what lies behind it.
static void no_table_leads_outside_of_it(void **state)
{
    const uint64_t addresses[] = {LOAD, LOAD + FIRST, LOAD + 0x11000, LOAD + SPAN - 1, LINK + SPAN, UINT64_MAX, 0};
    uint32_t seed = 1;
    unsigned int taken = 0;

    (void)state;
    for (unsigned int round = 0; round < 20000; round++) {
        uint64_t size = table_size();
        uint8_t *copy = malloc(size);
        char text[SYMBOLS_NAME_SIZE];
        uint64_t address;
        uint32_t at = 0;

        memcpy(copy, &table, size);
        for (unsigned int n = 0; n < 1 + round % 3; n++) {
            seed = seed * 1664525 + 1013904223;
            copy[(seed >> 8) % size] = (uint8_t)(seed >> 24 & (seed & 1 ? 0xff : 0x81));
        }
        if (symbols_attach(&vm.symbols, copy, ROOM, size, symbols_sum(copy, size)) == NULL) {
            taken++;
            for (unsigned int n = 0; n < sizeof(addresses) / sizeof(addresses[0]); n++)
                (void)symbols_name(&vm.symbols, addresses[n], text);
            vm.symbols.solved = true;
            while (symbols_address(&vm.symbols, "second_name", &at, &address))
                continue;
        }
        free(copy);
    }
    assert_in_range(taken, 2000, 18000);
    memset(&vm.symbols, 0, sizeof(vm.symbols));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_address_in_guest_ram_has_a_name, set_up),
        cmocka_unit_test_setup(a_moved_kernel_is_found_by_its_vectors, set_up),
        cmocka_unit_test_setup(other_vectors_are_not_taken_for_the_kernels, set_up),
        cmocka_unit_test_setup(the_slide_holds_while_programs_run, set_up),
        cmocka_unit_test_setup(the_kernel_is_seen_before_somebody_asks, set_up),
        cmocka_unit_test_setup(a_vcpu_that_is_off_is_not_asked, set_up),
        cmocka_unit_test_setup(a_program_stays_where_it_was_linked, set_up),
        cmocka_unit_test_setup(a_long_name_is_cut, set_up),
        cmocka_unit_test_setup(no_table_is_no_mistake, set_up),
        cmocka_unit_test_setup(a_bad_table_is_refused, set_up),
        cmocka_unit_test_setup(no_table_leads_outside_of_it, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
