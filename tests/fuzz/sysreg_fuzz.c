// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: any syndrome finds the row that a plain search of sysreg_table.h finds; what a read or
// write then does is what the row's columns say, whatever the CPU has and answers; an ID register never shows what is
// hidden. The world is that of its unit test.

#define main unit_main
#include "../unit/sysreg_test.c"
#undef main

#include <fuzz.h>

static unsigned int search(uint32_t syndrome)
{
    uint64_t op0 = syndrome >> 20 & 3, op2 = syndrome >> 17 & 7, op1 = syndrome >> 14 & 7, crn = syndrome >> 10 & 15,
             crm = syndrome >> 1 & 15;

    for (unsigned int i = 0; i < COUNT; i++)
        if (rows[i].op0 == op0 && rows[i].op1 == op1 && rows[i].crn == crn && rows[i].crm == crm && rows[i].op2 == op2)
            return i;
    return COUNT;
}

static bool is_kind(unsigned int row, const char *kind)
{
    return strcmp(rows[row].kind, kind) == 0;
}

// Through the hardware's own register.
static bool is_passed(unsigned int row, bool write)
{
    return is_kind(row, "HW") || (is_kind(row, "OSLOCK") && !vcpu.step_owned) ||
           (is_kind(row, "MDSCR") && !vcpu.step_owned) || (is_kind(row, "WI") && !write) ||
           (is_kind(row, "SET_WAY") && write);
}

static void check_read(unsigned int row, enum trap_result result, uint64_t value)
{
    bool allowed = strchr(rows[row].access, 'R') != NULL && strcmp(rows[row].access, "WO") != 0;

    if (allowed && is_kind(row, "OSLOCK") && vcpu.step_owned) { // the hardware's but for the lock
        fuzz_check(result == (absent[row] ? TRAP_INJECT_UNDEF : TRAP_DONE));
        fuzz_check(absent[row] || value == ((hardware[row] & ~UINT64_C(2)) | (vcpu.guest_os_lock ? 2 : 0)));
        return;
    }

    if (allowed && is_passed(row, false)) {
        fuzz_check(result == (absent[row] ? TRAP_INJECT_UNDEF : TRAP_DONE));
        fuzz_check(absent[row] || value == hardware[row]);
        return;
    }
    bool done = allowed && (is_kind(row, "ID") || is_kind(row, "DIDR") || is_kind(row, "RAZ") ||
                            is_kind(row, "TIMER") || is_kind(row, "MDSCR"));
    fuzz_check(result == (done ? TRAP_DONE : TRAP_INJECT_UNDEF));
    fuzz_check(reads == 0);
    if (done && is_kind(row, "RAZ"))
        fuzz_check(value == 0);
    else if (done && is_kind(row, "MDSCR"))
        fuzz_check(value == vcpu.guest_mdscr);
    else if (done && is_kind(row, "TIMER"))
        fuzz_check(value >= 0x7100 && value < 0x7104);
}

static void check_write(unsigned int row, enum trap_result result, uint64_t value)
{
    bool allowed = strcmp(rows[row].access, "RO") != 0;

    if (allowed && is_passed(row, true)) {
        unsigned int key = is_kind(row, "SET_WAY") ? KEY_DC_CISW : KEY_SYSREG_FIRST + row;
        fuzz_check(writes == 1 && last_written == key && last_value == value);
        fuzz_check(result == (absent[key - KEY_SYSREG_FIRST] ? TRAP_INJECT_UNDEF : TRAP_DONE));
    } else if (allowed && is_kind(row, "VA")) {
        uint64_t pa = (par & GENMASK64(47, 12)) | (value & 0xfff); // no stage 2 of ariel's leads above 48 bits
        bool reaches = !(par & 1) && pa >= GUEST_RAM_PA && pa < GUEST_RAM_PA + (uint64_t)GUEST_RAM_SIZE;
        fuzz_check(writes <= 1 && (writes == 0 || last_written == KEY_IC_IALLUIS || (reaches && last_value == pa)));
        fuzz_check(writes == 0 || last_written != KEY_DC_IVAC);
    } else {
        bool done =
            allowed && (is_kind(row, "RAZ") || is_kind(row, "WI") || is_kind(row, "TIMER") || is_kind(row, "DIR") ||
                        is_kind(row, "SGI") || is_kind(row, "MDSCR") || is_kind(row, "OSLOCK"));
        fuzz_check(result == (done ? TRAP_DONE : TRAP_INJECT_UNDEF));
        fuzz_check(writes == 0);
        fuzz_check(!done || !is_kind(row, "MDSCR") || vcpu.guest_mdscr == value);
        fuzz_check((sgi == value + 1) == (done && KEY_SYSREG_FIRST + row == KEY_ICC_SGI1R_EL1) || value + 1 == 0);
    }
}

static void access_register(struct fuzz_input *input)
{
    uint32_t syndrome = (uint32_t)fuzz_take(input, 4);
    unsigned int row = fuzz_below(input, COUNT + 16);

    if (row < COUNT) // mostly one that there is
        syndrome = (syndrome & 0xffc003e1) | (uint32_t)(rows[row].op0 << 20 | rows[row].op2 << 17 |
                                                        rows[row].op1 << 14 | rows[row].crn << 10 | rows[row].crm << 1);
    row = search(syndrome);
    unsigned int key = sysreg_key(syndrome);
    fuzz_check(key == KEY_SYSREG_FIRST + row);
    struct event event = {.key = (uint16_t)key, .write = !(syndrome & 1), .value = fuzz_take(input, 8)};
    uint64_t written = event.value;
    reads = writes = 0;
    sgi = 0;
    enum trap_result result = sysreg_emulate(&vcpu, &event);
    if (sgi != 0 || (event.write && key == KEY_ICC_SGI1R_EL1))
        sgi++;
    if (row == COUNT)
        fuzz_check(result == TRAP_INJECT_UNDEF && reads + writes == 0);
    else if (event.write)
        check_write(row, result, written);
    else
        check_read(row, result, event.value);
    char name[24];
    sysreg_encoded_name(syndrome, name, sizeof(name));
    fuzz_check((name[0] == 'S' || name[0] == 'C') && strlen(name) < sizeof(name));
}

#define ID_FIELD(n) (UINT64_C(0xf) << (n))

// All that may show: EL0, EL1 = 1, FP, AdvSIMD, GIC = 1, DIT, CSV2, CSV3; BT, SSBS; DebugVer, BRPs, WRPs, CTX_CMPs,
// DoubleLock. So no EL2, EL3, RAS, SVE, MPAM, AMU, RME, SME, MTE, PMU, trace, SPE.
static void check_hidden(void)
{
    uint64_t pfr0 = vm.id_value[KEY_ID_AA64PFR0_EL1 - KEY_SYSREG_FIRST];
    uint64_t pfr1 = vm.id_value[KEY_ID_AA64PFR1_EL1 - KEY_SYSREG_FIRST];
    uint64_t dfr0 = vm.id_value[KEY_ID_AA64DFR0_EL1 - KEY_SYSREG_FIRST];
    uint64_t cpu = ID_FIELD(0) | ID_FIELD(16) | ID_FIELD(20) | ID_FIELD(48) | ID_FIELD(56) | ID_FIELD(60);
    uint64_t debug = ID_FIELD(0) | ID_FIELD(12) | ID_FIELD(20) | ID_FIELD(28) | ID_FIELD(36);

    fuzz_check((pfr0 & ~cpu) == (absent[KEY_ID_AA64PFR0_EL1 - KEY_SYSREG_FIRST] ? 0 : 0x01000010));
    fuzz_check((pfr0 >> 56 & 0xf) <= 1);
    fuzz_check((pfr1 & ~(ID_FIELD(0) | ID_FIELD(4))) == 0);
    fuzz_check((dfr0 & ~debug) == 0 && (dfr0 & 0xf) <= 8);
    for (unsigned int i = 0; i < COUNT; i++)
        fuzz_check(is_kind(i, "ID") || vm.id_value[i] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint64_t seed = fuzz_take(&input, 8);

    prepare(NULL);
    for (unsigned int i = 0; i < COUNT; i++) {
        hardware[i] = seed * (2 * i + 1) ^ seed << i % 61;
        absent[i] = (seed >> i % 53 & 7) == 7;
    }
    memset(vm.id_value, 0, sizeof(vm.id_value));
    sysreg_init(&vm);
    check_hidden();
    while (input.size > 0) {
        unsigned int setting = fuzz_below(&input, 256);
        vcpu.step_owned = setting & 1;
        vcpu.guest_mdscr = setting;
        frame.spsr_el2 = setting & 2 ? 5 : 0;
        par = setting & 4 ? fuzz_take(&input, 8) : GUEST_RAM_PA + (setting >> 3 << 12);
        access_register(&input);
    }
    return 0;
}
