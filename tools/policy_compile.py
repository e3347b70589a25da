#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles a policy (TOML) into the const tables that include/hv/policy.h declares, or shows what it means.

policy_compile.py --policy policy/diag.toml --output build/generated/policy_tables.c
policy_compile.py --policy policy/diag.toml --show [--json]

The source format is docs/POLICY.md; the compiler's parts are in policy_compiler/. Names, keys, addresses and control
bits come from the headers through the C preprocessor, so that nothing stands twice. First match wins, row by row in the
order of the file. All errors of a file are reported in one run, one line each: file:line: what, the value, what to do.
"""
import argparse
import json
import sys

from policy_compiler.compiler import compile_file
from policy_compiler.emit import generate
from policy_compiler.model import PolicyError
from policy_compiler.show import describe, show


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Compiles a policy into C tables, or shows what it means.")
    parser.add_argument("--policy", required=True, metavar="FILE", help="the policy, a TOML file")
    parser.add_argument("--output", metavar="FILE.c", help="write the tables here")
    parser.add_argument("--show", action="store_true", help="print the effective policy as a table")
    parser.add_argument("--json", action="store_true", help="with --show: as JSON")
    parser.add_argument("--cc", default="cc", help="C compiler whose preprocessor reads the headers (default cc)")
    parser.add_argument("--include", action="append", metavar="FOLDER", help="where the headers are (default include)")
    options = parser.parse_args(arguments)
    if not options.output and not options.show:
        parser.error("nothing to do: give --output FILE.c or --show")
    try:
        policy = compile_file(options.policy, options.cc, options.include or ("include",))
        if options.output:
            with open(options.output, "w", encoding="ascii", newline="\n") as file:
                file.write(generate(policy))
    except PolicyError as error:
        print("\n".join(error.args[0]), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{options.output}: cannot write: {error.strerror}", file=sys.stderr)
        return 1
    if options.show:
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have bytes that are no UTF-8
        print(json.dumps(describe(policy), indent=1)) if options.json else show(policy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
