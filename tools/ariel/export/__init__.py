# SPDX-License-Identifier: Apache-2.0
"""Traces in the formats of other programs, a module each with write(trace, symbols, output)."""
