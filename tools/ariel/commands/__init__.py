# SPDX-License-Identifier: Apache-2.0
"""The commands of `python3 -m ariel`, a module each; the table in __main__.py lists them."""
