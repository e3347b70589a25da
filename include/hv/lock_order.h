// SPDX-License-Identifier: Apache-2.0
// The order of EL2's locks, the one place where it stands. A CPU that holds a lock may take only those that come after
// it in this table, and never a second one of the same row. A build with LOCKS=1 and the unit tests stop when this is
// not so (arch/aarch64/spinlock_checked.c, tests/fake/hv/spinlock.h).
#pragma once

// id, the lock's name in reports
#define LOCK_ORDER_TABLE(row)                                                                                          \
    row(VM_POWER, "vm power")               /* struct vm: a vCPU's step from off to on */                              \
        row(CONSOLE_INPUT, "console input") /* console/channel.c: what was typed and a guest has not read */           \
        row(UART, "uart")                   /* struct vpl011 */                                                        \
        row(RTC, "rtc")                     /* struct vpl031 */                                                        \
        row(VIRTIO, "virtio")               /* struct virtio_device */                                                 \
        row(VGIC, "vgic")                   /* struct vgic: what all vCPUs share */                                    \
        row(VGIC_CPU, "vgic cpu")           /* struct vgic_cpu: a vCPU's own interrupts */                             \
        row(STAGE2, "stage 2")              /* struct stage2: the tables of a view */                                  \
        row(POOL, "table pool")             /* struct pool: which pages are tables */                                  \
        row(LOG_LIMIT, "log limit")         /* trace/log_budget.c, trace/log_verdict.c */                              \
        row(LOG, "log")                     /* trace/log.c: numbers of records, the ring */                            \
        row(CONSOLE, "console")             /* console/line.c: the serial line */                                      \
        row(SERIAL, "serial ports")         /* drivers/virtio_serial.c: EL2's own ports */

#define LOCK_ORDER_ID(id, name) LOCK_##id,
// The rank of a lock. 0 is that of a lock that nobody gave one, which may not be taken.
enum lock_rank { LOCK_UNRANKED, LOCK_ORDER_TABLE(LOCK_ORDER_ID) LOCK_RANK_COUNT };
