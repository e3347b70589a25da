# SPDX-License-Identifier: Apache-2.0
"""What differs between two traces: guest.py says what addresses mean, side.py reads one trace, tally.py puts the kinds of
exits of both into the same words, compare.py says what differs, text.py shows it."""
