// SPDX-License-Identifier: Apache-2.0
// Every form of access, assembled once: `instruction; ret`, executed by a call, so that any CPU can run any form
// without patching code.
#include "hostile.h"

// clang-format off
// Rt = x2 or v2, address in x1, offset or second operand in x3. Behind .inst, by size where there are several: LSE's
// loads and swaps, CAS, CASP, LDAPR, LDAPUR, STLUR, LDLAR, STLLR, LD64B, ST64B, LDRAA, MTE, SVE, DC CVAP and GVA.
__asm__(".pushsection .text.forms, \"ax\"\n"
        ".arch_extension fp\n .arch_extension simd\n .balign 8\n"
        ".macro form text:vararg\n \\text\n ret\n .endm\n"
        ".global form_load\nform_load:\n"
        "form ldrb w2, [x1]\n form ldrh w2, [x1]\n form ldr w2, [x1]\n form ldr x2, [x1]\n"
        ".global form_store\nform_store:\n"
        "form strb w2, [x1]\n form strh w2, [x1]\n form str w2, [x1]\n form str x2, [x1]\n"
        ".global forms_start\nforms_start:\n"
        "form ldrb w2, [x1]\n form ldrh w2, [x1]\n form ldr w2, [x1]\n form ldr x2, [x1]\n"
        "form strb w2, [x1]\n form strh w2, [x1]\n form str w2, [x1]\n form str x2, [x1]\n"
        "form ldrsb x2, [x1]\n form ldrsb w2, [x1]\n form ldrsh w2, [x1]\n form ldrsh x2, [x1]\n form ldrsw x2, [x1]\n"
        "form str wzr, [x1]\n form ldr xzr, [x1]\n form ldr w2, [x1], #4\n form ldr x2, [x1, #8]!\n"
        "form str w2, [x1], #-4\n form strb w2, [x1, #1]!\n form str x2, [x1, #-256]!\n form ldrsw x2, [x1], #255\n"
        "form ldur x2, [x1, #-1]\n form stur w2, [x1, #3]\n form ldtr x2, [x1]\n form ldtrb w2, [x1]\n"
        "form ldtrsw x2, [x1]\n form sttr w2, [x1]\n form sttrh w2, [x1]\n form ldr w2, [x1, x3]\n"
        "form str x2, [x1, w3, uxtw #3]\n form ldr x2, [x1, x3, sxtx #3]\n"
        "form ldp w2, w4, [x1]\n form ldp x2, x4, [x1]\n form stp w2, w4, [x1]\n form stp x2, x4, [x1], #16\n"
        "form ldpsw x2, x4, [x1]\n form ldp x2, x4, [x1, #-512]!\n form stp xzr, xzr, [x1, #8]\n"
        "form ldnp x2, x4, [x1]\n form stnp w2, w4, [x1]\n"
        "form ldar x2, [x1]\n form ldarb w2, [x1]\n form ldarh w2, [x1]\n form stlr w2, [x1]\n form stlrh w2, [x1]\n"
        "form ldxr x2, [x1]\n form ldxrb w2, [x1]\n form ldaxr w2, [x1]\n form stxr w4, x2, [x1]\n"
        "form stlxrh w4, w2, [x1]\n form ldxp w2, w4, [x1]\n form ldaxp x2, x4, [x1]\n form stxp w5, w2, w4, [x1]\n"
        "form stlxp w5, x2, x4, [x1]\n"
        "form ldr b2, [x1]\n form ldr h2, [x1]\n form ldr s2, [x1]\n form ldr d2, [x1]\n form ldr q2, [x1]\n"
        "form str b2, [x1]\n form str h2, [x1]\n form str s2, [x1]\n form str d2, [x1]\n form str q2, [x1]\n"
        "form ldur q2, [x1, #-3]\n form str q2, [x1], #16\n form ldr d2, [x1, #8]!\n form ldr q2, [x1, x3, lsl #4]\n"
        "form ldp s2, s4, [x1]\n form ldp d2, d4, [x1]\n form stp q2, q4, [x1]\n form ldp q2, q4, [x1], #32\n"
        "form ldnp q2, q4, [x1]\n form stnp d2, d4, [x1, #-512]\n"
        "form ld1 {v2.16b}, [x1]\n form ld1 {v2.2s-v5.2s}, [x1]\n form ld2 {v2.8h, v3.8h}, [x1]\n"
        "form ld3 {v2.4s-v4.4s}, [x1], #48\n form ld4 {v2.2d-v5.2d}, [x1], x3\n form st1 {v2.16b}, [x1]\n"
        "form st2 {v2.16b, v3.16b}, [x1]\n form st3 {v2.4s-v4.4s}, [x1]\n form st4 {v2.8b-v5.8b}, [x1], #32\n"
        "form ld1r {v2.2d}, [x1]\n form ld4r {v2.4s-v5.4s}, [x1]\n form ld1 {v2.b}[3], [x1]\n"
        "form ld2 {v2.d, v3.d}[1], [x1]\n form st1 {v2.h}[5], [x1]\n form st4 {v2.s-v5.s}[2], [x1]\n"
        ".irp size, 0, 1, 2, 3\n"
        ".irp op, 0, 1, 2, 3, 4, 5, 6, 7, 8\n form .inst (\\size << 30) | 0x38e20022 | (\\op << 12)\n .endr\n"
        "form .inst (\\size << 30) | 0x3822003f\n form .inst (\\size << 30) | 0x08e2fc24\n"
        "form .inst (\\size << 30) | 0x38bfc022\n form .inst (\\size << 30) | 0x19400022\n"
        "form .inst (\\size << 30) | 0x19000022\n form .inst (\\size << 30) | 0x08df7c22\n"
        "form .inst (\\size << 30) | 0x089f7c22\n"
        ".endr\n"
        "form .inst 0x08227c24\n form .inst 0x48627c24\n form .inst 0xf83fd020\n form .inst 0xf83f9020\n"
        "form .inst 0xf83fb020\n form .inst 0xf8200422\n form .inst 0xf8a00c22\n form .inst 0xd9200822\n"
        "form .inst 0xd9600022\n form .inst 0xd9a00822\n form .inst 0x69000822\n form .inst 0x85804022\n"
        "form .inst 0xe5804022\n form .inst 0xa400a022\n form .inst 0xd50b7c21\n form .inst 0xd50b7d21\n"
        "form .inst 0xd50b7461\n form .inst 0xd50b7481\n form .inst 0xd5087901\n form .inst 0xd5087921\n"
        "form prfm pldl1keep, [x1]\n form prfm pstl3strm, [x1]\n form prfm #31, [x1]\n form prfum plil2keep, [x1, #-7]\n"
        "form dc civac, x1\n form dc cvac, x1\n form dc ivac, x1\n form dc cvau, x1\n form dc zva, x1\n"
        "form ic ivau, x1\n form dc isw, x1\n form dc csw, x1\n form dc cisw, x1\n form tlbi vae1is, x1\n"
        "form at s1e1r, x1\n form at s1e1w, x1\n form at s1e0r, x1\n form at s1e0w, x1\n"
        ".global forms_end\nforms_end:\n"
        // uint64_t form_call(uint64_t x[8], const struct form *form); form may be in memory that cannot be fetched from
        ".global form_call\nform_call:\n"
        "stp x29, x30, [sp, #-32]!\n str x0, [sp, #16]\n mov x16, x1\n"
        "ldp x2, x3, [x0, #16]\n ldp x4, x5, [x0, #32]\n ldp x6, x7, [x0, #48]\n ldp x0, x1, [x0]\n"
        "blr x16\n"
        "ldr x16, [sp, #16]\n"
        "stp x0, x1, [x16]\n stp x2, x3, [x16, #16]\n stp x4, x5, [x16, #32]\n stp x6, x7, [x16, #48]\n"
        "ldp x29, x30, [sp], #32\n ret\n"
        ".popsection\n");
// clang-format on

extern const struct form forms_start[], forms_end[];
void form_call(uint64_t x[8], const struct form *form);

const struct form *random_form(void)
{
    return &forms_start[random_below((uint64_t)(forms_end - forms_start))];
}

struct exception form_run(const struct form *form, uint64_t x[8])
{
    exception_expect();
    form_call(x, form);
    struct exception e = exception_end();
    exception_expect(); // what comes between two attacks is nobody's surprise
    return e;
}

void form_attack(const struct form *form, uint64_t address, bool (*allowed)(const struct exception *e))
{
    uint64_t data = random_next();
    uint32_t instruction = form->instruction; // which may soon be another one
    uint64_t before[8] = {data, address, ~data, 0, data << 1, data << 2, data >> 3, data * 5};
    uint64_t after[8];
    bool same = true;

    for (unsigned int i = 0; i < 8; i++)
        after[i] = before[i];
    struct exception e = form_run(form, after);
    // A fetch that failed was that of the access, or the one behind it, when the access was done.
    bool done = e.taken == 0 || e.ec == EC_IABT;
    for (unsigned int i = 0; i < 8; i++)
        same &= after[i] == before[i] || (done && i >= 1 && i <= 5);
    account(allowed(&e), "an access", instruction, address, e.esr);
    if (!same)
        account(false, "an access changes other registers", instruction, address, e.esr);
}
