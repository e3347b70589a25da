// SPDX-License-Identifier: Apache-2.0
// Turning the trace on and off. VBAR_EL2 of each CPU chooses between two tables of vectors (vectors.S), so an exit asks
// nobody whether there is a trace. The order matters on the way off: the filters go first, so that an exit that began
// with the trace and is still in EL2 finds at its end that nobody wants its record.
#include <hv/trace_control.h>

#include <version.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/plan.h>
#include <hv/printf.h>
#include <hv/trace.h>
#include <hv/trace_filter.h>
#include <hv/trace_meta.h>
#include <hv/trace_text.h>

extern char vectors[], vectors_traced[];

static bool on;
static char filter_words[TRACE_FILTER_WORDS] = "all";

bool trace_is_on(void)
{
    return on;
}

// Runs on each CPU. The new vectors are there for the next exception, which comes after the eret, a context
// synchronization event, at the latest; the barrier is for one that EL2 itself may cause.
static void use_vectors(void *table)
{
    WRITE_SYSREG(VBAR_EL2, (uint64_t)table);
    barrier_context();
    trace_flush(vcpu_current());
}

// Lines are known by no VM, such as the log's, so that extras are wanted when those of any VM are.
void trace_apply_filters(void)
{
    bool extras = false;

    for (unsigned int n = 0; n < plan_vm_count(); n++) {
        trace_filter_apply(plan_vm(n), on);
        extras |= trace_filter_wants_extras(plan_vm(n));
    }
    trace_set_extras(extras);
}

// The names cost more instructions than all the rest of a boot: they are made when somebody wants a trace.
struct trace_chunk *trace_names(void)
{
    static struct trace_chunk *names;

    if (names == NULL)
        names = trace_meta_make(&(struct trace_machine){ARIEL_VERSION, cpu_count(), plan_vm(0), plan_vm_count()});
    return names;
}

bool trace_turn(bool turn_on)
{
    if (turn_on)
        (void)trace_names();
    for (unsigned int n = 0; n < plan_vm_count(); n++)
        if (turn_on && trace_filter_is_empty(plan_vm(n)))
            trace_filter_add_all(plan_vm(n));
    on = turn_on;
    trace_apply_filters();
    return cpu_call_all(use_vectors, turn_on ? vectors_traced : vectors);
}

void trace_begin(struct vm *vm, bool everything)
{
    if (everything) {
        trace_filter_add_all(vm);
    } else {
        if (!trace_filter_add_policy(vm))
            return;
        trace_set_filter_words("policy");
    }
    (void)trace_turn(true);
}

const char *trace_filter_words(void)
{
    return filter_words;
}

void trace_set_filter_words(const char *words)
{
    format_text(filter_words, sizeof(filter_words), "%s", words);
}
