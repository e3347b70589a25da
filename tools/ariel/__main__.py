# SPDX-License-Identifier: Apache-2.0
"""python3 -m ariel COMMAND ...: what a guest did, from the trace that ariel wrote of it (docs/TRACE.md).

Exit status: 0, 1 when something cannot be read or written (one line on stderr says what), 2 for wrong usage."""

import argparse
import importlib
import os
import signal
import sys

from .errors import ArielError

# name, sentence. A command is the module of its name in commands/, with add_arguments(parser) and run(arguments), which
# returns the exit status.
COMMANDS = (("info", "what is in a trace: the machine, its boots, CPUs, records and losses"),
            ("records", "records as rows of text: all, or those of a key, function, vCPU, time or verdict"),
            ("explain", "why one exit happened, or what a value of ESR_EL2 means"),
            ("diff", "what differs between two traces"),
            ("report", "a page (HTML) of a trace: what the guest did to its machine, and from where"),
            ("learn", "a policy that lets through what was seen in traces, and denies all else"),
            ("pull", "saves the trace out of the memory of a machine, living or dead"),
            ("sym", "addresses of a kernel or program by name, and names of addresses"),
            )


class CommandParser(argparse.ArgumentParser):
    """Of one command: its options may stand before, between and behind its arguments (`explain FILE --vcpu 0 12`)."""

    within = False

    def parse_known_args(self, args=None, namespace=None):
        if self.within:  # parse_known_intermixed_args comes here for the options, and once more for the arguments
            return super().parse_known_args(args, namespace)
        self.within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.within = False


def make_parser():
    parser = argparse.ArgumentParser(prog="ariel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, sentence in COMMANDS:
        module = importlib.import_module(f".commands.{name}", __package__)
        command = commands.add_parser(name, help=sentence, description=module.__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments=None):
    try:
        options = make_parser().parse_args(arguments)
        status = options.run(options)
        sys.stdout.flush()
        return status
    except ArielError as error:
        print(f"ariel: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:  # the reader of the output, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"ariel: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 1


if __name__ == "__main__":
    sys.exit(main())
