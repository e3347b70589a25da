// SPDX-License-Identifier: Apache-2.0
// The interrupts of EL2's that stand behind a guest's timers and its virtual GIC.
#pragma once

// Registers their handlers (irq.h). Once, on the boot CPU, before a guest runs.
void vdev_register_interrupts(void);
