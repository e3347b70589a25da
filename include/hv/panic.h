// SPDX-License-Identifier: Apache-2.0
// Our own bugs. Nothing that a guest, an image or a person at the monitor sends may reach it.
#pragma once

// Prints what and where, keeps the log ring, stops the other CPUs and parks. Any CPU, any time.
_Noreturn __attribute__((format(printf, 1, 2))) void panic(const char *format, ...);
