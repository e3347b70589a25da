// SPDX-License-Identifier: Apache-2.0
// Events that somebody above should know of: a guest has panicked, a vCPU hangs, a policy row has paused the VM.
// Whoever finds one posts it and does not know who listens. Listeners (the monitor, a debugger) register at boot.
#pragma once

struct vcpu;

// NOTIFY_id, and the event in the words that a person reads and the log's records cite
// clang-format off
#define NOTIFY_TABLE(row) \
    row(STEP,              "step")                   /* the last of the steps that were asked for was taken */ \
    row(GUEST_PAUSE,       "paused by guest")        /* hypercall HVC_PAUSE */ \
    row(POLICY_PAUSE,      "a policy row says pause") \
    row(POLICY_STOP,       "a policy row says stop") \
    row(DESCRIPTOR_UPDATE, "an unsupported hardware update of a descriptor") /* fault status code 0x31 */ \
    row(GUEST_PANIC,       "guest panic")            /* its console has said all about it */ \
    row(GUEST_OOPSES,      "16 guest oopses") \
    row(VCPU_MASKED,       "a vCPU has kept an interrupt waiting for 10 s, masked") \
    row(VCPU_NO_VECTORS,   "a vCPU has met nothing but refused fetches for 10 s")
// clang-format on

#define NOTIFY_ID(id, words) NOTIFY_##id,
enum notify_event { NOTIFY_TABLE(NOTIFY_ID) NOTIFY_COUNT };

// "guest panic" ...; "?" when out of range. Never NULL.
const char *notify_name(unsigned int event);

// A listener is called on the boot CPU, once for each event and each vCPU that it was posted about since the listener
// was called last: vCPU by vCPU, the events of one in the order of the table. vcpu is the one that the event is about,
// and vcpu->vm its guest; the vCPU that the boot CPU runs may be another guest's. No locks are held. It runs within
// whatever exit that CPU is in, or in EL2's idle loop.
typedef void (*notify_listener)(enum notify_event event, struct vcpu *vcpu);

#define NOTIFY_LISTENERS_MAX 4

// At boot, before any event is posted. Panics when there is no place for one more.
void notify_register(notify_listener listener);

// Tells the listeners of event, which is about vcpu (never NULL): at once when this is the boot CPU, else as soon as
// that CPU has taken the SGI that this sends. An event that was posted about the same vCPU and not told yet is told
// once. Any CPU; no lock that a listener takes may be held.
void notify_post(enum notify_event event, struct vcpu *vcpu);

// Tells the listeners what other CPUs have posted. On the boot CPU, by whoever takes the SGI there (core/cpu.c).
void notify_serve(void);
