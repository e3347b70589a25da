// SPDX-License-Identifier: Apache-2.0
// Links: trap/trap_quick.c trap/call_key.c policy/policy.c vdev/device.c
// Links: mm/space.c mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c arch/aarch64/tlb.c lib/range.c
// The shorter way of an exit: what it takes, and what it must leave to trap_from_sync.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake_device_ops.h>
#include <fake_gicv3.h>
#include <fake_vm_state.h>

#include <hv/arch/el2_translate.h>
#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/trap.h>
#include <hv/call.h>
#include <hv/device.h>
#include <hv/guest_abi.h>
#include <hv/policy.h>
#include <hv/pool.h>
#include <hv/space.h>
#include <hv/telemetry.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

#define QUICK          {POLICY_EMULATE, POLICY_FLAG_QUICK, 1}
#define WORD_READ      0x93810007u // EC 0x24, 32 bits, ISV, 4 bytes, Rt = x1, translation fault at level 3
#define NARROW_IPA     UINT64_C(0xf09010000)
#define VALUE          0x5a5a5a // what a read of a device gives
#define PC             0x40001000u
#define RAM_PAGE       UINT64_C(0x40000000)
#define ID_REGISTER(n) (0x62300001u | (n) << 1 | 1u << 5) // MRS x1, S3_0_C0_C<n>_0

static const struct policy_range ranges[] = {
    {GICD_IPA, GICD_SIZE, KEY_DEVICE_GICD, 0xf, 0, {QUICK, QUICK}},
    {GICR_IPA, 0xf60000, KEY_DEVICE_GICR, 0xf, 0, {QUICK, QUICK}},
    {PL011_IPA, PL011_SIZE, KEY_DEVICE_PL011, 0xf, POLICY_SHADOW, {QUICK, QUICK}},
    {NARROW_IPA, 0x1000, KEY_DEVICE_PL031, 0x4, 0, {QUICK, QUICK}}, // 4 bytes alone
};
static const struct policy policy = {
    .ranges = ranges,
    .range_count = ARRAY_COUNT(ranges),
    .verdicts =
        {
            [KEY_HVC_GET_HV_ID] = {QUICK, QUICK},
            [KEY_ID_AA64PFR0_EL1] = {QUICK, QUICK},
            [KEY_ICC_SGI1R_EL1] = {QUICK, QUICK},
            [KEY_CAUSE_WFI] = {QUICK, QUICK},
        },
};
// Const tables of the build, under second names that the test may write.
uint16_t id_keys[64];
__asm__(".globl sysreg_id_key\n.set sysreg_id_key, id_keys");

// What the calls that only return a number return.
int64_t psci_version(struct vcpu *vcpu)
{
    (void)vcpu;
    return 0x10001;
}

int64_t smccc_version(struct vcpu *vcpu)
{
    return psci_version(vcpu);
}

int64_t hvc_get_hv_id(struct vcpu *vcpu)
{
    (void)vcpu;
    return HV_ID;
}

int64_t hvc_get_status(struct vcpu *vcpu)
{
    return (int64_t)vcpu->telemetry->sequence;
}

static struct vm vm = {.policy = &policy};
static struct trap_frame frame;
static struct telemetry telemetry;
static unsigned int forwarded;
static uint64_t sent; // to vgic_write_sgi1r
static unsigned int refilled;

void vgic_write_sgi1r(struct vcpu *vcpu, uint64_t value)
{
    vcpu->gic.work = 1;
    sent = value;
}

void vgic_refill(struct vcpu *vcpu)
{
    vcpu->gic.work = 0;
    refilled++;
}

void vtimer_interrupt(struct vcpu *vcpu)
{
    (void)vcpu;
    forwarded++;
}

static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[8][4096];
static uint64_t stage1_page; // what the guest's tables make of any address

static uint64_t translate(gva_t va)
{
    (void)va;
    return stage1_page;
}

// A page of guest RAM that may only be read, and the page of registers that stands for the UART.
static void map_pages(void)
{
    static struct pool pool;
    struct ipa_range ram = {.base = {RAM_PAGE}, .size = 4096}, uart = {.base = {PL011_IPA}, .size = PL011_SIZE};

    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    assert_int_equal(stage2_map(&vm.space.stage2, &ram, pa_make(0x42000000), STAGE2_READ), HV_OK);
    assert_int_equal(space_map_shadow(&vm.space, &uart, pa_make(0x40200000)), HV_OK);
    fake_el1_translate = translate;
}

// The GIC has this one, and no other.
static void interrupt_is(unsigned int intid)
{
    fake_gicv3.pending[0] = intid;
    fake_gicv3.pending_count = 1;
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
    refilled = forwarded = 0;
    fake_gicv3 = (struct fake_gicv3){0};
    fake_vm_state = (struct fake_vm_state){0};
    sent = 0;
    fake_devices = (struct fake_devices){.value = VALUE};
    for (unsigned int i = 0; i < ARRAY_COUNT(id_keys); i++)
        id_keys[i] = KEY_SYSREG_UNKNOWN;
    map_pages();
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
    assert_true(access_at(GICD_IPA + 4, WORD_READ));
    assert_int_equal(frame.x[1], VALUE);
    assert_ptr_equal(fake_devices.device, &device_gicd);
    assert_int_equal(fake_devices.offset, 4);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC + 4);
    assert_int_equal(telemetry.sequence, 1);
    assert_int_equal(telemetry.row_count[1], 1);
}

// Wherever the device of the last access was: below, above, in a hole, and behind the last one.
static void each_device_is_found_after_each_other(void **state)
{
    static const uint64_t places[] = {
        GICD_IPA + 4, GICR_IPA + 8, PL011_IPA + 0x18, PL011_IPA + 0xffc, GICD_IPA + GICD_SIZE - 4, GICR_IPA};
    (void)state;
    for (unsigned int first = 0; first < ARRAY_COUNT(places); first++) {
        for (unsigned int next = 0; next < ARRAY_COUNT(places); next++) {
            assert_true(access_at(places[first], WORD_READ));
            assert_true(access_at(places[next], WORD_READ));
            assert_int_equal(telemetry.last[(telemetry.sequence - 1) % TELEMETRY_LAST].address, places[next]);
            assert_false(access_at(PL011_IPA + PL011_SIZE, WORD_READ));
            assert_false(access_at(GICD_IPA - 4, WORD_READ));
        }
    }
}

// A width that the policy's row does not have is for the whole way to refuse.
static void a_width_that_the_range_denies_is_left_alone(void **state)
{
    (void)state;
    assert_true(access_at(NARROW_IPA, WORD_READ));
    assert_false(access_at(NARROW_IPA, WORD_READ & ~UINT32_C(0xc00000))); // 1 byte
    assert_false(access_at(NARROW_IPA, WORD_READ | UINT32_C(0xc00000)));  // 8 bytes
}

static void every_register_can_be_stored_and_loaded(void **state)
{
    (void)state;
    for (unsigned int rt = 0; rt < 32; rt++) {
        uint32_t syndrome = (WORD_READ & ~0x1f0000u) | rt << 16;
        assert_true(access_at(GICD_IPA + 4, syndrome));
        if (rt < 31)
            assert_int_equal(frame.x[rt], VALUE);
        frame.sp_el0 = 0; // XZR, as vectors.S has it
        frame.x[rt % 31] = 0x1234567890 + rt;
        fake_devices.written = 1;
        assert_true(access_at(GICD_IPA + 4, syndrome | 1u << 6));
        assert_int_equal(fake_devices.written, rt < 31 ? 0x34567890 + rt : 0);
    }
}

// HPFAR_EL2 says nothing then: the page is what stage 1 makes of FAR_EL2, and its entry says that the UART answers.
static void a_permission_fault_on_a_shadow_page_is_its_devices(void **state)
{
    (void)state;
    stage1_page = PL011_IPA | 0xff00000000000b80; // PAR_EL1's other fields: ATTR, NS, SH
    frame.x[1] = 'a';
    fake_sysreg_set("HPFAR_EL2", GICD_IPA >> 12 << 4);
    fake_sysreg_set("FAR_EL2", 0xffff800009300018);
    assert_true(trap_quick_abort(&frame, WORD_READ | 0x8));
    assert_int_equal(frame.x[1], VALUE);
    assert_int_equal(fake_devices.offset, 0x18);
    frame.x[1] = 'b';
    assert_true(trap_quick_abort(&frame, WORD_READ | 0x8 | 1u << 6));
    assert_int_equal(fake_devices.written, 'b');
    assert_int_equal(telemetry.last[1].address, PL011_IPA + 0x18);
    assert_int_equal(telemetry.last[1].key, KEY_DEVICE_PL011);
    assert_false(trap_quick_abort(&frame, WORD_READ ^ 0xc)); // FSC 0xb: an Access flag fault
}

// Nor is a device's what stage 1 no longer translates, what lies in RAM, and what is not mapped at all.
static void other_permission_faults_are_left_alone(void **state)
{
    static const uint64_t results[] = {PAR_EL1_F, PAR_EL1_F | PL011_IPA, RAM_PAGE, RAM_PAGE + 0x1000, GICD_IPA};

    (void)state;
    fake_sysreg_set("HPFAR_EL2", PL011_IPA >> 12 << 4);
    fake_sysreg_set("FAR_EL2", PL011_IPA);
    for (size_t i = 0; i < ARRAY_COUNT(results); i++) {
        stage1_page = results[i];
        assert_false(trap_quick_abort(&frame, WORD_READ | 0x8));
        assert_false(trap_quick_abort(&frame, WORD_READ | 0x8 | 1u << 6));
    }
    assert_int_equal(fake_devices.count, 0);
    assert_int_equal(telemetry.sequence, 0);
}

// Pending and active states are asked of other CPUs, and who waits for those runs what they ask of this one: that needs
// a whole frame, and registers of EL2 that a guarded access may change.
static void what_asks_other_cpus_is_left_alone(void **state)
{
    (void)state;
    for (unsigned int offset = 0x200; offset < 0x400; offset += 4) {
        assert_false(access_at(GICD_IPA + offset, WORD_READ));
        assert_false(access_at(GICR_IPA + 0x10000 + offset, WORD_READ));
        assert_false(access_at(GICR_IPA + GICR_STRIDE + 0x10000 + offset, WORD_READ));
    }
    assert_int_equal(fake_devices.count, 0);
    assert_int_equal(telemetry.sequence, 0);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC);
}

// Those offsets are the GIC's alone: the second of QEMU virt's virtio-mmio transports is at 0x200.
static void another_device_has_no_such_registers(void **state)
{
    (void)state;
    assert_true(access_at(NARROW_IPA + 0x200, WORD_READ));
    assert_true(access_at(NARROW_IPA + 0x3fc, WORD_READ));
    assert_int_equal(fake_devices.count, 2);
}

static void an_id_register_that_is_none_is_left_alone(void **state)
{
    (void)state;
    for (unsigned int crm = 0; crm < 8; crm++) {
        assert_false(trap_quick_register(&frame, ID_REGISTER(crm)));
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

// PSTATE of an instruction that is a branch target (BTYPE) and is single-stepped (SS), and what is left of it behind.
#define STEPPED     (SPSR_M_EL1H | SPSR_ELX_BTYPE | SPSR_ELX_SS | SPSR_ELX_NZCV | SPSR_ELX_D)
#define STEPPED_OFF (SPSR_M_EL1H | SPSR_ELX_NZCV | SPSR_ELX_D)
#define SGI_WRITE   0x623a3036u // MSR ICC_SGI1R_EL1, x1

static void check_done(uint64_t pstate)
{
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC + 4);
    assert_int_equal(fake_sysreg_get("SPSR_EL2"), pstate);
    assert_int_equal(telemetry.sequence, 1);
}

static void an_emulated_access_ends_branch_target_and_step(void **state)
{
    (void)state;
    fake_sysreg_set("SPSR_EL2", STEPPED);
    assert_true(access_at(GICD_IPA + 4, WORD_READ));
    check_done(STEPPED_OFF);
}

static void an_id_register_ends_branch_target_and_step(void **state)
{
    (void)state;
    fake_sysreg_set("SPSR_EL2", STEPPED);
    id_keys[0] = KEY_ID_AA64PFR0_EL1;
    assert_true(trap_quick_register(&frame, ID_REGISTER(0)));
    check_done(STEPPED_OFF);
}

static void an_sgi_is_sent_and_ends_branch_target_and_step(void **state)
{
    (void)state;
    fake_sysreg_set("SPSR_EL2", STEPPED);
    frame.x[1] = 0x5000002;
    assert_true(trap_quick_register(&frame, SGI_WRITE));
    assert_int_equal(sent, 0x5000002);
    assert_int_equal(refilled, 1); // one to itself is in a list register before the guest goes on
    assert_int_equal(frame.x[1], 0x5000002);
    assert_int_equal(telemetry.last[0].value, 0x5000002);
    assert_int_equal(telemetry.last[0].write, 1);
    check_done(STEPPED_OFF);
}

#define WITH_RT(syndrome, rt) (((syndrome) & ~(uint32_t)ISS_SYSREG_RT) | (rt) << 5)

static void an_sgi_is_sent_from_each_register(void **state)
{
    (void)state;
    frame.sp_el0 = 0; // XZR, as vectors.S has it
    for (unsigned int rt = 0; rt < 32; rt++) {
        if (rt < 31)
            frame.x[rt] = 0x5000000 + rt;
        sent = 1;
        assert_true(trap_quick_register(&frame, WITH_RT(SGI_WRITE, rt)));
        assert_int_equal(sent, rt < 31 ? 0x5000000 + rt : 0);
    }
}

static void an_id_register_is_read_into_each_register(void **state)
{
    (void)state;
    id_keys[0] = KEY_ID_AA64PFR0_EL1;
    vm.id_value[KEY_ID_AA64PFR0_EL1 - KEY_SYSREG_FIRST] = 0x1122;
    for (unsigned int rt = 0; rt < 32; rt++) {
        memset(&frame, 0, sizeof(frame));
        assert_true(trap_quick_register(&frame, WITH_RT(ID_REGISTER(0), rt)));
        for (unsigned int n = 0; n < 31; n++)
            assert_int_equal(frame.x[n], n == rt ? 0x1122 : 0);
    }
}

static void what_a_device_refuses_is_left_alone(void **state)
{
    (void)state;
    fake_devices.answer = MMIO_FAULT;
    frame.x[1] = 0x77;
    fake_sysreg_set("SPSR_EL2", STEPPED);
    assert_false(access_at(GICD_IPA + 4, WORD_READ));
    assert_int_equal(frame.x[1], 0x77);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC);
    assert_int_equal(fake_sysreg_get("SPSR_EL2"), STEPPED);
    assert_int_equal(telemetry.sequence, 0);
}

// AArch32 code of EL0 has instructions of two bytes, an IT state where AArch64 has BTYPE, and an endianness of its own.
static void an_aarch32_access_is_left_alone(void **state)
{
    (void)state;
    fake_sysreg_set("SPSR_EL2", SPSR_ELX_M4 | BIT64(5) | SPSR_AARCH32_IT_HIGH);
    assert_false(access_at(GICD_IPA + 4, WORD_READ));
    assert_false(access_at(GICD_IPA + 4, WORD_READ & ~(uint32_t)ESR_ELX_IL));
    assert_int_equal(fake_devices.count, 0);
    assert_int_equal(fake_sysreg_get("SPSR_EL2"), SPSR_ELX_M4 | BIT64(5) | SPSR_AARCH32_IT_HIGH);
}

static void wfi_waits_when_no_interrupt_is_listed(void **state)
{
    (void)state;
    struct vcpu *vcpu = &vm.vcpus[0];
    static const struct {
        uint32_t syndrome;
        uint16_t used;
        uint64_t empty;
        uint32_t work, request;
        bool done;
    } rows[] = {
        {0x06000000, 0, 0xf, 0, 0, true},  {0x06000000, 1, 0xf, 0, 0, true},  {0x06000000, 1, 0xe, 0, 0, false},
        {0x06000000, 0, 0xf, 1, 0, false}, {0x06000000, 0, 0xf, 0, 1, false}, {0x06000001, 0, 0xf, 0, 0, false}, // WFE
    };
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(NULL);
        fake_sysreg_set("ICH_ELRSR_EL2", rows[i].empty);
        vcpu->gic.lr_used = rows[i].used;
        vcpu->gic.work = rows[i].work;
        vcpu->request = rows[i].request;
        assert_int_equal(trap_quick(&frame, rows[i].syndrome) != NULL, rows[i].done);
        assert_int_equal(fake_vm_state.idles, rows[i].done);
        assert_int_equal(telemetry.sequence, rows[i].done);
        assert_int_equal(fake_sysreg_get("ELR_EL2"), rows[i].done ? PC + 4 : PC);
    }
}

static void the_virtual_timer_is_forwarded(void **state)
{
    (void)state;
    interrupt_is(INTID_VIRTUAL_TIMER);
    assert_int_equal(trap_quick_irq(), (uintptr_t)&telemetry.last[0] | TRAP_QUICK_DONE);
    assert_int_equal(fake_gicv3.last_dropped, INTID_VIRTUAL_TIMER);
    assert_int_equal(forwarded, 1);
    assert_int_equal(fake_sysreg_get("ELR_EL2"), PC);
    const struct event *event = &telemetry.last[0];
    assert_int_equal(event->key, KEY_CAUSE_IRQ);
    assert_int_equal(event->address, INTID_VIRTUAL_TIMER);
    assert_int_equal(event->pc, PC);
    assert_int_equal(event->result, TRAP_RETRY);
    assert_int_equal(telemetry.sequence, 1);
}

// What was acknowledged is handed on; its priority is not dropped yet.
static void other_interrupts_are_handed_on(void **state)
{
    (void)state;
    interrupt_is(INTID_HYP_TIMER);
    assert_int_equal(trap_quick_irq(), INTID_HYP_TIMER);
    interrupt_is(INTID_SPURIOUS);
    assert_int_equal(trap_quick_irq(), INTID_SPURIOUS);
    interrupt_is(INTID_VIRTUAL_TIMER);
    vm.vcpus[0].request = VCPU_REQUEST_STEP;
    assert_int_equal(trap_quick_irq(), INTID_VIRTUAL_TIMER);
    assert_int_equal(fake_gicv3.dropped | forwarded, 0);
    assert_int_equal(telemetry.sequence, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_word_of_a_device_is_done, setup),
        cmocka_unit_test_setup(each_device_is_found_after_each_other, setup),
        cmocka_unit_test_setup(a_width_that_the_range_denies_is_left_alone, setup),
        cmocka_unit_test_setup(every_register_can_be_stored_and_loaded, setup),
        cmocka_unit_test_setup(a_permission_fault_on_a_shadow_page_is_its_devices, setup),
        cmocka_unit_test_setup(other_permission_faults_are_left_alone, setup),
        cmocka_unit_test_setup(what_asks_other_cpus_is_left_alone, setup),
        cmocka_unit_test_setup(another_device_has_no_such_registers, setup),
        cmocka_unit_test_setup(an_id_register_that_is_none_is_left_alone, setup),
        cmocka_unit_test_setup(a_constant_call_is_answered, setup),
        cmocka_unit_test_setup(an_emulated_access_ends_branch_target_and_step, setup),
        cmocka_unit_test_setup(an_id_register_ends_branch_target_and_step, setup),
        cmocka_unit_test_setup(an_sgi_is_sent_and_ends_branch_target_and_step, setup),
        cmocka_unit_test_setup(an_sgi_is_sent_from_each_register, setup),
        cmocka_unit_test_setup(an_id_register_is_read_into_each_register, setup),
        cmocka_unit_test_setup(what_a_device_refuses_is_left_alone, setup),
        cmocka_unit_test_setup(an_aarch32_access_is_left_alone, setup),
        cmocka_unit_test_setup(wfi_waits_when_no_interrupt_is_listed, setup),
        cmocka_unit_test_setup(the_virtual_timer_is_forwarded, setup),
        cmocka_unit_test_setup(other_interrupts_are_handed_on, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
