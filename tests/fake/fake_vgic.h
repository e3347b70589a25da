// SPDX-License-Identifier: Apache-2.0
// vdev/vgic/ for tests of one device: its interrupt's line, and whether it is moved as the device may move it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/vgic.h>
#include <hv/vm.h>

struct fake_vgic {
    const struct vm *vm; // whose device it is, on vCPU 0
    unsigned int intid;  // of its line
    bool edges_only;     // it sets the line only to what the line is not
    bool level;
    unsigned int changes;   // calls of vgic_set_line
    unsigned int forwarded; // the last INTID of vgic_forward
};
__attribute__((weak)) struct fake_vgic fake_vgic;

__attribute__((weak)) enum hv_status vgic_set_line(struct vm *vm, unsigned int vcpu_id, unsigned int intid, bool level)
{
    assert_ptr_equal(vm, fake_vgic.vm);
    assert_int_equal(vcpu_id, 0);
    assert_int_equal(intid, fake_vgic.intid);
    assert_true(level != fake_vgic.level || !fake_vgic.edges_only);
    fake_vgic.level = level;
    fake_vgic.changes++;
    return HV_OK;
}

__attribute__((weak)) void vgic_forward(struct vcpu *vcpu, unsigned int intid)
{
    assert_ptr_equal(vcpu->vm, fake_vgic.vm);
    fake_vgic.forwarded = intid;
}
