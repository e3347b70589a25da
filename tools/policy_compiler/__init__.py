# SPDX-License-Identifier: Apache-2.0
"""The policy compiler: headers and source are read, rows matched, verdicts folded, controls derived."""

