# SPDX-License-Identifier: Apache-2.0
# Booting the hypervisor in QEMU.

## CPUs for `make run`, 1 to 8
SMP ?= 1
## memory for `make run`, 800M or more
MEM ?= 1G
ifeq ($(PLATFORM),versal)
CPU ?= cortex-a72
endif
## CPU model for `make run`
CPU ?= cortex-a57
## more arguments for QEMU
QEMU_EXTRA ?=
## raw: what the guest prints reaches the terminal as it is, also what acts on it (filtered)
CONSOLE ?= filtered
## the monitor for programs, at a socket: unix:path, or tcp:port on 127.0.0.1 (docs/MONITOR.md)
MONITOR ?=
## a file for the log's records, which then are not between the guest's lines
LOG ?=
## a file for the binary trace of every exit
TRACE ?=

# What may begin with a dash is one word with its option.
MACHINE = --smp=$(call quote,$(SMP)) --mem=$(call quote,$(MEM)) --cpu=$(call quote,$(CPU))
CHANNELS = --monitor=$(call quote,$(MONITOR)) --log=$(call quote,$(LOG)) --trace=$(call quote,$(TRACE))
EXTRA = --extra=$(call quote,$(QEMU_EXTRA)) $(CHANNELS) --console=$(call quote,$(CONSOLE))
RUN = $(PYTHON) scripts/run.py --elf $(BUILD)/hypervisor.elf --platform=$(PLATFORM) $(MACHINE) $(EXTRA)

# A guest of one's own: Image, initrd and device tree are made and checked by tools/run_linux.py.
## names of the guest's functions in the monitor: 0 for none, or System.map or vmlinux; none: the kernel or program has them
SYMBOLS ?=
# Without SEED= a guest gets fresh randomness: the 1 of verify.mk is for tests.
SEED_ARGUMENT = $(if $(filter-out file undefined,$(origin SEED)),--seed=$(call quote,$(SEED)))
RUN_GUEST = $(PYTHON) tools/run_linux.py --platform=$(PLATFORM) $(MACHINE) $(EXTRA) --cc '$(HOSTCC)' \
            --symbols=$(call quote,$(SYMBOLS)) $(SEED_ARGUMENT) \
            --dtb=$(call quote,$(LINUX_DTB)) $(DEVICE_ARGUMENTS) --elf $(1)/hypervisor.elf --policy $(call quote,$(2))

## disks of the guest: raw and qcow2 images, with blanks between; image,ro can only be read
DISK ?=
## user: a network inside QEMU; user,hostfwd=tcp:127.0.0.1:2222-:22 leads a port of this machine into the guest
NET ?=
## a folder of this machine that the guest can mount: mount -t 9p -o trans=virtio share /mnt; folder,ro
SHARE ?=
## 1: the guest has a source of random numbers
RNG ?=
DEVICE_ARGUMENTS = --disk=$(call quote,$(DISK)) --net=$(call quote,$(NET)) --share=$(call quote,$(SHARE)) --rng=$(call quote,$(RNG))

## a program or firmware at EL1 for `make run`, with POLICY=firmware by default: an Image, an ELF file or a flat binary
GUEST ?=
## its arguments, in /chosen/bootargs of the device tree that x0 points at
GUEST_ARGS ?=
## where a flat binary goes and is entered (0x40080000), or a program that can stand anywhere
GUEST_ADDR ?=
## more files for the guest's memory, also for Linux: path@IPA, several with blanks between
GUEST_FILE ?=

# $(call policy_or,name): the policy that was asked for, else this one; $(call policy_build,policy): a folder of
# its own for what is linked with it, whose name make takes whatever the policy's path is
policy_or = $(if $(filter file,$(origin POLICY)),$(1),$(POLICY))
policy_build = $(BUILD)/policy-$(shell basename -- $(call quote,$(1)) .toml | LC_ALL=C sed 's/[^A-Za-z0-9._+@-]/_/g')

# A program has the policy for firmware unless another one is asked for.
GUEST_POLICY = $(call policy_or,firmware)
GUEST_BUILD = $(call policy_build,$(GUEST_POLICY))
RUN_PROGRAM = $(call RUN_GUEST,$(GUEST_BUILD),$(call policy_path,$(GUEST_POLICY))) --folder $(BUILD)/program \
              --program=$(call quote,$(GUEST)) --cmdline=$(call quote,$(GUEST_ARGS)) \
              --address=$(call quote,$(GUEST_ADDR)) --file=$(call quote,$(GUEST_FILE)) --initrd=$(call quote,$(LINUX_INITRD))
RUN_CHOSEN = $(if $(GUEST),$(RUN_PROGRAM),$(RUN))
RUN_BUILD = $(if $(GUEST),OBJECTS=$(BUILD) BUILD=$(GUEST_BUILD) POLICY=$(call make_word,$(GUEST_POLICY)))

## boots it: Ctrl-] opens the monitor, Ctrl-A x ends QEMU
.PHONY: run
run:
	$(Q)scripts/bootstrap build run $(if $(GUEST),linux)
	$(Q)$(RUN_CHOSEN) --check
	$(Q)$(MAKE) $(JOBS) --no-print-directory $(RUN_BUILD) all
	$(Q)$(RUN_CHOSEN)

# ---- Linux -----------------------------------------------------------------------------------------------------------

## a kernel for `make run-linux`: Image, plain, compressed or EFI zboot; none: Debian's installer is fetched
LINUX_IMAGE ?=
## its initrd
LINUX_INITRD ?=
## the machine's device tree, which is only read; none: it is dumped from the machine
LINUX_DTB ?=
## the kernel's arguments; none: those of the device tree, or console=ttyAMA0
LINUX_CMDLINE ?=

# So has Linux.
LINUX_POLICY = $(call policy_or,linux)
LINUX_POLICY_FILE = $(call policy_path,$(LINUX_POLICY))
LINUX_BUILD = $(call policy_build,$(LINUX_POLICY))
LINUX_ARGUMENTS = $(if $(LINUX_CMDLINE),--cmdline=$(call quote,$(LINUX_CMDLINE)))
RUN_LINUX = $(call RUN_GUEST,$(LINUX_BUILD),$(LINUX_POLICY_FILE)) --folder $(BUILD)/linux $(LINUX_ARGUMENTS) \
            --image=$(call quote,$(LINUX_IMAGE)) --initrd=$(call quote,$(LINUX_INITRD)) --file=$(call quote,$(GUEST_FILE))

## boots Linux under it, with POLICY=linux by default: LINUX_IMAGE, LINUX_INITRD, LINUX_DTB, LINUX_CMDLINE
.PHONY: run-linux
run-linux:
	$(Q)scripts/bootstrap build run linux
	$(Q)$(RUN_LINUX) --check
	$(Q)$(MAKE) $(JOBS) --no-print-directory OBJECTS=$(BUILD) BUILD=$(LINUX_BUILD) POLICY=$(call make_word,$(LINUX_POLICY)) all
	$(Q)$(RUN_LINUX)

## `make disk`: the folder that the disk is made of
ROOT ?=
## `make disk`: how large the disk is
SIZE ?= 1G
## `make disk`: the image
OUT ?= $(BUILD)/disk.img

## a Linux that drives all that DISK=, NET=, SHARE= and RNG= give, for a shell: build/shell/Image and initrd.gz, fetched once
.PHONY: shell
shell:
	$(Q)scripts/bootstrap build linux
	$(Q)$(PYTHON) tools/shell_initrd.py --folder=$(BUILD)/shell

## an ext4 image of a folder for DISK=, without root: ROOT=some/folder SIZE=1G OUT=build/disk.img
.PHONY: disk
disk:
	$(Q)scripts/bootstrap disk
	$(Q)$(PYTHON) tools/make_disk.py --root=$(call quote,$(ROOT)) --size=$(call quote,$(SIZE)) --out=$(call quote,$(OUT))

# A variable that the goal would not read is said, not ignored. $(call unread,goals,variables,why)
unread = $(if $(filter $(1),$(MAKECMDGOALS)),$(foreach name,$(2),$(if $($(name)),$(error $(name)=$($(name)): $(3)))))
ifeq ($(GUEST),)
$(call unread,run debug,GUEST_ARGS GUEST_ADDR GUEST_FILE SYMBOLS,`make run` reads it with GUEST=<program> only)
$(call unread,run debug,DISK NET SHARE RNG,the diagnostic guest drives no such device; give it to `make run-linux` or with GUEST=<program>)
$(call unread,run debug,LINUX_IMAGE LINUX_INITRD LINUX_DTB LINUX_CMDLINE,`make run` boots the diagnostic guest; give it to `make run-linux`)
$(if $(filter command,$(origin SEED)),$(call unread,run debug,SEED,the diagnostic guest has no randomness; give it to `make run-linux` or with GUEST=<program>))
else
$(call unread,run debug,LINUX_IMAGE LINUX_CMDLINE,the guest is GUEST=$(GUEST) and its arguments are GUEST_ARGS=)
endif
$(call unread,run-linux dtb-show,GUEST GUEST_ARGS GUEST_ADDR,it is for `make run`; a kernel is LINUX_IMAGE= and its arguments are LINUX_CMDLINE=)

## prints platform/<board>.h of a board that QEMU has, made from its device tree
.PHONY: platform-table
platform-table:
	$(Q)scripts/bootstrap run linux
	$(Q)$(PYTHON) tools/platform_table.py --board $(PLATFORM)

## prints the device tree that `make run-linux` gives its guest
.PHONY: dtb-show
dtb-show:
	$(Q)scripts/bootstrap build run linux
	$(Q)$(PYTHON) tools/guest_dtb.py $(MACHINE) $(DEVICE_ARGUMENTS) --extra=$(call quote,$(QEMU_EXTRA)) --cc '$(HOSTCC)' --show \
	    --policy $(call quote,$(LINUX_POLICY_FILE)) --dtb=$(call quote,$(LINUX_DTB)) $(LINUX_ARGUMENTS) $(SEED_ARGUMENT) \
	    --initrd=$(call quote,$(LINUX_INITRD))

## boots it stopped, waiting for gdb on port 1234 of 127.0.0.1
.PHONY: debug
debug: override QEMU_EXTRA += -gdb tcp:127.0.0.1:1234 -S
debug: run

## seconds from a clean clone of HEAD to the guest's first line under `make run`
.PHONY: time-to-guest
time-to-guest:
	$(Q)scripts/first_line_time

## seconds from a changed policy to the guest's first line under `make run`
.PHONY: time-to-policy
time-to-policy:
	$(Q)scripts/first_line_time --policy

## table or json, for `make bench`
FORMAT ?= table

## `make bench`: 1: with a disk and a network device in the machine, which nobody uses
DEVICES ?=

## counts instructions per operation (QEMU -icount), holds them to their budgets, and times exits
.PHONY: bench
bench: all
	$(Q)scripts/bootstrap run test
	$(Q)$(PYTHON) tools/bench.py --elf $(BUILD)/hypervisor.elf --guest $(BUILD)/bench.bin --cpu=$(call quote,$(CPU)) \
	    --format $(FORMAT) --scaling --wall $(if $(filter-out 0,$(DEVICES)),--devices)

## where the instructions of an exit go, by function
.PHONY: bench-phases
bench-phases: all
	$(Q)scripts/bootstrap run test
	$(Q)$(PYTHON) tools/bench_phases.py --elf $(BUILD)/hypervisor.elf --guest $(BUILD)/bench.bin --cpu=$(call quote,$(CPU)) \
	    --cc $(HOSTCC) --format $(FORMAT)

## pairs for the wall times of `make bench-linux`, `bench-virtio` and `bench-trace`; 0: instructions alone
PAIRS ?= 5

## Linux under it and without it, 1 and 4 CPUs: wall time, instructions and exits by cause, held to budgets
.PHONY: bench-linux
bench-linux:
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(MAKE) $(JOBS) --no-print-directory OBJECTS=$(BUILD) BUILD=$(LINUX_BUILD) POLICY=$(call make_word,$(LINUX_POLICY)) all
	$(Q)$(PYTHON) tools/bench_linux.py --elf $(LINUX_BUILD)/hypervisor.elf --folder $(BUILD)/bench-linux --cpu=$(call quote,$(CPU)) \
	    --policy $(call quote,$(LINUX_POLICY_FILE)) --pairs $(PAIRS) --cc $(HOSTCC) --format $(FORMAT)

## records of the traces that `make bench-trace-tools` makes and reads, several numbers in quotes; a million are 128 MB
TRACE_RECORDS ?= 10000000

## the tools for traces: records a second and memory, of every command and export
.PHONY: bench-trace-tools
bench-trace-tools:
	$(Q)scripts/bootstrap test
	$(Q)$(PYTHON) tools/bench_trace.py --folder $(BUILD)/bench-trace --records $(TRACE_RECORDS)

## virtio disks and networks under it and without it: EL2's instructions of a request, held to budgets; speeds, also Linux's
.PHONY: bench-virtio
bench-virtio: $(BUILD)/block.bin
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(MAKE) $(JOBS) --no-print-directory OBJECTS=$(BUILD) BUILD=$(LINUX_BUILD) POLICY=$(call make_word,$(LINUX_POLICY)) all
	$(Q)$(PYTHON) tools/bench_virtio.py --elf $(LINUX_BUILD)/hypervisor.elf --guest $(BUILD)/block.bin \
	    --folder $(BUILD)/bench-virtio --cpu=$(call quote,$(CPU)) --policy $(call quote,$(LINUX_POLICY_FILE)) --pairs $(PAIRS) \
	    --cc $(HOSTCC) --format $(FORMAT)

# What the trace is measured with: a policy of its own for Linux, and the default one for the guest that only traps.
OBSERVE_BUILD = $(call policy_build,linux-observe)

## what the trace costs that goes to a file: instructions of an exit, records a second, Linux on 4 CPUs with it and without
.PHONY: bench-trace
bench-trace: all
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(MAKE) $(JOBS) --no-print-directory OBJECTS=$(BUILD) BUILD=$(OBSERVE_BUILD) POLICY=linux-observe all
	$(Q)$(PYTHON) tools/bench_trace_file.py --elf $(OBSERVE_BUILD)/hypervisor.elf --bench-elf $(BUILD)/hypervisor.elf \
	    --guest $(BUILD)/bench.bin --folder $(BUILD)/bench-trace-file --cpu=$(call quote,$(CPU)) --pairs $(PAIRS) --cc $(HOSTCC) \
	    --format $(FORMAT)
