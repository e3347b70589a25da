// SPDX-License-Identifier: Apache-2.0
// The events of the log and their fields. No code includes it: docs/LOG.md is made from it by tools/log_schema.py, and
// a test holds every log_record and log_panic call in the tree to it. In order of class and event:
//   EVENT("event", CLASS, "fields, in any order", "one sentence")
// A field in brackets may be missing; x* and * stand for names that are made at run time.
//   FIELD("name", "one sentence, with the unit")
#pragma once

// clang-format off
#define LOG_EVENT_TABLE(EVENT) \
    EVENT("boot",                BOOT,    "version policy el", "ariel runs at EL2 with its MMU on") \
    EVENT("log-start",           BOOT,    "boots hz rng next resets proof hidden_before", "first record of a boot: it brings the tag and links this boot to the one before") \
    EVENT("no-symbols",          BOOT,    "reason", "the table with the names of the guest's functions is no good: the monitor shows addresses alone") \
    EVENT("ports",               BOOT,    "ports", "EL2's own serial device is there; records go to its port ariel.log if that is named") \
    EVENT("ports-refused",       BOOT,    "reason", "the board's last virtio transport has a console device that EL2 cannot use: unsupported (it needs force-legacy=false and several ports) or state (it does not answer)") \
    EVENT("refused",             BOOT,    "reason * bound", "no guest can run; the monitor opens. The second field is named after what was wrong") \
    EVENT("cpu-fail",            CPU,     "target result", "a CPU could not be started; result is PSCI's") \
    EVENT("cpu-late",            CPU,     "target limit_ms held", "a CPU did not answer a call in time") \
    EVENT("cpu-up",              CPU,     "up", "a secondary CPU runs at EL2") \
    EVENT("features",            CPU,     "midr pa_bits gic vmid_bits hafdbs xnx fgt ecv vhe", "what the CPU can do (numbers as its ID registers have them)") \
    EVENT("abort",               FAULT,   "exit key op result pc addr esr held row at reason", "a stage-2 abort that was not emulated, and what the guest got for it") \
    EVENT("serror",              FAULT,   "pc esr held", "an asynchronous abort reached EL2 while the guest ran") \
    EVENT("guest-exception",     GUEST,   "vcpu esr elr far held", "the guest reported an exception that it could not handle (HVC_REPORT_EXCEPTION)") \
    EVENT("guest-hang",          GUEST,   "vcpu pc held", "for 10 seconds a vCPU has kept an interrupt waiting, masked, and ended none, or met nothing but refused fetches") \
    EVENT("guest-loop",          GUEST,   "vcpu key op device addr pc esr result per_second row at why held", "a vCPU does the same refused thing over and over; from now on it is only counted, until it stops") \
    EVENT("guest-oops",          GUEST,   "vcpu text held", "the guest's console said that its kernel oopsed (also BUG, soft lockup, RCU stall)") \
    EVENT("guest-panic",         GUEST,   "vcpu text held", "the guest's console said that its kernel panicked; the monitor opens when it has said all") \
    EVENT("gic-no-redistributor",IRQ,     "affinity", "the GIC has no redistributor for this CPU") \
    EVENT("gic-timeout",         IRQ,     "wait register held", "the GIC did not finish in time") \
    EVENT("stray",               IRQ,     "intid held", "an interrupt that nobody asked for was acknowledged and dropped") \
    EVENT("guest-output-dropped",MONITOR, "bytes", "guest output that did not fit the buffer while the monitor was open") \
    EVENT("counters-reset",      MONITOR, "count", "a person has set the exit counters to 0: so many exits they had, and counters and row count from here") \
    EVENT("held-back",           MONITOR, "count", "records that went to the ring only while a person was at the prompt: they follow") \
    EVENT("monitor-write",       MONITOR, "what [vcpu] [intid] [ipa] [width] [name] [old] [new]", "a person changed the guest: memory, a register, or by an injected exception or interrupt") \
    EVENT("port-dropped",        MONITOR, "port bytes", "what was written to a port of EL2's while its host side was not connected or did not read; told when it does again") \
    EVENT("serial-failed",       MONITOR, "intid", "EL2's serial device broke the rules of virtio and is not used any more: records go to the serial line") \
    EVENT("trace-dropped",       MONITOR, "dropped total", "this CPU's ring of the trace had no room for so many exits since the last such record: told when it begins and when it has ended, at most once a second") \
    EVENT("uart-silent",         MONITOR, "bytes", "the serial line has not taken bytes in time, which are lost: told once until it goes a second without") \
    EVENT("backtrace",           PANIC,   "depth pc", "one frame of EL2's stack") \
    EVENT("el2-registers",       PANIC,   "[elr] [spsr] [esr] [far] [hpfar] [sp] [x*] [x28] [x29] [x30]", "EL2's registers when it failed") \
    EVENT("held-back",           PANIC,   "count", "the same, before the report of a panic") \
    EVENT("panic",               PANIC,   "reason [vector] [kind] [ec]", "a bug of ariel's own: this CPU parks") \
    EVENT("policy-set",          POLICY,  "key op verdict was row at", "a person has given accesses another verdict at the monitor; it holds until the next reset") \
    EVENT("row",                 POLICY,  "row at count logged suppressed what", "verdicts that a policy row gave since the counters were reset") \
    EVENT("set-way",             POLICY,  "exit key verdict count pc value row at why", "maintenance by set and way that a policy row with log decided about: so many in a row, and the first of them") \
    EVENT("suppressed",          POLICY,  "[row] [at] count of [key] [op]", "records that a limit has held back since the last that told; of=others is the rest, of several sources") \
    EVENT("verdict",             POLICY,  "exit key op verdict pc addr value esr row at why", "a policy row with log decided about an access") \
    EVENT("virtio-blk",          POLICY,  "device transport op sector bytes status row at why", "a request to a block device, about which a policy row with log decided") \
    EVENT("virtio-io",           POLICY,  "device transport bytes status row at why", "a buffer of another virtio device, likewise") \
    EVENT("virtio-net",          POLICY,  "device transport op bytes status row at why", "a frame of a net device, likewise") \
    EVENT("cpu-off",             PSCI,    "vcpu held", "the guest turned a vCPU off") \
    EVENT("cpu-on",              PSCI,    "vcpu entry held", "the guest turned a vCPU on") \
    EVENT("counters",            TRAP,    "key count ticks min p50 p99 max logged suppressed", "exits of one kind since the counters were reset, and how long they took in EL2") \
    EVENT("el2-stall",           TRAP,    "vcpu exit key pc held", "another CPU has been in one exit for more than a second") \
    EVENT("slow-exit",           TRAP,    "exit key pc ticks held", "an exit of this CPU took more than a second") \
    EVENT("virtio-device",       VIRTIO,  "device transport id intid queues features state", "a virtio device of the board, and what became of it: guest, or why no guest has it") \
    EVENT("virtio-error",        VIRTIO,  "device transport op sector bytes held", "a device could not do what it may be asked for: the host's file is full, or fails, or the request is none that it can do") \
    EVENT("virtio-fault",        VIRTIO,  "device transport queue reason value bound held", "a guest had nonsense in a queue, or its device misbehaved: DMA has ended, the device needs a reset") \
    EVENT("virtio-ignored",      VIRTIO,  "device transport reason value held", "a driver wrote what has no effect") \
    EVENT("virtio-legacy",       VIRTIO,  "device transport id reason", "a virtio device behind the legacy interface, which no guest gets") \
    EVENT("cpu-late",            VM,      "vcpu limit_ms held", "a vCPU did not stop in time for a pause") \
    EVENT("guest-enter",         VM,      "guest entry vcpus", "the guest is loaded and about to run") \
    EVENT("reset-loop",          VM,      "resets seconds", "the guest has reset the machine so often in a row, each time soon after the last: told once") \
    EVENT("vm-off",              VM,      "vcpus hidden_total", "the machine is about to be powered off") \
    EVENT("vm-pause",            VM,      "vcpus stop_ticks", "every vCPU waits in EL2; the guest's time stands still") \
    EVENT("vm-reset",            VM,      "vcpus hidden_total", "the machine is about to be reset; the next boot proves itself by log-start") \
    EVENT("vm-resume",           VM,      "paused_ticks", "the vCPUs run again") \
    EVENT("vm-stop",             VM,      "reason", "the VM stopped for good: only a reset leaves this state")

#define LOG_FIELD_TABLE(FIELD) \
    FIELD("addr",      "IPA of an access, function number of a call, else 0") \
    FIELD("affinity",  "MPIDR_EL1's affinity fields") \
    FIELD("at",        "file and line of a policy row") \
    FIELD("boots",     "boots that the ring remembers, this one included; 1 when memory held no ring") \
    FIELD("bound",     "what the field before it must not pass, or must be") \
    FIELD("bytes",     "bytes") \
    FIELD("count",     "how many") \
    FIELD("depth",     "0 is the innermost frame") \
    FIELD("device",    "what lies at addr, or the type of a virtio device, as policy files spell it; none for what is no access") \
    FIELD("dropped",   "records of the trace that this CPU has dropped since it said so last") \
    FIELD("ec",        "ESR_EL2.EC") \
    FIELD("ecv",       "FEAT_ECV") \
    FIELD("el",        "exception level") \
    FIELD("elr",       "ELR_ELx: address to return to") \
    FIELD("entry",     "entry point, IPA") \
    FIELD("esr",       "ESR_ELx: syndrome") \
    FIELD("exit",      "number of the exit on its vCPU: the monitor's explain takes it") \
    FIELD("far",       "FAR_ELx: faulting virtual address") \
    FIELD("features",  "feature bits that a device offers to its guest (VIRTIO 1.2, 6)") \
    FIELD("fgt",       "FEAT_FGT") \
    FIELD("gic",       "GIC system register interface") \
    FIELD("guest",     "what runs: diagnostic guest or Linux Image") \
    FIELD("hafdbs",    "FEAT_HAFDBS") \
    FIELD("held",      "records of this kind (and key and op) that a limit has held back since the last one") \
    FIELD("hidden_before", "records that the boot before left in the ring only: it hid them, and did not write them out at its end") \
    FIELD("hidden_total", "records of this boot that are in the ring only") \
    FIELD("hpfar",     "HPFAR_EL2") \
    FIELD("hz",        "CNTFRQ_EL0: counter ticks in a second") \
    FIELD("id",        "number of a device type (VIRTIO 1.2, 5)") \
    FIELD("intid",     "interrupt number") \
    FIELD("ipa",       "guest physical address") \
    FIELD("key",       "register, device, call or cause, as policy files spell it") \
    FIELD("kind",      "sync, irq, fiq or serror") \
    FIELD("limit_ms",  "how long was waited, milliseconds") \
    FIELD("logged",    "of the same key or row since boot, the accesses that have a record: verdict, abort, set-way (its count), virtio-*") \
    FIELD("max",       "no exit took more, counter ticks: an upper bound") \
    FIELD("midr",      "MIDR_EL1") \
    FIELD("min",       "no exit took less, counter ticks: a lower bound") \
    FIELD("name",      "system register") \
    FIELD("new",       "value after a write") \
    FIELD("next",      "hash of the secret that the next boot shows as proof") \
    FIELD("of",        "the event, or others") \
    FIELD("old",       "value before a write") \
    FIELD("op",        "read, or write (calls too); of a virtio device, the request as policy files spell it") \
    FIELD("p50",       "half of the exits took no more, counter ticks: an upper bound, 0 for no time at all") \
    FIELD("p99",       "99 of 100 exits took no more, counter ticks: an upper bound") \
    FIELD("pa_bits",   "physical address size, bits") \
    FIELD("paused_ticks", "how long the pause took, counter ticks") \
    FIELD("pc",        "address of the instruction") \
    FIELD("per_second", "how often a second") \
    FIELD("policy",    "the policy compiled in") \
    FIELD("port",      "a port of EL2's own serial device") \
    FIELD("ports",     "ports of EL2's own serial device that have a name of EL2's") \
    FIELD("proof",     "the secret whose hash the boot before announced as next; none after power on") \
    FIELD("queue",     "number of a device's queue") \
    FIELD("queues",    "how many queues a device has for its guest") \
    FIELD("reason",    "what happened, in words") \
    FIELD("register",  "address of a device register") \
    FIELD("resets",    "of the guest's own, in a row, each soon after the one before; this boot's included") \
    FIELD("result",    "what came of it") \
    FIELD("rng",       "where the tag comes from: rndr (FEAT_RNG) or counter (jitter of CNTPCT_EL0)") \
    FIELD("row",       "number of a policy row; with at=none no row decided") \
    FIELD("seconds",   "how soon") \
    FIELD("sector",    "the first one of a request, of 512 bytes") \
    FIELD("sp",        "stack pointer") \
    FIELD("spsr",      "SPSR_EL2") \
    FIELD("state",     "guest: the guest has the device; denied (by policy), unknown (to ariel), silent, legacy, no-memory: it has not") \
    FIELD("status",    "ok, error or unsupported as the device said; refused by policy") \
    FIELD("stop_ticks", "from the wish to pause until every vCPU stood still, counter ticks") \
    FIELD("suppressed", "the same, of those that wanted a record and that a limit has held back") \
    FIELD("target",    "the CPU that it is about, not the one that says so") \
    FIELD("text",      "a line that the guest printed, up to 120 bytes: its words, not ariel's") \
    FIELD("ticks",     "time in EL2, counter ticks; of counters the sum, without records, the monitor's words and sleep in WFI") \
    FIELD("total",     "records of the trace that this CPU has dropped since boot") \
    FIELD("transport", "number of a virtio-mmio transport: the guest's is the board's") \
    FIELD("up",        "physical CPU that came up") \
    FIELD("value",     "written by the guest, or given to it") \
    FIELD("vcpu",      "virtual CPU") \
    FIELD("vcpus",     "number of virtual CPUs") \
    FIELD("vector",    "where an exception came from") \
    FIELD("verdict",   "allow, emulate, raz-wi, deny, pause or stop") \
    FIELD("version",   "of ariel") \
    FIELD("vhe",       "FEAT_VHE") \
    FIELD("vmid_bits", "VMID size, bits") \
    FIELD("wait",      "what was waited for") \
    FIELD("was",       "the verdict before") \
    FIELD("what",      "what a policy row is about, or what was written") \
    FIELD("why",       "the policy row's reason") \
    FIELD("width",     "bytes") \
    FIELD("xnx",       "FEAT_XNX")
// clang-format on
