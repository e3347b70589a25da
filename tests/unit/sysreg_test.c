// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: every row is found by its syndrome and nothing else is; the guest's ID registers hide what
// ariel does not virtualize; each emulation does what its column says, and no access is made that the table forbids.
// Links: trap/sysreg.c trap/sysreg_id.c arch/aarch64/esr_fields.c lib/printf.c
// Links: platform/platform.c

#include <platform/virt.h>

#include <hv/arch/registers.h>
#include <hv/arch/esr_fields.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/sysreg_access.h>
#include <hv/memory_map.h>
#include <hv/policy.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

#include <policy_tables.c>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <guest_ram.h>

#define COUNT (KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST)

struct row {
    const char *name;
    uint8_t op0, op1, crn, crm, op2;
    const char *access, *kind;
};

#define ROW(name, op0, op1, crn, crm, op2, class, access, control, kind)                                               \
    {#name, op0, op1, crn, crm, op2, #access, #kind},
static const struct row rows[] = {SYSREG_TABLE(ROW)};

static uint64_t hardware[COUNT];
static bool absent[COUNT];
static unsigned int reads, writes, last_written;
static uint64_t last_value, sgi, sgi0, par;
static bool translated_el0, translated_write;
static struct vm vm;
static struct vcpu vcpu;
static struct trap_frame frame;

bool sysreg_access_read(unsigned int index, uint64_t *value)
{
    assert_true(index < COUNT);
    reads++;
    if (absent[index])
        return false;
    *value = hardware[index];
    return true;
}

bool sysreg_access_write(unsigned int index, uint64_t value)
{
    assert_true(index < COUNT);
    writes++;
    last_written = index + KEY_SYSREG_FIRST;
    last_value = value;
    return !absent[index];
}

uint64_t sysreg_access_translate(gva_t address, bool el0, bool write)
{
    (void)address;
    translated_el0 = el0;
    translated_write = write;
    return par;
}

void vgic_write_sgi0r(struct vcpu *target, uint64_t value)
{
    assert_ptr_equal(target, &vcpu);
    sgi0 = value;
}

void vgic_write_dir(struct vcpu *target, uint64_t value)
{
    (void)target;
    (void)value;
}

uint64_t vtimer_physical_read(struct vcpu *target, enum vtimer_register reg)
{
    (void)target;
    return 0x7100 + reg;
}

void vtimer_physical_write(struct vcpu *target, enum vtimer_register reg, uint64_t value)
{
    (void)target;
    (void)reg;
    (void)value;
}

void vgic_write_sgi1r(struct vcpu *target, uint64_t value)
{
    assert_ptr_equal(target, &vcpu);
    sgi = value;
}

static int prepare(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vcpu);
    memset(absent, 0, sizeof(absent));
    memset(&vcpu, 0, sizeof(vcpu));
    vcpu.frame = &frame;
    vcpu.vm = &vm;
    fake_guest_ram(&vm.space);
    vm.controls = policy_built.controls;
    for (unsigned int i = 0; i < COUNT; i++)
        hardware[i] = ~UINT64_C(0);
    sysreg_init(&vm);
    reads = writes = last_written = 0;
    sgi = sgi0 = par = last_value = 0;
    return 0;
}

static uint32_t syndrome(const struct row *row, bool read)
{
    return (uint32_t)(UINT32_C(0x18) << 26 | 1u << 25 | FIELD_PREP(ISS_SYSREG_OP0, row->op0) |
                      FIELD_PREP(ISS_SYSREG_OP1, row->op1) | FIELD_PREP(ISS_SYSREG_CRN, row->crn) |
                      FIELD_PREP(ISS_SYSREG_CRM, row->crm) | FIELD_PREP(ISS_SYSREG_OP2, row->op2) |
                      FIELD_PREP(ISS_SYSREG_RT, 13) | (read ? ISS_SYSREG_DIRECTION : 0));
}

static uint32_t encoding(const struct row *row)
{
    return (uint32_t)(row->op0 << 14 | row->op1 << 11 | row->crn << 7 | row->crm << 3 | row->op2);
}

static enum trap_result emulate(unsigned int key, bool write, uint64_t *value)
{
    struct event event = {.key = (uint16_t)key, .write = write, .value = *value};
    enum trap_result result = sysreg_emulate(&vcpu, &event);
    *value = event.value;
    return result;
}

static void rows_are_sorted_and_found(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        assert_int_equal(sysreg_key(syndrome(&rows[i], true)), KEY_SYSREG_FIRST + i);
        assert_int_equal(sysreg_key(syndrome(&rows[i], false)), KEY_SYSREG_FIRST + i);
        if (i > 0)
            assert_true(encoding(&rows[i]) > encoding(&rows[i - 1]));
    }
}

static void other_encodings_are_unknown(void **state)
{
    (void)state;
    unsigned int known = 0, next = 0;
    for (uint32_t code = 0; code < 1u << 16; code++) {
        struct row row = {.op0 = (uint8_t)(code >> 14),
                          .op1 = code >> 11 & 7,
                          .crn = code >> 7 & 15,
                          .crm = code >> 3 & 15,
                          .op2 = code & 7};
        unsigned int key = sysreg_key(syndrome(&row, true));
        bool listed = next < COUNT && encoding(&rows[next]) == code;
        next += listed;
        known += key != KEY_SYSREG_UNKNOWN;
        assert_int_equal(key != KEY_SYSREG_UNKNOWN, listed);
    }
    assert_int_equal(known, COUNT);
}

static void encoded_names(void **state)
{
    (void)state;
    char name[24];
    const struct row row = {.op0 = 3, .op1 = 7, .crn = 15, .crm = 14, .op2 = 5};
    sysreg_encoded_name(syndrome(&row, true), name, sizeof(name));
    assert_string_equal(name, "S3_7_C15_C14_5");
    sysreg_encoded_name(UINT32_C(0x0fefc1ff), name, sizeof(name)); // EC 0x03
    assert_string_equal(name, "CP15_7_C0_C15_7");
    sysreg_encoded_name(UINT32_C(0x17eafc61), name, sizeof(name)); // EC 0x05
    assert_string_equal(name, "CP14_3_C15_C0_5");
    sysreg_encoded_name(UINT32_C(0x13efffff), name, sizeof(name)); // EC 0x04
    assert_string_equal(name, "CP15_15_C15");
    sysreg_encoded_name(UINT32_C(0x33e0001d), name, sizeof(name)); // EC 0x0c
    assert_string_equal(name, "CP14_0_C14");
}

static uint64_t visible(unsigned int key)
{
    uint64_t value = 0;
    assert_int_equal(emulate(key, false, &value), TRAP_DONE);
    return value;
}

static unsigned int nibble(unsigned int key, unsigned int shift)
{
    return (unsigned int)(visible(key) >> shift & 15);
}

static void id_registers_hide_what_is_not_virtualized(void **state)
{
    (void)state;
    static const struct {
        unsigned int key, shift, value;
    } fields[] = {
        {KEY_ID_AA64PFR0_EL1, 0, 15},  {KEY_ID_AA64PFR0_EL1, 4, 1},    {KEY_ID_AA64PFR0_EL1, 8, 0},
        {KEY_ID_AA64PFR0_EL1, 12, 0},  {KEY_ID_AA64PFR0_EL1, 24, 1},   {KEY_ID_AA64PFR0_EL1, 28, 0},
        {KEY_ID_AA64PFR0_EL1, 32, 0},  {KEY_ID_AA64PFR0_EL1, 36, 0},   {KEY_ID_AA64PFR0_EL1, 40, 0},
        {KEY_ID_AA64PFR0_EL1, 44, 0},  {KEY_ID_AA64PFR0_EL1, 52, 0},   {KEY_ID_AA64PFR0_EL1, 56, 1},
        {KEY_ID_AA64PFR1_EL1, 8, 0},   {KEY_ID_AA64PFR1_EL1, 24, 0},   {KEY_ID_AA64PFR1_EL1, 4, 15},
        {KEY_ID_AA64DFR0_EL1, 0, 8},   {KEY_ID_AA64DFR0_EL1, 4, 0},    {KEY_ID_AA64DFR0_EL1, 8, 0},
        {KEY_ID_AA64DFR0_EL1, 12, 15}, {KEY_ID_AA64DFR0_EL1, 32, 0},   {KEY_ID_AA64DFR0_EL1, 40, 0},
        {KEY_ID_AA64ISAR0_EL1, 24, 0}, {KEY_ID_AA64ISAR0_EL1, 20, 15}, {KEY_ID_AA64ISAR1_EL1, 60, 0},
        {KEY_ID_AA64ISAR2_EL1, 16, 0}, {KEY_ID_AA64ISAR2_EL1, 0, 0},   {KEY_ID_AA64MMFR0_EL1, 0, 2},
        {KEY_ID_AA64MMFR0_EL1, 56, 0}, {KEY_ID_AA64MMFR0_EL1, 60, 0},  {KEY_ID_AA64MMFR0_EL1, 28, 15},
        {KEY_ID_AA64MMFR1_EL1, 8, 0},  {KEY_ID_AA64MMFR1_EL1, 16, 0},  {KEY_ID_AA64MMFR1_EL1, 28, 0},
        {KEY_ID_AA64MMFR1_EL1, 40, 0}, {KEY_ID_AA64MMFR1_EL1, 20, 15}, {KEY_ID_AA64MMFR2_EL1, 24, 0},
        {KEY_ID_AA64MMFR2_EL1, 12, 0}, {KEY_ID_AA64MMFR2_EL1, 16, 15}, {KEY_ID_DFR0_EL1, 24, 0},
        {KEY_ID_PFR0_EL1, 28, 0},      {KEY_ID_PFR1_EL1, 12, 0},       {KEY_ID_PFR1_EL1, 28, 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
        if (nibble(fields[i].key, fields[i].shift) != fields[i].value)
            fail_msg("%s[%u]: %u, want %u", rows[fields[i].key - KEY_SYSREG_FIRST].name, fields[i].shift,
                     nibble(fields[i].key, fields[i].shift), fields[i].value);
    assert_int_equal(visible(KEY_ID_AA64ZFR0_EL1), 0);
    assert_int_equal(visible(KEY_ID_AA64SMFR0_EL1), 0);
    assert_int_equal(visible(KEY_ID_AA64DFR1_EL1), 0);
    assert_int_equal(visible(KEY_ID_AA64MMFR3_EL1), 0);
    assert_int_equal(visible(KEY_S3_0_C0_C7_7), 0);
    assert_int_equal(reads, 0); // all were made at boot
}

static void pointer_authentication_follows_the_policy(void **state)
{
    (void)state;
    bool through = (policy_built.controls.hcr_el2 & (HCR_EL2_API | HCR_EL2_APK)) == (HCR_EL2_API | HCR_EL2_APK);
    assert_int_equal(nibble(KEY_ID_AA64ISAR1_EL1, 4), through ? 15 : 0);
    assert_int_equal(nibble(KEY_ID_AA64ISAR1_EL1, 28), through ? 15 : 0);
    assert_int_equal(nibble(KEY_ID_AA64ISAR2_EL1, 12), through ? 15 : 0);
}

// Two VMs, of which the policy of one passes pointer authentication on. Each reads its own, whichever vCPU is the
// current one.
static void id_registers_are_their_vms_own(void **state)
{
    static struct vm other;
    uint64_t mine, others;

    (void)state;
    vm.controls.hcr_el2 = HCR_EL2_API | HCR_EL2_APK;
    sysreg_init(&vm);
    memset(&other, 0, sizeof(other));
    other.vcpus[0].vm = &other;
    sysreg_init(&other);
    assert_int_equal(sysreg_read(&vcpu, KEY_ID_AA64ISAR1_EL1, &mine), HV_OK);
    assert_int_equal(sysreg_read(&other.vcpus[0], KEY_ID_AA64ISAR1_EL1, &others), HV_OK);
    assert_int_equal(mine >> 4 & 15, 15);
    assert_int_equal(others >> 4 & 15, 0);
}

static void small_cpus_stay_small(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++)
        hardware[i] = 0;
    hardware[KEY_ID_AA64MMFR0_EL1 - KEY_SYSREG_FIRST] = 1;
    absent[KEY_AIDR_EL1 - KEY_SYSREG_FIRST] = true;
    sysreg_init(&vm);
    assert_int_equal(visible(KEY_ID_AA64MMFR0_EL1), 1);
    assert_int_equal(visible(KEY_AIDR_EL1), UINT64_MAX); // of the earlier call: what is absent is not touched
    assert_int_equal(visible(KEY_ID_AA64PFR0_EL1), 0x1000010);
}

static void directions_are_held(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        uint64_t value = 0;
        if (strcmp(rows[i].access, "RO") == 0)
            assert_int_equal(emulate(KEY_SYSREG_FIRST + i, true, &value), TRAP_INJECT_UNDEF);
        if (strcmp(rows[i].access, "WO") == 0)
            assert_int_equal(emulate(KEY_SYSREG_FIRST + i, false, &value), TRAP_INJECT_UNDEF);
    }
    assert_int_equal(reads + writes, 0);
    uint64_t value = 0;
    assert_int_equal(emulate(KEY_SYSREG_UNKNOWN, false, &value), TRAP_INJECT_UNDEF);
    assert_int_equal(emulate(KEY_SYSREG_UNKNOWN, true, &value), TRAP_INJECT_UNDEF);
    assert_int_equal(sysreg_read(&vcpu, KEY_SYSREG_UNKNOWN, &value), HV_ERR_INVALID);
    assert_int_equal(sysreg_read(&vcpu, KEY_COUNT, &value), HV_ERR_INVALID);
    assert_int_equal(sysreg_read(&vcpu, 0, &value), HV_ERR_INVALID);
    assert_int_equal(sysreg_write(&vcpu, 0, value), HV_ERR_INVALID);
}

// What Tab offers behind the monitor's sr is what sr can show.
static void readable_is_what_can_be_read(void **state)
{
    (void)state;
    uint64_t value;

    for (unsigned int key = KEY_SYSREG_FIRST; key < KEY_SYSREG_UNKNOWN; key++)
        assert_int_equal(sysreg_is_readable(key), sysreg_read(&vcpu, key, &value) == HV_OK);
    assert_true(sysreg_is_readable(KEY_AIDR_EL1));
    assert_false(sysreg_is_readable(KEY_TLBI_VMALLE1));
    assert_false(sysreg_is_readable(KEY_SYSREG_UNKNOWN));
    assert_false(sysreg_is_readable(0));
}

static void dbgdidr_is_what_id_aa64dfr0_says(void **state)
{
    (void)state;
    uint64_t value = 0;

    assert_int_equal(emulate(KEY_DBGDIDR, false, &value), TRAP_DONE);
    assert_int_equal(value, 0xfff88000); // of every field all bits; debug up to Armv8.2; no EL3
    hardware[KEY_ID_AA64DFR0_EL1 - KEY_SYSREG_FIRST] = 0x0000000010305106;
    sysreg_init(&vm);
    assert_int_equal(sysreg_read(&vcpu, KEY_DBGDIDR, &value), HV_OK);
    assert_int_equal(value, 0x35168000);
    assert_int_equal(emulate(KEY_DBGDIDR, true, &value), TRAP_INJECT_UNDEF);
}

static void each_kind_reads_and_writes(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < COUNT; i++) {
        const char *kind = rows[i].kind;
        bool hw = strcmp(kind, "HW") == 0 || strcmp(kind, "MDSCR") == 0 || strcmp(kind, "OSLOCK") == 0,
             wi = strcmp(kind, "WI") == 0;
        bool hidden = strcmp(kind, "UNDEF") == 0 || strcmp(kind, "NONE") == 0;
        unsigned int key = KEY_SYSREG_FIRST + i, before = reads + writes;
        uint64_t value = 0x55;

        if (strcmp(rows[i].access, "WO") != 0) {
            assert_int_equal(emulate(key, false, &value), hidden ? TRAP_INJECT_UNDEF : TRAP_DONE);
            assert_int_equal(reads + writes - before, hw || wi);
            assert_true(!(strcmp(kind, "RAZ") == 0) || value == 0);
        }
        before = writes;
        if (strcmp(rows[i].access, "RO") != 0 && strcmp(kind, "VA") != 0) {
            assert_int_equal(emulate(key, true, &value), hidden ? TRAP_INJECT_UNDEF : TRAP_DONE);
            assert_int_equal(writes - before, hw || strcmp(kind, "SET_WAY") == 0);
        }
    }
}

static void what_the_cpu_lacks_is_undefined(void **state)
{
    (void)state;
    uint64_t value = 7;
    absent[KEY_PMCR_EL0 - KEY_SYSREG_FIRST] = true;
    assert_int_equal(sysreg_read(&vcpu, KEY_PMCR_EL0, &value), HV_ERR_UNSUPPORTED);
    assert_int_equal(value, 7);
    assert_int_equal(sysreg_write(&vcpu, KEY_PMCR_EL0, value), HV_ERR_UNSUPPORTED);
    assert_int_equal(emulate(KEY_PMCR_EL0, false, &value), TRAP_INJECT_UNDEF);
    assert_int_equal(sysreg_read(&vcpu, KEY_ICC_PMR_EL1, &value), HV_ERR_UNSUPPORTED);
}

static void sgis_go_to_the_vgic(void **state)
{
    (void)state;
    uint64_t value = 0x5000001;
    assert_int_equal(emulate(KEY_ICC_SGI1R_EL1, true, &value), TRAP_DONE);
    assert_int_equal(sgi, 0x5000001);
    value = 1;
    assert_int_equal(emulate(KEY_ICC_SGI0R_EL1, true, &value), TRAP_DONE);
    assert_int_equal(sgi0, 1);
    value = 2;
    assert_int_equal(emulate(KEY_ICC_ASGI1R_EL1, true, &value), TRAP_DONE);
    assert_int_equal(sgi0, 2);
    assert_int_equal(sgi, 0x5000001);
    assert_int_equal(writes, 0);
}

static void set_way_cleans_and_invalidates(void **state)
{
    (void)state;
    assert_int_equal(sysreg_write(&vcpu, KEY_DC_ISW, 0x42), HV_OK);
    assert_int_equal(last_written, KEY_DC_CISW);
    assert_int_equal(last_value, 0x42);
}

static void maintenance_by_address_uses_the_physical_one(void **state)
{
    (void)state;
    vcpu.frame->spsr_el2 = SPSR_M_EL1H;
    fake_sysreg_set("SPSR_EL2", SPSR_M_EL0T); // of EL2's own last exception
    par = GUEST_RAM_PA + 0x5000;
    assert_int_equal(sysreg_write(&vcpu, KEY_DC_CVAC, 0xffff000000001040), HV_OK);
    assert_int_equal(last_written, KEY_DC_CVAC);
    assert_int_equal(last_value, GUEST_RAM_PA + 0x5040);
    assert_false(translated_el0 || translated_write);
    assert_int_equal(sysreg_write(&vcpu, KEY_DC_IVAC, 0x1000), HV_OK);
    assert_int_equal(last_written, KEY_DC_CIVAC);
    assert_int_equal(sysreg_write(&vcpu, KEY_IC_IVAU, 0x1000), HV_OK);
    assert_int_equal(last_written, KEY_IC_IALLUIS);
    vcpu.frame->spsr_el2 = SPSR_M_EL0T;
    assert_int_equal(sysreg_write(&vcpu, KEY_DC_ZVA, 0x1000), HV_OK);
    assert_true(translated_el0 && translated_write);
}

static void maintenance_never_leaves_guest_ram(void **state)
{
    (void)state;
    const uint64_t bad[] = {PAR_EL1_F | 9, HV_PA, GUEST_RAM_PA - 0x1000, GUEST_RAM_PA + GUEST_RAM_SIZE, PL011_IPA};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        par = bad[i];
        assert_int_equal(sysreg_write(&vcpu, KEY_DC_CIVAC, 0x1000), HV_OK);
        assert_int_equal(sysreg_write(&vcpu, KEY_DC_ZVA, 0x1000), HV_ERR_FAULT);
    }
    assert_int_equal(writes, 0);
}

static void a_step_keeps_the_guests_mdscr(void **state)
{
    (void)state;
    uint64_t value = 0;
    vcpu.step_owned = true;
    vcpu.guest_mdscr = 0x8000;
    vcpu.guest_os_lock = true;
    hardware[KEY_OSLSR_EL1 - KEY_SYSREG_FIRST] = 8; // unlocked, so that there are steps
    assert_int_equal(emulate(KEY_OSLSR_EL1, false, &value), TRAP_DONE);
    assert_int_equal(value, 10);
    value = 2;
    assert_int_equal(emulate(KEY_OSLAR_EL1, true, &value), TRAP_DONE);
    assert_false(vcpu.guest_os_lock);
    assert_int_equal(emulate(KEY_OSLSR_EL1, false, &value), TRAP_DONE);
    assert_int_equal(value, 8);
    value = 1;
    assert_int_equal(sysreg_write(&vcpu, KEY_OSLAR_EL1, value), HV_OK);
    assert_true(vcpu.guest_os_lock);
    assert_int_equal(writes, 0);
    reads = 0;
    assert_int_equal(emulate(KEY_MDSCR_EL1, false, &value), TRAP_DONE);
    assert_int_equal(value, 0x8000);
    value = 0x1000;
    assert_int_equal(emulate(KEY_MDSCR_EL1, true, &value), TRAP_DONE);
    assert_int_equal(vcpu.guest_mdscr, 0x1000);
    assert_int_equal(reads + writes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_are_sorted_and_found, prepare),
        cmocka_unit_test_setup(other_encodings_are_unknown, prepare),
        cmocka_unit_test_setup(encoded_names, prepare),
        cmocka_unit_test_setup(id_registers_hide_what_is_not_virtualized, prepare),
        cmocka_unit_test_setup(pointer_authentication_follows_the_policy, prepare),
        cmocka_unit_test_setup(id_registers_are_their_vms_own, prepare),
        cmocka_unit_test_setup(small_cpus_stay_small, prepare),
        cmocka_unit_test_setup(directions_are_held, prepare),
        cmocka_unit_test_setup(readable_is_what_can_be_read, prepare),
        cmocka_unit_test_setup(dbgdidr_is_what_id_aa64dfr0_says, prepare),
        cmocka_unit_test_setup(each_kind_reads_and_writes, prepare),
        cmocka_unit_test_setup(what_the_cpu_lacks_is_undefined, prepare),
        cmocka_unit_test_setup(sgis_go_to_the_vgic, prepare),
        cmocka_unit_test_setup(set_way_cleans_and_invalidates, prepare),
        cmocka_unit_test_setup(maintenance_by_address_uses_the_physical_one, prepare),
        cmocka_unit_test_setup(maintenance_never_leaves_guest_ram, prepare),
        cmocka_unit_test_setup(a_step_keeps_the_guests_mdscr, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
