// SPDX-License-Identifier: Apache-2.0
// A guest machine as data: struct vm and struct vcpu, with what the virtual devices keep of each. It stands at the
// ground, so that mm, trace and the devices can see a guest without calling vm/. What is done to a VM is in vm.h, what
// is done to a vCPU in vcpu.h.
#pragma once

#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/arch/sysreg_table.h>
#include <hv/lock.h>
#include <hv/memory_map.h>
#include <hv/policy_controls.h>
#include <hv/stage2_state.h>
#include <hv/symbols_state.h>
#include <hv/types.h>
#include <hv/vgic_state.h>
#include <hv/virtio_request_table.h>
#include <hv/vpl011_state.h>
#include <hv/vpl031_state.h>
#include <hv/vtimer_state.h>

struct policy;
struct policy_range;
struct telemetry;
struct trace_chunk;
struct virtio;
struct vm;

enum vcpu_power { VCPU_ON = 0, VCPU_OFF = 1, VCPU_ON_PENDING = 2 }; // the values of PSCI AFFINITY_INFO

// What must happen before a vCPU runs guest code again: bits of vcpu->request, which is 0 on the usual exit. Any CPU
// sets them, by vcpu_request.
#define VCPU_REQUEST_WAIT    0x1u // the VM is paused or stopped, or this vCPU is off
#define VCPU_REQUEST_STEP    0x2u // the monitor steps this vCPU
#define VCPU_REQUEST_SUSPEND 0x4u // PSCI CPU_SUSPEND: wait for an interrupt when its exit has ended

// The access at which a policy row paused the VM: all that tells it from another one. It alone is let through.
struct vcpu_held {
    bool valid;
    bool write;
    uint16_t key;
    uint32_t syndrome; // with ISV = 1, and for system registers and calls, it describes the whole instruction
    uint64_t pc;
    uint64_t address;
    uint64_t value; // of a write; 0 for a read
    uint64_t x[31]; // arguments of a call, what else a store of several parts stores
    uint64_t parts[4];
};

// What the guest's registers were when an exit began that goes the whole way (trap/trap_trace.c).
struct vcpu_traced {
    bool pending; // its record is still to be written
    bool logged;  // a record of the log cites it
    uint32_t pstate;
    uint64_t x[4];
    uint64_t lr;
};

struct vcpu {
    struct trap_frame *frame; // at the top of its CPU's EL2 stack; valid while that CPU is in EL2
    struct vm *vm;
    struct telemetry *telemetry;      // its counters and last events
    const struct policy_range *range; // of the last device access that the quick way took; NULL: none yet
    const struct device *device;      // which range lies in
    const uint64_t *shadow;           // stage 2's entry of range when that is a shadow page, else an invalid one
    const uint8_t *trace_filter;      // by 2 * key + direction (1: write or call): bit 0: such an exit is traced
    struct trace_chunk *trace_chunk;  // where the CPU's next trace record goes; full: there is no room (trace.h)
    uint32_t id;      // which of its VM's vCPUs it is: 0 .. vm->vcpu_count - 1, the guest's MPIDR_EL1.Aff0
    uint32_t cpu;     // the physical CPU on which it runs, and no other: 0 .. cpu_count() - 1
    uint32_t request; // VCPU_REQUEST_*
    enum vcpu_power power;
    bool waiting;          // in EL2's idle loop: frame and EL1 registers stand still
    bool step_owned;       // step owns MDSCR_EL1.SS and MDCR_EL2.TDE
    bool guest_os_lock;    // OSLSR_EL1.OSLK as the guest left it, while step owns the register
    uint32_t step_count;   // instructions left to step
    uint32_t stuck_ticks;  // of the watchdog, at which the guest seemed to hang; in a row
    uint64_t stuck_ended;  // gic.ended_count at the last of its ticks
    uint32_t retry_count;  // aborts in a row that ended in TRAP_RETRY
    uint64_t retry_next;   // sequence of the exit that would make it one more
    uint64_t guest_mdscr;  // MDSCR_EL1 likewise
    uint64_t break_passed; // sequence + 1 of the exit in which the access held was let through
    uint64_t actlr;        // ACTLR_EL1 before a guest could write it
    bool actlr_known;
    uint64_t kernel_ttbr1; // TTBR1_EL1 when the kernel's stack was last seen mapped (kernel_tables.h); 0: never
    uint64_t on_entry;     // PSCI CPU_ON: entry point
    uint64_t on_context;   // PSCI CPU_ON: context id
    struct vgic_cpu gic;   // vdev/vgic/vgic*.c
    struct vtimer timer;   // vdev/vtimer.c
    struct vcpu_held held;
    struct vcpu_traced traced;
    uint64_t parts[4]; // what an access in several parts stores (trap/abort.c); 0 outside such an access
};

// How far the guest's virtual counter starts ahead of the physical one, in ticks: room for CNTVOFF_EL2 to grow below 0.
#define VM_VIRTUAL_LEAD (UINT64_C(1) << 50)

enum vm_state {
    VM_RUNNING,
    VM_PAUSING, // a CPU gathers the vCPUs; the guest's time still runs
    VM_PAUSED,  // every vCPU waits in EL2; virtual time stands still
    VM_STOPPED, // as paused, for good: only reset leaves it
};

// The system registers that can trap: rows of sysreg_table.h.
#define SYSREG_ONE(...) +1
enum { SYSREG_COUNT = SYSREG_TABLE(SYSREG_ONE) };

// No guest state lives outside it. The page in uart comes behind what each exit uses: small offsets are short code.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct vm {
    enum vm_state state;     // written by vm.c only
    const char *stop_reason; // why it stopped; NULL unless VM_STOPPED
    const char *guest_name;  // "diagnostic guest", "Linux Image" ...
    const struct policy *policy;
    unsigned int vcpu_count;    // 1 .. CPU_MAX
    struct spinlock power_lock; // guards the step from VCPU_OFF to VCPU_ON_PENDING
    struct vcpu vcpus[CPU_MAX];
    struct space space;
    struct vgic vgic;
    struct vpl011 uart;
    uint64_t entry_ipa;
    uint64_t boot_argument;  // x0 of vCPU 0 at reset: the DTB's IPA, or 0
    uint64_t pause_started;  // CNTPCT_EL0 when it was paused
    uint64_t virtual_lead;   // what the guest's counter is ahead of the machine's at boot: VM_VIRTUAL_LEAD or 0
    uint64_t virtual_offset; // CNTVOFF_EL2 of every vCPU: paused_ticks - virtual_lead; with a lead never above 0
    uint64_t paused_ticks;   // counter ticks of the pauses since boot that have ended
    struct vpl031 rtc;
    uint64_t virtio_requests[POLICY_VIRTIO_ROW_MAX]; // by row of policy->virtio; atomic (trace/log_virtio.c)
    // By key - KEY_SYSREG_FIRST: what the guest reads of its ID registers (trap/sysreg.c, at boot only). The last is
    // that of KEY_SYSREG_UNKNOWN, which nobody is given.
    uint64_t id_value[SYSREG_COUNT + 1];
    uint8_t *trace_filter;           // its own table, for all of its vCPUs: see vcpu->trace_filter
    uint8_t trace_extras;            // the same bits for records that are no exits (trace_filter.h)
    uint16_t number;                 // its place in the plan (plan.h)
    unsigned int log_budget;         // its number among the log's budgets (log_budget.h), by vm_build
    struct policy_controls controls; // what its vCPUs run with: the policy's, since vm_build
    struct virtio *virtio;           // its virtio devices: vdev/virtio
    struct symbols symbols;          // names of its guest's functions: vm/symbols.c
};

// Guest register n (0..30); 31 reads zero and ignores writes. Handlers use these two alone.
static inline uint64_t vcpu_get_reg(const struct vcpu *vcpu, unsigned int n)
{
    return n < 31 ? vcpu->frame->x[n] : 0;
}

static inline void vcpu_set_reg(struct vcpu *vcpu, unsigned int n, uint64_t value)
{
    if (n < 31)
        vcpu->frame->x[n] = value;
}

// The vCPU of the CPU this runs on: TPIDR_EL2, set by boot/main.c before anything can come from a
// guest, and NULL (boot.S) before.
static inline struct vcpu *vcpu_current(void)
{
    return (struct vcpu *)READ_SYSREG(TPIDR_EL2);
}

// Counter ticks spent paused since boot, a pause that lasts included; now is CNTPCT_EL0.
static inline uint64_t vm_paused_ticks(const struct vm *vm, uint64_t now)
{
    return vm->paused_ticks + (vm->state <= VM_PAUSING ? 0 : now - vm->pause_started);
}
