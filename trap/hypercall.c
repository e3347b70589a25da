// SPDX-License-Identifier: Apache-2.0
// Calls by number: which key a number is, and ariel's own hypercalls 0 to 5.

#include <hv/call.h>

#include <hv/channel.h>
#include <hv/console.h>
#include <hv/guest_abi.h>
#include <hv/guest_mem.h>
#include <hv/log_budget.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#define CALL_IMMEDIATE   0xffffu
#define CONSOLE_PIECE    128
#define DUMPS_PER_SECOND 1

const uint16_t call_psci_keys[2][PSCI_COUNT] = {
    {
        [0x00] = KEY_PSCI_VERSION,
        [0x01] = KEY_PSCI_CPU_SUSPEND_32,
        [0x02] = KEY_PSCI_CPU_OFF,
        [0x03] = KEY_PSCI_CPU_ON_32,
        [0x04] = KEY_PSCI_AFFINITY_INFO_32,
        [0x06] = KEY_PSCI_MIGRATE_INFO_TYPE,
        [0x08] = KEY_PSCI_SYSTEM_OFF,
        [0x09] = KEY_PSCI_SYSTEM_RESET,
        [0x0a] = KEY_PSCI_FEATURES,
        [0x12] = KEY_PSCI_SYSTEM_RESET2_32,
    },
    {
        [0x01] = KEY_PSCI_CPU_SUSPEND_64,
        [0x03] = KEY_PSCI_CPU_ON_64,
        [0x04] = KEY_PSCI_AFFINITY_INFO_64,
        [0x12] = KEY_PSCI_SYSTEM_RESET2_64,
    },
};

unsigned int call_key(unsigned int cause, uint32_t syndrome, uint64_t number)
{
    bool hvc = cause == KEY_CAUSE_HVC;

    if ((syndrome & CALL_IMMEDIATE) != 0)
        return hvc ? KEY_HVC_IMMEDIATE : KEY_SMC_IMMEDIATE;
    if (hvc)
        return call_hvc_key(number);
    return (uint32_t)number >= SMCCC_FIRST ? call_smccc_key((uint32_t)number) : KEY_SMCCC_UNKNOWN;
}

static int64_t write_console(struct vcpu *vcpu)
{
    ipa_t ipa = ipa_make(vcpu_get_reg(vcpu, 1));
    uint64_t length = vcpu_get_reg(vcpu, 2);
    uint8_t piece[CONSOLE_PIECE];

    if (length == 0)
        return 0;
    if (length > HVC_CONSOLE_WRITE_MAX || guest_mem_check(&vcpu->vm->space, ipa, length, STAGE2_READ) != HV_OK)
        return HVC_INVALID_PARAMETERS;
    for (uint64_t done = 0; done < length; done += CONSOLE_PIECE) {
        size_t size = length - done < CONSOLE_PIECE ? length - done : CONSOLE_PIECE;
        if (guest_mem_read(&vcpu->vm->space, ipa_add(ipa, done), piece, size) != HV_OK)
            return HVC_INVALID_PARAMETERS;
        channel_put_text(vcpu->vm->uart.channel, piece, size);
    }
    return (int64_t)length;
}

// A function of its own: tests/qemu/test_panic.py stops EL2 in it.
static __attribute__((noinline)) int64_t report_exception(struct vcpu *vcpu)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_EXCEPTION, LOG_WARN), LOG_GUEST, "guest-exception",
                "vcpu=%u esr=0x%lx elr=0x%lx far=0x%lx", vcpu->id, vcpu_get_reg(vcpu, 1), vcpu_get_reg(vcpu, 2),
                vcpu_get_reg(vcpu, 3));
    return HVC_SUCCESS;
}

static int64_t pause(struct vcpu *vcpu)
{
    vm_break(vcpu->vm, NOTIFY_GUEST_PAUSE);
    return HVC_SUCCESS;
}

int64_t call_handle(struct vcpu *vcpu, unsigned int key)
{
    uint64_t held; // dumps before, of which nothing is missing in the ring
    int64_t value;

    if (call_constant(vcpu, key, &value))
        return value;
    switch (key) {
    case KEY_HVC_DUMP_LOG:
        // The same result at once, later or never: a guest does not learn whether a person is there.
        if (log_budget_ask(LOG_SOURCE_DUMP, DUMPS_PER_SECOND, &held) == LOG_WRITE)
            console_dump_log();
        return HVC_SUCCESS;
    case KEY_HVC_PAUSE:
        return pause(vcpu);
    case KEY_HVC_GUEST_CONSOLE_WRITE:
        return write_console(vcpu);
    case KEY_HVC_REPORT_EXCEPTION:
        return report_exception(vcpu);
    case KEY_HVC_UNKNOWN:
    case KEY_HVC_IMMEDIATE:
    case KEY_SMC_IMMEDIATE:
        return HVC_NOT_SUPPORTED;
    default:
        return psci_call(vcpu, key);
    }
}
