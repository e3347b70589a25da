// SPDX-License-Identifier: Apache-2.0
// The only header that guests share with ariel: hvc #0, x0 = number, x1-x3 arguments, result in x0 (negative is an
// error), all other registers kept. Numbers from 0x80000000 up are SMCCC (call_table.h).
#pragma once

#define HVC_GET_HV_ID           0 // result: HV_ID
#define HVC_DUMP_LOG            1 // prints the log ring on the console, when the monitor is closed; result 0
#define HVC_GET_STATUS          2 // result: traps taken by this vCPU since boot
#define HVC_PAUSE               3 // pauses the VM and opens the monitor; result 0 when resumed
#define HVC_GUEST_CONSOLE_WRITE 4 // x1 = IPA, x2 = length in bytes (0 .. HVC_CONSOLE_WRITE_MAX); result: bytes written
#define HVC_REPORT_EXCEPTION    5 // x1 = ESR_EL1, x2 = ELR_EL1, x3 = FAR_EL1: logged; result 0

#define HV_ID                 0x617269656c /* "ariel" */
#define HVC_CONSOLE_WRITE_MAX 4096

#define HVC_SUCCESS            0
#define HVC_NOT_SUPPORTED      (-1)
#define HVC_INVALID_PARAMETERS (-2)
