// SPDX-License-Identifier: Apache-2.0
// Links: arch/aarch64/trap_quick.c core/policy.c
// The shorter way of an exit: what it takes, and what it must leave to trap_from_sync.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/trap.h>
#include <hv/call.h>
#include <hv/device.h>
#include <hv/policy.h>
#include <hv/vgic.h>
#include <hv/vm.h>

#define QUICK                                                                                                          \
    {                                                                                                                  \
        POLICY_EMULATE, POLICY_FLAG_QUICK, 1                                                                           \
    }
#define WORD_READ      0x93810007u // EC 0x24, 32 bits, ISV, 4 bytes, Rt = x1, translation fault at level 3
#define PC             0x40001000u
#define ID_REGISTER(n) (0x62300001u | (n) << 1 | 1u << 5) // MRS x1, S3_0_C0_C<n>_0

const struct policy_verdict policy_verdicts[KEY_COUNT][2] = {[KEY_HVC_GET_HV_ID] = {QUICK, QUICK}};
const struct policy_range policy_ranges[] = {
    {GICD_PA, GICD_SIZE, KEY_DEVICE_GICD, 0xf, 0, {QUICK, QUICK}},
    {GICR_PA, 0xf60000, KEY_DEVICE_GICR, 0xf, 0, {QUICK, QUICK}},
    {PL011_PA, PL011_SIZE, KEY_DEVICE_PL011, 0xf, 0, {QUICK, QUICK}},
    {UINT64_MAX, 0, KEY_DEVICE_NONE, 0, 0, {{POLICY_DENY, 0, 0}, {POLICY_DENY, 0, 0}}},
};
const unsigned int policy_range_count = 3;
// The const table of the build, under a second name that the test may write.
uint8_t quick[POLICY_QUICK_COUNT];
__asm__(".globl policy_quick\n.set policy_quick, quick");
const uint16_t sysreg_id_key[64] = {[0 ... 63] = KEY_SYSREG_UNKNOWN};
const uint16_t call_psci_keys[2][PSCI_COUNT];
// As long as the real one, so that a read behind its end is seen.
uint64_t sysreg_id_value[SYSREG_COUNT];

static struct vm vm;
static struct trap_frame frame;
static struct telemetry telemetry;
static unsigned int emulated;
static uint64_t written;

enum trap_result device_emulate(struct vcpu *vcpu, uint64_t ipa, unsigned int access, uint64_t *value, unsigned int key)
{
    (void)vcpu, (void)key;
    emulated++;
    if (access & MMIO_WRITE)
        written = *value;
    else
        *value = ipa;
    return TRAP_DONE;
}

void vgic_write_sgi1r(struct vcpu *vcpu, uint64_t value)
{
    (void)vcpu, (void)value;
}

void vgic_refill(struct vcpu *vcpu)
{
    (void)vcpu;
}

static int setup(void **state)
{
    (void)state;
    fake_trace_reset();
    fake_sysreg_reset();
    memset(&frame, 0, sizeof(frame));
    memset(&telemetry, 0, sizeof(telemetry));
    vm.vcpus[0] = (struct vcpu){.frame = &frame, .vm = &vm, .telemetry = &telemetry};
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[0]);
    fake_sysreg_set("ELR_EL2", PC);
    fake_sysreg_set("SPSR_EL2", 5);
    emulated = 0;
    for (unsigned int i = 0; i < POLICY_QUICK_COUNT; i++) {
        uint64_t base = POLICY_QUICK_BASE + ((uint64_t)i << POLICY_QUICK_SHIFT);
        unsigned int n = 0;
        while (n < policy_range_count && base - policy_ranges[n].base >= policy_ranges[n].size)
            n++;
        quick[i] = (uint8_t)n;
    }
    return 0;
}

static bool access_at(uint64_t ipa, uint32_t syndrome)
{
    fake_sysreg_set("HPFAR_EL2", ipa >> 12 << 4);
    fake_sysreg_set("FAR_EL2", ipa);
    return trap_quick_abort(&frame, syndrome);
}

static void a_word_of_a_device_is_done(void **state)
{
    (void)state;
    assert_true(access_at(GICD_PA + 4, WORD_READ));
    assert_int_equal(frame.x[1], GICD_PA + 4);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC + 4);
    assert_int_equal(telemetry.sequence, 1);
    assert_int_equal(telemetry.row_count[1], 1);
}

static void every_register_can_be_stored_and_loaded(void **state)
{
    (void)state;
    for (unsigned int rt = 0; rt < 32; rt++) {
        uint32_t syndrome = (WORD_READ & ~0x1f0000u) | rt << 16;
        assert_true(access_at(GICD_PA + 4, syndrome));
        if (rt < 31)
            assert_int_equal(frame.x[rt], GICD_PA + 4);
        frame.sp_el0 = 0; // XZR, as vectors.S has it
        frame.x[rt % 31] = 0x1234567890 + rt;
        written = 1;
        assert_true(access_at(GICD_PA + 4, syndrome | 1u << 6));
        assert_int_equal(written, rt < 31 ? 0x34567890 + rt : 0);
    }
}

// Pending and active states are asked of other CPUs, and who waits for those runs what they ask of this one: that needs
// a whole frame, and registers of EL2 that a guarded access may change.
static void what_asks_other_cpus_is_left_alone(void **state)
{
    (void)state;
    for (unsigned int offset = 0x200; offset < 0x400; offset += 4) {
        assert_false(access_at(GICD_PA + offset, WORD_READ));
        assert_false(access_at(GICR_PA + 0x10000 + offset, WORD_READ));
        assert_false(access_at(GICR_PA + GICR_STRIDE + 0x10000 + offset, WORD_READ));
    }
    assert_int_equal(emulated, 0);
    assert_int_equal(telemetry.sequence, 0);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC);
}

static void an_id_register_that_is_none_is_left_alone(void **state)
{
    (void)state;
    for (unsigned int crm = 0; crm < 8; crm++) {
        assert_false(trap_quick(&frame, ID_REGISTER(crm)));
    }
    assert_int_equal(telemetry.sequence, 0);
}

static void a_constant_call_is_answered(void **state)
{
    (void)state;
    frame.x[0] = HVC_GET_HV_ID;
    assert_true(trap_quick(&frame, 0x5a000000));
    assert_int_equal(frame.x[0], HV_ID);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC); // HVC arrives behind itself
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_word_of_a_device_is_done, setup),
        cmocka_unit_test_setup(every_register_can_be_stored_and_loaded, setup),
        cmocka_unit_test_setup(what_asks_other_cpus_is_left_alone, setup),
        cmocka_unit_test_setup(an_id_register_that_is_none_is_left_alone, setup),
        cmocka_unit_test_setup(a_constant_call_is_answered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
