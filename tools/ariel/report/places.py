# SPDX-License-Identifier: Apache-2.0
"""Where the guest was: the names of code addresses, and the functions that they lie in."""

USER = "EL0"  # stands for all of a program at EL0: its functions are not the kernel's
EL_AND_WIDTH = 0x1f


class Places:
    """Names for an array of code addresses.

    addresses: u64 values. user: set of their indices that are code of a program at EL0; returns: of those that are return
    addresses, whose function is that of the call before. symbols: of ariel.symbols, or None. Then `texts` has "name+0x9c" or
    the address for each, `functions` the names of functions, and `function` the index into it for each address. `named`
    counts how many addresses a symbol names.
    """

    def __init__(self, addresses, user, returns, symbols):
        self.addresses = [int(address) for address in addresses]
        self.texts, self.function, self.functions = [], [], []
        self.named = 0
        numbers = {}
        for index, address in enumerate(self.addresses):
            function, text = self._name(address, index in user, 4 * (index in returns), symbols)
            self.texts.append(text)
            self.function.append(numbers.setdefault(function, len(numbers)))
        self.functions = list(numbers)

    def _name(self, address, user, behind, symbols):
        """(function, text) of an address that is `behind` bytes behind the instruction that it stands for."""
        if user:
            return USER, f"{USER} {address:#x}"
        found = symbols.lookup(address - behind) if symbols is not None and address else None
        if found is None:
            return f"{address:#x}", f"{address:#x}"
        found = found._replace(offset=found.offset + behind)
        self.named += 1
        return (f"{found.name} [{found.module}]" if found.module and found.name != f"[{found.module}]" else found.name), str(found)


def is_user(pstate):
    """Whether SPSR_EL2 says that the exit came from EL0: M[3:0] is 0 there in AArch64 and AArch32 (DDI 0487, C5.2.18)."""
    return pstate & EL_AND_WIDTH in (0x00, 0x10)
