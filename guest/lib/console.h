// SPDX-License-Identifier: Apache-2.0
// The guest at rest: echoes what is typed and runs tests by name. Sleeps in WFI; the UART's interrupt wakes it.
#pragma once

_Noreturn void console_run(void);
