// SPDX-License-Identifier: Apache-2.0
// What one A64 load or store moves, read from its encoding (DDI 0487 C4.1.94): for the aborts whose syndrome does not
// say (ESR_EL2.ISS.ISV = 0). One table of forms, first match wins; a form that cannot be emulated on a device has no
// decoder but a name. Pure: the encoding is the guest's and may be anything.

#include <hv/arch/abort_decode.h>

#include <hv/bits.h>

#define UNALLOCATED   "an unallocated encoding"
#define UNPREDICTABLE "a CONSTRAINED UNPREDICTABLE choice of registers"
#define PREFETCH      "a prefetch"
#define TAGS          "an allocation tag access"

// The fields of the instructions: LDST_ for the loads and stores of one register, PAIR_ for those of two. L is 1 for a
// load.
#define LDST_SIZE   GENMASK64(31, 30)
#define LDST_SIMD   BIT64(26)
#define LDST_OPC    GENMASK64(23, 22)
#define LDST_IMM9   GENMASK64(20, 12)
#define LDST_MODE   GENMASK64(11, 10) // of the imm9 forms
#define LDST_OPTION GENMASK64(15, 13)
#define LDST_RN     GENMASK64(9, 5)
#define LDST_RT     GENMASK64(4, 0)
#define ORDERED_L   BIT64(22)
#define PAIR_MODE   GENMASK64(24, 23)
#define PAIR_L      BIT64(22)
#define PAIR_IMM7   GENMASK64(21, 15)
#define PAIR_RT2    GENMASK64(14, 10)

#define STRUCTURE_MASK 0xbe000000 // LD1 to LD4, ST1 to ST4
#define STRUCTURE      0x0c000000
#define DC_ZERO_MASK   0xffffff00 // DC ZVA, GVA, GZVA: op1 = 3, CRn = 7, CRm = 4
#define DC_ZERO        0xd50b7400

// How the immediate changes the base register. Post: the address is the base, which changes afterwards. Pre: the base
// changes first and is the address. In the other modes the base stays as it is.
enum imm9_mode { IMM9_UNSCALED, IMM9_POST, IMM9_UNPRIVILEGED, IMM9_PRE };
enum pair_mode { PAIR_NO_ALLOCATE, PAIR_POST, PAIR_OFFSET, PAIR_PRE };

#define GET(field, instruction) ((unsigned int)FIELD_GET(field, instruction))

// value, a number of so many bits with a sign, as 64 bits. For example 0x1ff in 9 bits is -1.
static int64_t sign_extended(uint64_t value, unsigned int bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

// Size, direction, extension and the register of the forms with size, V and opc. Returns NULL, or what the instruction
// is instead. For general registers, opc 0 is a store, 1 a load that extends with zeros, 2 one that extends the sign to
// 64 bits, and 3 one that extends it to 32. For example 0xb9800020 is LDRSW X0, [X1]: size 2 (4 bytes), opc 2.
static const char *decode_register(uint32_t instruction, struct abort_access *access)
{
    unsigned int size = GET(LDST_SIZE, instruction);
    unsigned int opc = GET(LDST_OPC, instruction);

    access->count = 1;
    access->reg[0] = (uint8_t)GET(LDST_RT, instruction);
    access->base = (uint8_t)GET(LDST_RN, instruction);
    if (instruction & LDST_SIMD) {
        size |= (opc & 2) << 1; // opc<1>:size: 4 is a Q register
        if (size > 4)
            return UNALLOCATED;
        access->simd = true;
        access->write = !(opc & 1);
    } else {
        if (size == 3 && opc == 2)
            return PREFETCH;
        if (size >= 2 && opc == 3)
            return UNALLOCATED;
        access->write = opc == 0;
        access->sign_extend = opc >= 2;
        access->sixty_four = size == 3 || opc == 2;
    }
    access->size = (uint8_t)(1 << size);
    return NULL;
}

// LDR, STR, LDUR, STUR, LDTR, STTR and their byte, halfword and signed kin, with imm9. A form that writes its base back
// and moves that very register is CONSTRAINED UNPREDICTABLE, and is refused. Register 31 is no conflict: as a base it
// is SP, as data XZR.
static const char *decode_imm9(uint32_t instruction, struct abort_access *access)
{
    enum imm9_mode mode = (enum imm9_mode)GET(LDST_MODE, instruction);
    int64_t offset = sign_extended(GET(LDST_IMM9, instruction), 9);
    const char *reason = decode_register(instruction, access);

    if (reason)
        return reason;
    if (mode == IMM9_UNPRIVILEGED && access->simd)
        return UNALLOCATED;
    access->address_offset = mode == IMM9_POST ? 0 : offset;
    if (mode == IMM9_POST || mode == IMM9_PRE) {
        if (!access->simd && access->base == access->reg[0] && access->base != 31)
            return UNPREDICTABLE;
        access->writeback = true;
        access->base_offset = offset;
    }
    return NULL;
}

// Register offset. The address comes from FAR_EL2 and HPFAR_EL2, so that the index is not needed. An option with its
// bit 1 clear would extend a byte or halfword index, and is unallocated.
static const char *decode_indexed(uint32_t instruction, struct abort_access *access)
{
    return GET(LDST_OPTION, instruction) & 2 ? decode_register(instruction, access) : UNALLOCATED;
}

// LDAPUR, STLUR and their byte, halfword and signed forms: acquire and release, with an immediate that does not change
// the base.
static const char *decode_ordered_imm9(uint32_t instruction, struct abort_access *access)
{
    access->acquire_release = true;
    access->address_offset = sign_extended(GET(LDST_IMM9, instruction), 9);
    return decode_register(instruction, access);
}

// LDAR, LDLAR, LDAPR, STLR, STLLR: no opc, always zero-extended
static const char *decode_ordered(uint32_t instruction, struct abort_access *access)
{
    unsigned int size = GET(LDST_SIZE, instruction);

    access->count = 1;
    access->size = (uint8_t)(1 << size);
    access->sixty_four = size == 3;
    access->reg[0] = (uint8_t)GET(LDST_RT, instruction);
    access->base = (uint8_t)GET(LDST_RN, instruction);
    access->acquire_release = true;
    access->write = !(instruction & ORDERED_L);
    return NULL;
}

// LDAPR is a load that has no L bit where LDAR has one. It is read as a LDAR.
static const char *decode_ldapr(uint32_t instruction, struct abort_access *access)
{
    return decode_ordered(instruction | (uint32_t)ORDERED_L, access);
}

// LDR (literal), LDRSW (literal). Bits 31:30, elsewhere the size, are opc here: 0 is 4 bytes, 1 is 8, and 2 is LDRSW,
// or with V a Q register. The address is relative to the PC; there is no base.
static const char *decode_literal(uint32_t instruction, struct abort_access *access)
{
    unsigned int opc = GET(LDST_SIZE, instruction);

    access->count = 1;
    access->reg[0] = (uint8_t)GET(LDST_RT, instruction);
    access->simd = instruction & LDST_SIMD;
    if (opc == 3)
        return access->simd ? UNALLOCATED : PREFETCH;
    if (access->simd) {
        access->size = (uint8_t)(4 << opc);
    } else {
        access->size = opc == 1 ? 8 : 4;
        access->sign_extend = opc == 2;
        access->sixty_four = opc != 0;
    }
    return NULL;
}

// Size and extension of a pair. For general registers, opc 0 is W, 1 is LDPSW (a store with it is STGP, which writes
// allocation tags) and 2 is X. For SIMD registers it is S, D or Q: 4, 8 or 16 bytes.
static const char *decode_pair_size(uint32_t instruction, enum pair_mode mode, struct abort_access *access)
{
    unsigned int opc = GET(LDST_SIZE, instruction);

    if (opc == 3)
        return UNALLOCATED;
    if (access->simd) {
        access->size = (uint8_t)(4 << opc);
        return NULL;
    }
    if (opc == 1 && mode == PAIR_NO_ALLOCATE)
        return UNALLOCATED;
    if (opc == 1 && access->write)
        return TAGS;
    access->size = opc == 2 ? 8 : 4;
    access->sign_extend = opc == 1;
    access->sixty_four = opc != 0;
    return NULL;
}

// LDP, STP, LDPSW, LDNP, STNP. The immediate counts registers: -1 is -8 bytes for a pair of X registers. A load of one
// register twice, and a write-back to a base that the pair moves, are CONSTRAINED UNPREDICTABLE.
static const char *decode_pair(uint32_t instruction, struct abort_access *access)
{
    enum pair_mode mode = (enum pair_mode)GET(PAIR_MODE, instruction);
    const char *reason;

    access->count = 2;
    access->simd = instruction & LDST_SIMD;
    access->write = !(instruction & PAIR_L);
    access->reg[0] = (uint8_t)GET(LDST_RT, instruction);
    access->reg[1] = (uint8_t)GET(PAIR_RT2, instruction);
    access->base = (uint8_t)GET(LDST_RN, instruction);
    reason = decode_pair_size(instruction, mode, access);
    if (reason)
        return reason;
    if (!access->write && access->reg[0] == access->reg[1])
        return UNPREDICTABLE;

    int64_t offset = sign_extended(GET(PAIR_IMM7, instruction), 7) * access->size;
    access->address_offset = mode == PAIR_POST ? 0 : offset;
    if (mode == PAIR_POST || mode == PAIR_PRE) {
        bool overlaps = access->base == access->reg[0] || access->base == access->reg[1];
        if (!access->simd && access->base != 31 && overlaps)
            return UNPREDICTABLE;
        access->writeback = true;
        access->base_offset = offset;
    }
    return NULL;
}

// A row: an instruction whose bits under mask are those of value is of this form. For example LDR X0, [X1] is
// 0xf9400020; with the mask 0x3b000000 it gives 0x39000000, the first row. Bits 31:30 (size), 26 (V) and 23:22 (opc)
// are not in that mask, so that the row stands for all widths and both directions.
struct form {
    uint32_t mask;
    uint32_t value;
    const char *(*decode)(uint32_t instruction, struct abort_access *access); // NULL, or what it is instead
    const char *reason;                                                       // when there is no decoder
};

// clang-format off
static const struct form forms[] = {
    {0x3b000000, 0x39000000, decode_register, NULL},      // unsigned immediate
    {0x3b200000, 0x38000000, decode_imm9, NULL},          // unscaled, post-index, unprivileged, pre-index
    {0x3b200c00, 0x38200800, decode_indexed, NULL},       // register offset
    {0x3a000000, 0x28000000, decode_pair, NULL},
    {0x3fa00000, 0x08800000, decode_ordered, NULL},       // LDAR, STLR, LDLAR, STLLR
    {0x3ffffc00, 0x38bfc000, decode_ldapr, NULL},
    {0x3f200c00, 0x19000000, decode_ordered_imm9, NULL},  // LDAPUR, STLUR
    {0x3b000000, 0x18000000, decode_literal, NULL},
    {0x3fa00000, 0x08a00000, NULL, "a compare and swap"},
    {0xbfa07c00, 0x08207c00, NULL, "a compare and swap of a pair"},
    {0x3f800000, 0x08000000, NULL, "an exclusive access"},
    {0x3f20fc00, 0x38208000, NULL, "an atomic swap"},
    {0xff208c00, 0xf8208000, NULL, "a 64-byte access"},
    {0x3f200c00, 0x38200000, NULL, "an atomic operation"},
    {0xff200400, 0xf8200400, NULL, "an authenticated load"},
    {0x3b200c00, 0x19000400, NULL, "a memory copy or set"},
    {0xff200000, 0xd9200000, NULL, TAGS},
    {STRUCTURE_MASK, STRUCTURE, NULL, "a SIMD structure access"},
    {0x9e000000, 0x84000000, NULL, "an SVE access"},
    {0x9e000000, 0x80000000, NULL, "an SME access"},
    {0xffffffe0, 0xd50b7420, NULL, "DC ZVA"},
    {0xffffffe0, 0xd50b7460, NULL, "DC GVA"},
    {0xffffffe0, 0xd50b7480, NULL, "DC GZVA"},
    {0xfff80000, 0xd5080000, NULL, "a system instruction"},
};
// clang-format on

// LD1 to LD4, ST1 to ST4: bytes of one element. Multiple structures have size at 11:10; single ones tell B, H, S or D
// by opcode at 15:14, and all lanes (LDnR) by size again.
static uint8_t element_size(uint32_t instruction)
{
    unsigned int size = instruction >> 10 & 3;
    unsigned int scale = instruction >> 14 & 3;

    if ((instruction & BIT64(24)) && scale < 3)
        size = scale == 2 && (size & 1) ? 3 : scale;
    return (uint8_t)(1u << size);
}

// The alignment that the access needs when the memory is of type Device. DC ZVA and its kin fault there always. A
// structure access is aligned by elements, and what cannot be emulated and has no size needs nothing.
static uint8_t alignment_of(uint32_t instruction, const struct abort_access *access)
{
    if ((instruction & DC_ZERO_MASK) == DC_ZERO)
        return ALIGNMENT_NEVER;
    if ((instruction & STRUCTURE_MASK) == STRUCTURE)
        return element_size(instruction);
    return access->size != 0 ? access->size : 1;
}

// The first form that matches decides, so a narrow form stands before a wide one that has it too. False with *reason
// when the access cannot be emulated. access->alignment is filled in then as well, since an alignment fault comes
// before a refusal.
bool abort_decode_instruction(uint32_t instruction, struct abort_access *access, const char **reason)
{
    *access = (struct abort_access){.alignment = 1};
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        const struct form *form = &forms[i];
        if ((instruction & form->mask) != form->value)
            continue;
        *reason = form->decode ? form->decode(instruction, access) : form->reason;
        access->alignment = alignment_of(instruction, access);
        return *reason == NULL;
    }
    *reason = "an instruction that is no load or store";
    return false;
}
