# SPDX-License-Identifier: Apache-2.0
"""The const tables of include/hv/policy.h and include/hv/arch/sysreg_key.h, as C."""
import os

from .controls import bits_of, traps
from .fold import possible
from .model import ACTIONS, CAUSE_ACTIONS, REGISTERS, Row, place_of, quoted
from .virtio import options

# sysreg_slots, as hv/arch/sysreg_key.h has it
SLOT_COUNT = 64


def quote(text):
    """A C string literal: printable ASCII as it is, other bytes in octal."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode(errors="surrogateescape")) + '"'


def action_name(action):
    return "POLICY_" + action.upper().replace("-", "_")


def verdict_text(verdict, key, way):
    # The shorter way of an exit (trap/trap_quick.c) takes no registers but the ID registers, read, and SGIs.
    quick = verdict["action"] == "emulate" and not verdict["log"]
    quick = quick and (key.group != "sysreg" or (key.kind, way) == ("ID", 0) or
                       (key.enum, way) == ("KEY_ICC_SGI1R_EL1", 1))
    flags = ["POLICY_FLAG_LOG"] * verdict["log"] + ["POLICY_FLAG_DEFAULT"] * (verdict["row"].index == 0)
    flags += ["POLICY_FLAG_QUICK"] * quick + ["POLICY_FLAG_TRACE"] * verdict["trace"]
    return f"{{{action_name(verdict['action'])}, {' | '.join(flags) or '0'}, {verdict['row'].index}}}"


def verdict_table(policy):
    """.verdicts of struct policy: both directions of each key."""
    return ["    .verdicts = {",
            *(f"        [{key.enum}] = {{{', '.join(verdict_text(policy.verdicts[key, way], key, way) for way in (0, 1))}}},"
              for key in policy.keys), "    },"]


def may_be_set(policy, key, way):
    """Whether the monitor can give the accesses another verdict: they reach EL2 and have their verdict there. Of devices,
    their ranges say it."""
    if key.group == "cause" and key.id not in CAUSE_ACTIONS:
        return False
    if way != {"cause": 0, "hvc": 1, "smccc": 1, "smc": 1}.get(key.group, way):
        return False  # where events of these have their verdict
    if key.group == "cause" and not bits_of(key, way):
        return policy.verdicts[key, way]["trapped"]
    return traps(key, way, policy.bits)


def settable_table(policy):
    """.settable of struct policy: which actions the monitor can give a key and direction in this build."""
    rows = {action: Row("default", 0, {"action": action, "count": True}, {}) for action in ACTIONS}
    for row in rows.values():
        row.exact = True
    out = ["static const uint8_t built_settable[KEY_COUNT][2] = {"]
    for key in policy.keys:
        fits = [sum(1 << n for n, action in enumerate(ACTIONS) if possible(key, action, way, rows[action]) == (action, None))
                if may_be_set(policy, key, way) else 0 for way in (0, 1)]
        if any(fits):
            out.append(f"    [{key.enum}] = {{{fits[0]:#x}, {fits[1]:#x}}},")
    return out + ["};\n"]


def lookup_pages(keys):
    """{place: {bit: key}} of sysreg_pages in hv/arch/sysreg_key.h. Keys are in order of encoding, so that those of a page
    follow each other."""
    pages = {}
    for key in keys:
        if key.enum != "KEY_SYSREG_UNKNOWN":
            op0, op1, crn, crm, op2 = key.encoding
            place = op0 << 20 | op1 << 14 | crn << 10 | (crm & 8) << 1  # as in ISS
            pages.setdefault(place, {})[(crm & 7) << 3 | op2] = key.enum
    return pages


def page_slot(place, multiplier):
    return (place * multiplier & 0xffffffff) * SLOT_COUNT >> 32


def page_multiplier(pages):
    """A number that gives each page a slot of its own. One of some thousand does, so any will be found soon."""
    for n in range(1, 0x10000, 2):
        multiplier = n * 0x9e3779b1 & 0xffffffff
        if len({page_slot(place, multiplier) for place in pages}) == len(pages):
            return multiplier
    raise ValueError(f"{len(pages)} pages of system registers do not fit {SLOT_COUNT} slots: double SYSREG_SLOT_COUNT")


def sysreg_lookup(keys):
    """sysreg_multiplier, sysreg_slots and sysreg_pages; page 0 is that of no register."""
    pages = lookup_pages(keys)
    multiplier = page_multiplier(pages)
    slots = {page_slot(place, multiplier): number for number, place in enumerate(pages, 1)}
    out = [f"const uint32_t sysreg_multiplier = {multiplier:#x};\n",
           f"_Static_assert(SYSREG_SLOT_COUNT == {SLOT_COUNT}, \"emit.py\");",
           "const uint8_t sysreg_slots[SYSREG_SLOT_COUNT] = {",
           wrap(str(slots.get(slot, 0)) for slot in range(SLOT_COUNT)), "};\n",
           "const struct sysreg_page sysreg_pages[] = {", "    {0, 0, KEY_SYSREG_UNKNOWN},"]
    out += [f"    {{{sum(1 << bit for bit in page):#x}, {place:#x}, {page[min(page)]}}}," for place, page in pages.items()]
    ids = pages[3 << 20]
    return out + ["};\n", "const uint16_t sysreg_id_key[64] = {",
                  wrap(ids.get(slot, "KEY_SYSREG_UNKNOWN") for slot in range(64)), "};\n"]


def wrap(items, width=110):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = ""
        line += (" " if line else "") + item + ","
    return "\n".join("    " + text for text in lines + [line])


def virtio_text(what, tables):
    """One row of struct policy_virtio. The default names also what no row can name."""
    default = what.row.index == 0
    bits = sum(1 << tables["types"][name] for name in what.types)
    names = [tables["requests"][name]["enum"] for name in what.named(tables)]
    first, last = what.sectors or (0, (1 << 64) - 1)
    flags = ["POLICY_VIRTIO_READ_ONLY"] * what.read_only + ["POLICY_VIRTIO_MAC_PINNED"] * what.mac
    flags += ["POLICY_VIRTIO_LOG"] * what.row.log + ["POLICY_VIRTIO_PART"] * what.part
    fields = {"sector_first": f"{first}u", "sector_last": f"{last}u", "bytes_per_second": what.bytes,
              "requests_per_second": what.rate_requests, "devices": f"{bits:#x}",
              "transports": f"{0xffffffff if default else sum(1 << n for n in what.transports):#x}",
              "requests": " | ".join(f"1u << {name}" for name in names) if what.part else "0xffffffff",
              "action": action_name(what.action), "flags": " | ".join(flags) or "0", "row": what.row.index,
              "rate": "POLICY_VIRTIO_NO_RATE" if what.rate is None else what.rate}
    return "    {" + ", ".join(f".{name} = {value}" for name, value in fields.items()) + "},"


def generate(policy):
    name = policy.source.get("name") or os.path.splitext(os.path.basename(policy.path))[0]
    out = [f"// Made by tools/policy_compile.py from {quoted(policy.path)}. Do not edit.",
           "#include <hv/arch/fields.h>\n#include <hv/arch/sysreg_key.h>\n#include <hv/policy_virtio.h>\n",
           "static const struct policy_row built_rows[] = {"]
    out += [f"    {{{quote(place_of(policy.path, row.line, policy.numbers['PLACE_MAX']))}, {quote(row.text + options(row))}, "
            f"{quote(row.why)}, "
            f"{'POLICY_LOG_UNLIMITED' if row.unlimited else row.limit}, {action_name(row.action)}}},"
            for row in policy.rows]
    out += ["};\n", "static const struct policy_range built_ranges[] = {"]
    out += [f"    {{{r['base']:#x}, {r['size']:#x}, {r['key'].enum}, {r['widths']}, POLICY_{r['mapping']}, "
            f"{{{', '.join(verdict_text(r['verdicts'][way], r['key'], way) for way in (0, 1))}}}}},"
            for r in policy.ranges]
    out += ["};\n", "static const struct policy_virtio built_virtio[] = {"]
    out += [virtio_text(what, policy.numbers["virtio"]) for what in policy.virtio]
    out += ["};\n", *settable_table(policy), "const struct policy policy_built = {", f"    .name = {quote(name)},",
            "    .rows = built_rows,", f"    .row_count = {len(policy.rows)},",
            "    .ranges = built_ranges,", f"    .range_count = {len(policy.ranges)},",
            "    .settable = built_settable,", "    .virtio = built_virtio,", f"    .virtio_count = {len(policy.virtio)},",
            f"    .log_budget = {policy.log_budget},", f"    .traced = {str(any(row.trace for row in policy.rows)).lower()},",
            "    .controls = {"]
    for register in REGISTERS:
        bits = sorted(bit for bit in policy.bits if bit.startswith(register + "_"))
        out.append(f"        .{register.lower()} = {' | '.join(bits) or '0'},")
    out += ["    },", *verdict_table(policy), "};\n", *sysreg_lookup(policy.groups["sysreg"])]
    return "\n".join(out)
