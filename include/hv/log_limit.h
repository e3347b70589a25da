// SPDX-License-Identifier: Apache-2.0
// How many records a second a guest may provoke where no policy row limits it (log_verdict does that for rows).
#pragma once

#include <hv/arch/registers.h>
#include <hv/types.h>

#define LOG_LIMIT_PER_SECOND 10

// One kind of record of one CPU; used by that CPU only, zero at first.
struct log_limit {
    uint64_t second; // CNTPCT_EL0 when the present second began
    uint32_t records;
    uint32_t held;
};

// Whether the record may be written now. It carries held=, the number of those before it that might not:
// log_limit_take.
static inline bool log_limit_allows(struct log_limit *limit, uint64_t now)
{
    if (now - limit->second >= READ_SYSREG(CNTFRQ_EL0)) {
        limit->second = now;
        limit->records = 0;
    }
    if (limit->records < LOG_LIMIT_PER_SECOND) {
        limit->records++;
        return true;
    }
    limit->held++;
    return false;
}

static inline uint32_t log_limit_take(struct log_limit *limit)
{
    uint32_t held = limit->held;
    limit->held = 0;
    return held;
}
