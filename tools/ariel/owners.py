# SPDX-License-Identifier: Apache-2.0
"""Which function an exit is charged to: the one with the PC; for calls made by a function whose body is the HVC or SMC
itself (Linux's __arm_smccc_hvc), the function that called that one."""

import numpy as np

from .symbols.calls import is_thunk


class Owners:
    """Code addresses that exits are charged to. symbols: of ariel.symbols, or None: then every exit's is its PC.
    calls: (first, end) of the keys of calls."""

    def __init__(self, symbols, calls):
        self.symbols, self.calls = symbols, calls
        self._known = {}  # (pc, lr, caller): address
        self._thunks = {}  # number of a function: whether it only makes calls

    def of(self, batch):
        """An address (u64) for each record: its PC, or the return address behind the call that led to it."""
        owners = batch["pc"].copy()
        if self.symbols is None or not hasattr(self.symbols, "table"):
            return owners
        for place in np.flatnonzero((batch["key"] >= self.calls[0]) & (batch["key"] < self.calls[1])):
            record = batch[place]
            frames = (int(record["pc"]), int(record["lr"]), int(record["caller"]))
            if frames not in self._known:
                self._known[frames] = self._find(*frames)
            owners[place] = self._known[frames]
        return owners

    def _find(self, pc, *returns):
        if not self._is_thunk(pc):
            return pc
        named = [address for address in returns if address and self.symbols.lookup(address - 4) is not None]
        return next((address for address in named if not self._is_thunk(address - 4)), named[-1] if named else pc)

    def _is_thunk(self, address):
        number = self.symbols.table.find(self.symbols.to_file(address))
        if number is None:
            return False
        if number not in self._thunks:
            self._thunks[number] = is_thunk(self.symbols, number)
        return self._thunks[number]
