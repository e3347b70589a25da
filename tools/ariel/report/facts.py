# SPDX-License-Identifier: Apache-2.0
"""What the page says about the machine, and what the trace lacks."""

from ..explain import syndrome_line
from .. import units
from .survey import KIND

# INTIDs of the CPU's own timers and of the GIC (Arm BSA, PPI assignments)
PRIVATE_INTERRUPTS = {23: "PMU", 25: "GIC maintenance", 26: "EL2 physical timer", 27: "virtual timer",
                      28: "EL2 virtual timer", 29: "secure timer", 30: "EL1 physical timer"}


def guests(meta):
    """A phrase for each VM: "Linux Image (vm0, 4 vCPUs)"."""
    return [f"{vm.get('guest') or 'a guest'} ({vm.get('name', 'VM')}, {vm.get('vcpus', '?')} vCPUs)" for vm in meta["vms"]]


def machine(boot, survey, seconds):
    """[(name, value)]: what ran where, for how long."""
    meta = boot.meta
    ram = [f"{units.bytes_of(size)} at {base:#x}" for vm in meta["vms"] for base, size in numbers(vm.get("ram", []))]
    facts = [("guest", ", ".join(guests(meta))), ("guest RAM", ", ".join(ram)), ("board", meta.get("board")),
             ("CPUs", f"{meta['cpus']}, MIDR_EL1 {meta.get('midr', 'unknown')}"), ("ariel", meta.get("ariel")),
             ("policy", meta.get("policy")), ("counter", f"{meta['hz'] / 1e6:g} MHz, {1e9 / meta['hz']:g} ns a tick"),
             ("from", f"{seconds(first_time(survey))} s to {seconds(survey.end)} s"),
             ("boot", f"{boot.number:016x}")]
    return [(name, value) for name, value in facts if value]


def first_time(survey):
    """Ticks from the origin to the first exit."""
    return min((count.first for count in survey.vcpus.values()), default=0)


def numbers(pairs):
    """[["0x40000000", "0x30000000"]] as pairs of integers; what is none is left out."""
    for pair in pairs:
        try:
            yield int(pair[0], 0), int(pair[1], 0)
        except (TypeError, ValueError, IndexError):
            continue


def interrupts(survey):
    """[(INTID, exits, its name or "")], the most frequent first."""
    ranked = sorted(survey.interrupts.items(), key=lambda item: (-item[1], item[0]))
    return [(intid, count, interrupt_name(intid)) for intid, count in ranked]


def interrupt_name(intid):
    """What an INTID is in every GIC: SGI, a timer; nothing for a device's."""
    return "SGI" if intid < 16 else PRIVATE_INTERRUPTS.get(intid, "")


def syndromes(survey):
    """{ESR_EL2: what its fields say} of all exits."""
    values = {int(value) for value in survey.kinds.values()[KIND.index("syndrome")]} if len(survey.kinds) else set()
    return {value: syndrome_line(value).partition(f"0x{value:08x} ")[2] for value in values if value}


def losses(trace, place):
    """A row for each CPU: records in the file, numbers that no record has, and what EL2 counted as dropped."""
    return [{"cpu": cpu, "records": loss.records, "gaps": loss.gaps, "dropped": loss.drops}
            for cpu, loss in sorted(trace.losses(place).items())]


def nameless(unplaced):
    """A sentence: why functions have no names. unplaced: why the place of a kernel that was named is not known, or ""."""
    if unplaced:
        return f"Functions are addresses, since it is not known where the kernel of --image ran. {unplaced}."
    return "There were no symbols: functions are addresses. --image names the kernel."


def lacks(trace, place, summary, rows, no_names):
    """[(level, sentence)]: everything that a reader must know before believing a count. level: "good" or "warning". no_names:
    the sentence of nameless(), "" where there are symbols."""
    survey, found = summary.survey, []
    lost = sum(row["gaps"] for row in rows)
    if not lost:
        found.append(("good", "No record is missing: the numbers of each CPU's records have no gap."))
    else:
        dropped = sum(row["dropped"] for row in rows)
        kind = "All of them are counted" if dropped == lost else f"EL2 counted {units.count(dropped)}"
        found.append(("warning", f"{units.count(lost)} records are missing, by their numbers. {kind} as dropped."))
    found += [("warning", problem[:1].upper() + problem[1:] + ".") for problem in trace.problems(place)]
    when = "in memory" if trace.is_memory else "before the reader came"
    for cpu, count in sorted(trace.overwritten(place).items()):
        if count:
            found.append(("warning", f"CPU {cpu}: {units.count(count)} older records were overwritten {when}."))
    found += unseen(survey)
    if len(trace.boots) > 1:
        found.append(("warning", f"The file holds {len(trace.boots)} boots of the machine; this page is about number "
                                 f"{place % len(trace.boots)}, counted from 0. --boot chooses another."))
    if survey.kept < survey.exits + survey.requests:
        found.append(("warning", f"The timeline and the list hold the first {units.count(survey.kept)} records; the tables "
                                 "count all. --limit raises the number."))
    named, exits = summary.named_share()
    if no_names:
        found.append(("warning", no_names))
    elif named < exits:
        found.append(("warning", f"{units.count(exits - named)} of {units.count(exits)} exits are from addresses that no "
                                 "symbol names."))
    found.append(("good", "What the policy lets through without an exit is in no trace: see the grey rows of the policy."))
    return found


def unseen(survey):
    """Exits that happened, by the vCPU's sequence numbers, and are not in the trace."""
    found = []
    for (vm, vcpu), count in sorted(survey.vcpus.items()):
        if count.before:
            found.append(("warning", f"VM {vm} vCPU {vcpu} had {units.count(count.before)} exits before the first one here: "
                                     "the trace began later."))
        if count.missing:
            found.append(("warning", f"VM {vm} vCPU {vcpu} had {units.count(count.missing)} more exits between those here, by "
                                     "their sequence numbers: a filter left them out, or they were dropped."))
    return found
