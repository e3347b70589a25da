// SPDX-License-Identifier: Apache-2.0
// In the place of trace/log*.c but for its names: three records, the first of them with what JSON must escape.
#pragma once

#include <hv/event_key.h>
#include <hv/log.h>

struct fake_log {
    enum log_level level;
    enum log_level quiet; // of log_quieten
    unsigned int dumps;   // calls of log_dump
    unsigned int records; // calls of log_record
    uint64_t start;       // what log_start answers
    uint64_t suppressed_of_key[KEY_COUNT];
    uint64_t written_of_row;    // of the one row suppressed_row
    uint64_t suppressed_of_row; // of the one row suppressed_row
    unsigned int suppressed_row;
    uint64_t virtio_count; // requests that the same row has decided about; log_virtio_reset zeroes it
};
extern struct fake_log fake_log;
