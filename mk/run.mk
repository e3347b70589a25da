# SPDX-License-Identifier: Apache-2.0
# Booting the hypervisor in QEMU.

## CPUs for `make run`, 1 to 8
SMP ?= 1
## memory for `make run`, 800M or more
MEM ?= 1G
## CPU model for `make run`
CPU ?= cortex-a57
## more arguments for QEMU
QEMU_EXTRA ?=

RUN = $(PYTHON) scripts/run.py --elf $(BUILD)/hypervisor.elf --smp '$(SMP)' --mem '$(MEM)' --cpu '$(CPU)'

## boots it: Ctrl-] opens the monitor, Ctrl-A x ends QEMU
.PHONY: run
run:
	$(Q)scripts/bootstrap build run
	$(Q)$(RUN) --check
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(RUN) --extra '$(QEMU_EXTRA)'

## boots it stopped, waiting for gdb on port 1234
.PHONY: debug
debug: override QEMU_EXTRA += -s -S
debug: run

## table or json, for `make bench`
FORMAT ?= table

## counts instructions per operation (QEMU -icount) and holds them to their budgets
.PHONY: bench
bench: all
	$(Q)scripts/bootstrap run test
	$(Q)$(PYTHON) tools/bench.py --elf $(BUILD)/hypervisor.elf --cpu $(CPU) --format $(FORMAT)
