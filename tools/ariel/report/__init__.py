# SPDX-License-Identifier: Apache-2.0
"""The report: one page (HTML) that says what a guest did to its machine, made from a trace.

The page needs no network: styles, scripts, tables and the records themselves are in it. The tables are made here, and
stand there without JavaScript; the timeline, the filters and the list of records are the scripts' (page/js).

    from ariel.report import write
    with Trace("boot.trace") as trace, open("report.html", "w", encoding="utf-8") as file:
        write(trace, symbols, file, "boot.trace")
"""

from .render import write

__all__ = ["write"]
