// SPDX-License-Identifier: Apache-2.0
// The Tab key.
#pragma once

struct monitor_line;

// Completes the word before the cursor of line as far as it can go on in one way only, or lists on the console what it
// may become. The line and its cursor are changed; drawing it again is the caller's.
void monitor_complete(struct monitor_line *line);
