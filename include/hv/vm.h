// SPDX-License-Identifier: Apache-2.0
// A guest machine: its vCPUs, its stage 2, its devices. No guest state lives outside it.
#pragma once

#include <hv/memory_map.h>
#include <hv/spinlock.h>
#include <hv/stage2.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vpl011.h>
#include <hv/vpl031.h>

// How far the guest's virtual counter starts ahead of the physical one, in ticks: room for CNTVOFF_EL2 to grow below 0.
#define VM_VIRTUAL_LEAD (UINT64_C(1) << 50)

enum vm_state {
    VM_RUNNING,
    VM_PAUSING, // a CPU gathers the vCPUs; the guest's time still runs
    VM_PAUSED,  // every vCPU waits in EL2; virtual time stands still
    VM_STOPPED, // as paused, for good: only reset leaves it
};

// The page in uart comes behind what each exit uses: small offsets are short code.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct vm {
    enum vm_state state;        // written by vm.c only
    const char *stop_reason;    // why it stopped; NULL unless VM_STOPPED
    const char *guest_name;     // "diagnostic guest", "Linux Image" ...
    unsigned int vcpu_count;    // 1 .. CPU_MAX
    struct spinlock power_lock; // guards the step from VCPU_OFF to VCPU_ON_PENDING
    struct vcpu vcpus[CPU_MAX];
    struct stage2 stage2;
    struct vgic vgic;
    struct vpl011 uart;
    uint64_t entry_ipa;
    uint64_t boot_argument;  // x0 of vCPU 0 at reset: the DTB's IPA, or 0
    uint64_t pause_started;  // CNTPCT_EL0 when it was paused
    uint64_t virtual_lead;   // what the guest's counter is ahead of the machine's at boot: VM_VIRTUAL_LEAD or 0
    uint64_t virtual_offset; // CNTVOFF_EL2 of every vCPU: paused_ticks - virtual_lead; with a lead never above 0
    uint64_t paused_ticks;   // counter ticks of the pauses since boot that have ended
    struct vpl031 rtc;
};

// Counter ticks spent paused since boot, a pause that lasts included; now is CNTPCT_EL0.
static inline uint64_t vm_paused_ticks(const struct vm *vm, uint64_t now)
{
    return vm->paused_ticks + (vm->state <= VM_PAUSING ? 0 : now - vm->pause_started);
}

// The one VM of this build.
extern struct vm vm0;

// Prepares vm for vcpu_count vCPUs (1 .. CPU_MAX): stage 2 with guest RAM and what the policy maps directly, the
// devices' reset state. Once, on the boot CPU; errors are stage2_map's, and HV_ERR_INVALID when the policy maps a
// device that no guest may have (device_may_pass).
enum hv_status vm_init(struct vm *vm, unsigned int vcpu_count);

// Stops every vCPU at its next exit (other CPUs are kicked by an SGI) and returns when they wait; the one of the
// calling CPU waits when the present exit ends. HV_ERR_STATE when the VM is not running.
enum hv_status vm_pause(struct vm *vm);

// Lets the vCPUs run again; the time spent paused is added to CNTVOFF_EL2. HV_ERR_STATE when not paused.
enum hv_status vm_resume(struct vm *vm);

// Pauses and opens the monitor, saying why (a constant string). False, and nothing done, when the VM is not running.
bool vm_break(struct vm *vm, const char *reason);

// Stops the VM for good, logs reason (a constant string) and opens the monitor.
void vm_stop(struct vm *vm, const char *reason);

// Opens the monitor from any CPU: it runs on the one that owns the UART.
void vm_open_monitor(const char *reason);
// The reason another CPU left there, or NULL; taken by the CPU that owns the UART.
const char *vm_take_monitor_request(void);

// Lets the guest read the page of its UART's registers (vpl011.h) by itself, or makes it fault on each access. Any CPU
// with the VM's VMID in VTTBR_EL2; takes the stage-2 lock. Errors are stage2_protect's: none, once vm_init has mapped
// it.
enum hv_status vm_show_uart(struct vm *vm, bool shown);

// Asks for a machine reset (the guest starts again from pristine images). Does not return.
_Noreturn void vm_reset(struct vm *vm);

// Powers the machine off. Does not return.
_Noreturn void vm_power_off(struct vm *vm);
