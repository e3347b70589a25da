# SPDX-License-Identifier: Apache-2.0
"""From traces to the policy that allows what was seen in them (docs/LEARN.md).

under.py: the policy that a trace was made under, and what could be seen under it. facts.py: what was seen. rows.py: the rows
that allow it. text.py: the file."""
