// SPDX-License-Identifier: Apache-2.0
// What exits.c uses of QEMU's interface for TCG plugins ("QEMU TCG Plugins" in its manual), which QEMU exports by name.
// Debian packages no header of it. A plugin says for which version of the interface it was built, and QEMU refuses one
// that is too old for it: QEMU 10 begins with 2, QEMU 7.2 ends with 1. What is declared here is the same in versions 1
// to 4, so that tools/exits.py builds for the version that QEMU asks for. (qemu_plugin_insn_data is not the same.)
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef PLUGIN_API_VERSION
#define PLUGIN_API_VERSION 1
#endif

typedef uint64_t qemu_plugin_id_t;

struct qemu_plugin_tb;   // a translated block
struct qemu_plugin_insn; // one instruction of it

// What a callback wants of the guest's registers
enum qemu_plugin_cb_flags {
    QEMU_PLUGIN_CB_NO_REGS,
};

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*run)(unsigned int cpu, void *data),
                                          enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*run)(unsigned int cpu, void *data),
                                            enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*end)(qemu_plugin_id_t id, void *data), void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn); // in QEMU's memory; NULL for code in a device
