// SPDX-License-Identifier: Apache-2.0
// Host accesses in place of include/hv/arch/guarded.h. fake_guarded_fault names one byte that does not answer;
// fake_guarded_device, when it is set, stands behind every device access.
#pragma once

#include <fake_trace.h>
#include <hv/types.h>

__attribute__((weak)) const void *fake_guarded_fault;
__attribute__((weak)) bool (*fake_guarded_device)(pa_t pa, unsigned int size, bool write, uint64_t *value);

// How many of size bytes at pointer answer.
static inline uint64_t fake_guarded_limit(const void *pointer, uint64_t size)
{
    uint64_t offset = (uintptr_t)fake_guarded_fault - (uintptr_t)pointer;

    return fake_guarded_fault != NULL && offset < size ? offset : size;
}

static inline uint64_t guarded_copy(void *to, const void *from, uint64_t size)
{
    uint64_t count = fake_guarded_limit(to, fake_guarded_limit(from, size));

    memcpy(to, from, count);
    return size - count;
}

static inline bool guarded_device_read(pa_t pa, unsigned int size, uint64_t *value)
{
    uint64_t read = 0;

    if (fake_guarded_device != NULL)
        return fake_guarded_device(pa, size, false, value);
    if (guarded_copy(&read, (const void *)(uintptr_t)pa.v, size) != 0)
        return false;
    *value = read;
    return true;
}

static inline bool guarded_device_write(pa_t pa, unsigned int size, uint64_t value)
{
    if (fake_guarded_device != NULL)
        return fake_guarded_device(pa, size, true, &value);
    return guarded_copy((void *)(uintptr_t)pa.v, &value, size) == 0;
}
