# SPDX-License-Identifier: Apache-2.0
"""Writes a policy that lets through what a guest was seen to do in traces, and denies all else (docs/LEARN.md). Make the traces
under policy/learn.toml, which traps all that can be. The file is for a person to judge: nothing is enforced by writing it.

  learn one.trace two.trace --image Image -o mine.toml"""

import json
import os

from ..errors import ArielError
from ..learn import facts as reading, rows as making, text, under
from ..trace import Trace
from .options import add_boot, add_image, load_symbols
from .output import check_folder, whole_file


def add_arguments(parser):
    parser.add_argument("file", nargs="+", help="traces of the guest: what TRACE=FILE wrote")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file to write: a policy (TOML)")
    parser.add_argument("--under", metavar="POLICY", help="the policy that the traces were made under; without it, the file that "
                        "their rows name")
    parser.add_argument("--partial", action="store_true", help="learn, too, from traces that do not have all exits; the file says so")
    parser.add_argument("--explain", action="store_true", help="print for each register, device and call why its row is as it is")
    parser.add_argument("--json", action="store_true", help="write JSON instead: rows, what was not exercised")
    parser.add_argument("--cc", default="cc", help="C compiler whose preprocessor reads ariel's headers (%(default)s)")
    add_image(parser)
    add_boot(parser)


def source_line(name, trace, boot, sequences):
    """What the file says of one trace."""
    meta = boot.meta
    return (f"{os.path.basename(name)}: policy {meta.get('policy', 'unknown')}, {meta['cpus']} CPUs, MIDR {meta.get('midr', 'unknown')}, "
            f"{sum(count for count, _, _ in sequences.values())} exits, boot {boot.number:016x}")


class Learner:
    """Reads traces, one after the other."""

    def __init__(self, arguments):
        self.arguments, self.tables = arguments, under.read_tables(arguments.cc)
        self.facts, self.unseen = reading.Facts(self.tables), None
        self.sources, self.partial = [], []

    def add(self, name):
        """One trace. What one trace could see, nobody needs to guess: unseen is what none of them could."""
        arguments = self.arguments
        with Trace(name) as trace:
            boot = trace.boot(arguments.boot)
            policy = under.load_policy(boot.meta, arguments.under, name, self.tables)
            blind = under.unseen(policy)
            self.unseen = blind if self.unseen is None else {key: action for key, action in blind.items() if key in self.unseen}
            sequences = self.facts.add(trace, arguments.boot, len(self.sources), load_symbols(arguments, trace))
            reason = reading.incomplete(trace, arguments.boot, sequences)
            if reason and not arguments.partial:
                raise ArielError(f"{name}: {reason}: what it lacks would be denied; make the trace again, or say --partial")
            if reason:
                self.partial.append(f"{os.path.basename(name)}: {reason}")
            self.sources.append(source_line(name, trace, boot, sequences))


def json_row(row):
    return {"section": row.section, "table": row.table, **row.fields, "why": row.why,
            "seen": [{"key": fact.key.name, "write": fact.way, "count": fact.count, "refused": fact.refused,
                      "functions": {name: count for name, count in fact.functions.items() if name}} for fact in row.facts]}


def run(arguments):
    check_folder(arguments.output)
    if any(os.path.exists(arguments.output) and os.path.samefile(name, arguments.output) for name in arguments.file
           if os.path.exists(name)):
        raise ArielError(f"{arguments.output}: is one of the traces; name another file with -o")
    learner = Learner(arguments)
    for name in arguments.file:
        learner.add(name)
    facts = learner.facts
    rows = making.make_rows(facts, learner.unseen, learner.tables)
    idle = making.not_exercised(facts, learner.unseen, learner.tables)
    policy_name = os.path.splitext(os.path.basename(arguments.output))[0]
    data = text.make_text(policy_name, learner.sources, rows, idle, learner.partial).encode()
    under.compile_text(arguments.output, data, learner.tables)  # what does not compile is not written
    if arguments.json:
        data = json.dumps({"traces": learner.sources, "partial": learner.partial, "rows": [json_row(row) for row in rows],
                           "not_exercised": idle}, indent=1).encode() + b"\n"
    with whole_file(arguments.output) as output:
        output.write(data)
    if arguments.explain:
        print("\n".join(text.explain_lines(facts, len(arguments.file))))
    return 0
