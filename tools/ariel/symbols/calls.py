# SPDX-License-Identifier: Apache-2.0
"""Who made a call to EL2. Linux makes all of its calls in a few functions whose body is the HVC or SMC itself
(`__arm_smccc_hvc`), so that the PC says nothing; what tells is who called that function, and who called the caller."""

HVC, HVC_MASK = 0xd4000002, 0xffe0001f      # A64 (DDI 0487, C6.2)
SMC = 0xd4000003
RET = 0xd65f03c0
KERNEL_BITS = 0xffff << 48
THUNK_SIZE = 0x80                           # bytes of such a function, at most
KNOWN = ("__arm_smccc_hvc", "__arm_smccc_smc", "arm_smccc_1_2_hvc", "arm_smccc_1_2_smc", "__invoke_psci_fn_hvc",
         "__invoke_psci_fn_smc", "hypercall", "kvm_arm_hyp_service_available")


def is_thunk(symbols, number):
    """Whether the function with that number is little more than a call: HVC or SMC is in it, and no BL."""
    table = symbols.table
    if table.names[number] in KNOWN:
        return True
    start, end = int(table.addresses[number]), table.end_of(number)
    if end - start > THUNK_SIZE:
        return False
    words = [table.word_at(address) for address in range(start, end, 4)]
    calls = [word for word in words if word is not None and word & HVC_MASK in (HVC, SMC)]
    branches = [word for word in words if word is not None and word & 0xfc000000 == 0x94000000]
    return len(calls) > 0 and not branches


def place_of_call(symbols, address):
    """The Place of the call that a return address is behind, or None. The call itself, since the address behind the last
    call of a function may be the next function's. In the frame of a kernel with pointer authentication the upper bits of
    the address are a code (DDI 0487, D8.10): they are what bit 55 says without."""
    if address >> 55 & 1:
        address |= KERNEL_BITS
    place = symbols.lookup(address - 4) if address else None
    return place._replace(offset=place.offset + 4) if place else None


def caller_of(record, symbols):
    """[text] for a record of an HVC or SMC (trace.py's RECORD: fields pc, lr, caller), the nearest caller first: the functions
    that lr and, where the record has it, the frame behind x29 name. Empty when the PC is not in a function whose body is
    the call: then the PC's own name says who it was."""
    pc = int(record["pc"])
    number = symbols.table.find(symbols.to_file(pc))
    if number is None or not is_thunk(symbols, number):
        return []
    places = [place_of_call(symbols, int(record[field])) for field in ("lr", "caller")]
    texts = [str(place) for place in places if place is not None]
    return texts[:1] if len(texts) == 2 and texts[0] == texts[1] else texts
