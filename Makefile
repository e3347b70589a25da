# SPDX-License-Identifier: Apache-2.0
# ariel: an AArch64 EL2 hypervisor for QEMU virt and xlnx-versal-virt. `make run` boots it, `make help` lists targets and variables.
#
# This file builds. mk/toolchain.mk has the compilers and their flags, mk/run.mk boots QEMU, mk/verify.mk holds the
# tests, the static gates and the release. A line of ## above a variable or a target is its text in `make help`.

## the board that it is for: virt, versal (docs/PORTING.md)
PLATFORM ?= virt
ifneq ($(PLATFORM),virt)
BUILD ?= build/$(PLATFORM)
endif
## folder for everything that is made; build/<board> for a board other than virt
BUILD ?= build
## folder of what depends on no policy: EL2's objects and the guest; policies of one build can share it
OBJECTS ?= $(BUILD)
## a policy's name in policy/, or the path of a .toml file
POLICY ?= diag
## 1: the diagnostic guest powers the machine off after its summary
GUEST_POWEROFF ?= 0
## the diagnostic guest runs this suite alone (gic, mmio ...)
GUEST_TEST ?=
## the sources of another guest's guest_main (on guest/start.S and guest/lib) to embed instead
GUEST_MAIN ?= guest/main.c $(wildcard guest/suites/*.c)
## 1: clang and lld instead of GCC
LLVM ?= 0
## 1: EL2 built by clang with checks of undefined behaviour; one that fails ends it with a report that names it
SAN ?= 0
## 1: EL2 holds its locks to the order of include/hv/lock_order.h; one that is taken out of order ends it with a report
LOCKS ?= 0
## prefix of the GCC tools
CROSS_COMPILE ?= aarch64-linux-gnu-
## the Python that runs the tools
PYTHON ?= /usr/bin/python3
## 1: print whole command lines
V ?= 0

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SECONDARY:

# The default goal
.PHONY: all
all:

# $(call quote,text): one word for the shell, whatever is in it; $(call make_word,text): as the value of a variable for
# another make; $(call policy_path,policy): the file of a policy's name or path
quote = '$(subst ','\'',$(1))'
make_word = $(call quote,$(subst $$,$$$$,$(1)))
policy_path = $(if $(filter %.toml,$(lastword $(1))),$(1),policy/$(1).toml)

GENERATED := $(OBJECTS)/generated
POLICY_TABLES := $(BUILD)/generated/policy_tables.c
POLICY_FILE := $(call policy_path,$(POLICY))
# What is built says both: 0.2.0+1a2b3c4
COMMIT := $(or $(shell git describe --always --dirty 2>/dev/null),unknown)
VERSION := $(shell cat VERSION)+$(COMMIT)

# What cannot work is said before anything starts. The names of targets are made of BUILD, and make splits them at
# blanks and gives other characters a meaning of their own.
plain_folder = $(if $(shell printf %s $(call quote,$($(1))) | LC_ALL=C grep -x '[A-Za-z0-9._+@/][A-Za-z0-9._+@/-]*'),, \
    $(error $(1)=$($(1)): make takes letters, digits and ._+@/- in this folder's name; give another one, or a symbolic link to it))
$(call plain_folder,BUILD)$(call plain_folder,OBJECTS)
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell mkdir -p $(GENERATED) $(BUILD) 2>/dev/null && [ -w $(BUILD) ] && [ -w $(GENERATED) ] && echo writable),)
$(error BUILD=$(BUILD): cannot write to this folder; name another with BUILD=<folder>)
endif
# A policy's path may have any character, so that it is never the name of a target: what depends on it depends on its
# check sum.
POLICY_SUM := $(shell cksum 2>/dev/null <$(call quote,$(POLICY_FILE)))
ifeq ($(POLICY_SUM),)
$(error POLICY=$(POLICY): no file $(POLICY_FILE); there are: $(basename $(notdir $(wildcard policy/*.toml))))
endif
endif

ifeq ($(wildcard platform/$(PLATFORM).h),)
$(error PLATFORM=$(PLATFORM): no board platform/$(PLATFORM).h; there are: $(basename $(notdir $(wildcard platform/*.h))))
endif

# A suite's tests are in the file of its name. Another guest has its own.
SUITES := $(basename $(notdir $(wildcard guest/suites/*.c)))
ifeq ($(origin GUEST_MAIN),file)
ifneq ($(GUEST_TEST),)
ifeq ($(filter $(GUEST_TEST)%,$(SUITES)),)
$(error GUEST_TEST=$(GUEST_TEST): no suite of the diagnostic guest; there are: $(SUITES))
endif
endif
endif

include mk/toolchain.mk

# ---- What is built from what -----------------------------------------------------------------------------------------

# The rooms of the hypervisor, ground first, and those of the guests (scripts/rooms.py reads them here): no file needs
# one of a later room, and none needs another in a circle (scripts/graph.py)
ROOMS := lib platform policy arch/aarch64 trace mm drivers core console vdev vdev/vgic vdev/virtio vm debug trap monitor monitor/cmds boot
GUEST_ROOMS := guest/lib guest/suites guest/bench guest/block guest
HV_SOURCES := $(sort $(wildcard $(ROOMS:%=%/*.c) $(ROOMS:%=%/*.S)))
HV_SOURCES := $(filter-out %/asm-offsets.c %.lds.S %.ld.S %/$(if $(filter 1,$(LOCKS)),spinlock.c,spinlock_checked.c),$(HV_SOURCES))
GUEST_SOURCES := $(sort guest/start.S $(wildcard guest/lib/*.[cS]) $(GUEST_MAIN))
BENCH_SOURCES := $(sort $(filter-out %.ld.S,$(wildcard guest/bench/*.[cS])) guest/lib/gic.c guest/lib/print.c)
# The disk's bench: the same start and vectors, another bench_main.
BLOCK_SOURCES := $(sort guest/bench/start.S guest/bench/vectors.S guest/bench/measure.c $(wildcard guest/block/*.c) \
    guest/lib/gic.c guest/lib/memory.c guest/lib/print.c guest/lib/virtio.c)

HV_CODE := $(HV_SOURCES:%=$(OBJECTS)/%.o)
HV_OBJECTS := $(HV_CODE) $(POLICY_TABLES).o
# What changes with each policy and each guest is linked behind what does not.
HV_WHOLE := $(OBJECTS)/hypervisor.o
HV_LAST := $(OBJECTS)/arch/aarch64/guest_image.S.o $(POLICY_TABLES).o
GUEST_OBJECTS := $(GUEST_SOURCES:%=$(OBJECTS)/%.o)
BENCH_OBJECTS := $(BENCH_SOURCES:%=$(OBJECTS)/%.o)
BLOCK_OBJECTS := $(BLOCK_SOURCES:%=$(OBJECTS)/%.o)
PRODUCTS := $(addprefix $(BUILD)/hypervisor.,elf bin img map symbols)

## the hypervisor with its guest: build/hypervisor.elf, .img (an arm64 Image), .bin, .map, .symbols; and the guest of `make bench`
all: $(PRODUCTS) $(OBJECTS)/bench.bin $(OBJECTS)/block.bin $(OBJECTS)/compile_commands.json $(if $(filter build,$(BUILD)),compile_commands.json)

## the hypervisor with each policy in policy/: build/hypervisor-<policy>.elf
.PHONY: policies
policies: all
	$(Q)for policy in $(basename $(notdir $(wildcard policy/*.toml))); do \
	    $(MAKE) --no-print-directory OBJECTS=$(OBJECTS) BUILD=$(BUILD)/policy-$$policy POLICY=$$policy \
	        $(BUILD)/policy-$$policy/hypervisor.elf && \
	    cp $(BUILD)/policy-$$policy/hypervisor.elf $(BUILD)/hypervisor-$$policy.elf || exit 1; \
	done

## the diagnostic guest alone: build/guest.elf, build/guest.bin
.PHONY: guest
guest: $(OBJECTS)/guest.bin

## compiles everything, links nothing
.PHONY: objects
objects: $(filter-out %/guest_image.S.o,$(HV_OBJECTS)) $(GUEST_OBJECTS) $(BENCH_OBJECTS)

# ---- The hypervisor --------------------------------------------------------------------------------------------------

# EL2's code is optimized as a whole, into one object that knows no policy and no guest: that takes seconds, and a change
# of POLICY or GUEST_* need not wait for it.
$(HV_WHOLE): $(filter-out $(HV_LAST),$(HV_CODE))
	$(call say,WHOLE,$@)
	$(Q)$(HV_WHOLE_LINK) -o $@ $(filter-out $(HV_LAST),$(HV_CODE))

$(BUILD)/hypervisor.elf: $(HV_WHOLE) $(HV_LAST) $(OBJECTS)/hypervisor.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(LDFLAGS) -Map=$(@:.elf=.map) -T $(OBJECTS)/hypervisor.ld -o $@ $(HV_WHOLE) $(HV_LAST)
	$(Q)$(PYTHON) scripts/check_layout.py --platform $(PLATFORM) --hypervisor $@

# The flat image begins with the header of an arm64 Image (boot/boot.S).
%.img: %.bin
	$(call say,IMG,$@)
	$(Q)cp $< $@

$(BUILD)/hypervisor.map: $(BUILD)/hypervisor.elf ;

# The linker leaves nameless symbols of debug sections (type N) behind its optimization: they are nobody's.
$(BUILD)/hypervisor.symbols: $(BUILD)/hypervisor.elf
	$(Q)$(NM) -n $< > $@.all
	$(Q)grep -v ' N *$$' $@.all > $@
	$(Q)rm $@.all

# ---- The diagnostic guest, embedded by arch/aarch64/guest_image.S ----------------------------------------------------

$(OBJECTS)/guest.elf: $(GUEST_OBJECTS) $(OBJECTS)/guest.ld $(GUEST_STAMP)
	$(call say,LD,$@)
	$(Q)$(LD) $(GUEST_LDFLAGS) -T $(OBJECTS)/guest.ld -Map $(OBJECTS)/guest.map -o $@ $(GUEST_OBJECTS)
	$(Q)$(PYTHON) scripts/check_layout.py --guest $@

%.bin: %.elf
	$(call say,BIN,$@)
	$(Q)$(OBJCOPY) -O binary $< $@

$(OBJECTS)/arch/aarch64/guest_image.S.o: $(OBJECTS)/guest.bin
$(OBJECTS)/arch/aarch64/guest_image.S.o: HV_CPPFLAGS += -DGUEST_IMAGE='"$(OBJECTS)/guest.bin"'

# ---- The bench guest: an arm64 Image by itself, for `make bench` ----------------------------------------------------

$(OBJECTS)/bench.elf: $(BENCH_OBJECTS) $(OBJECTS)/bench.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(GUEST_LDFLAGS) -T $(OBJECTS)/bench.ld -o $@ $(BENCH_OBJECTS)

# And the one of `make bench-virtio`
$(OBJECTS)/block.elf: $(BLOCK_OBJECTS) $(OBJECTS)/bench.ld
	$(call say,LD,$@)
	$(Q)$(LD) $(GUEST_LDFLAGS) -T $(OBJECTS)/bench.ld -o $@ $(BLOCK_OBJECTS)

# ---- Generated files -------------------------------------------------------------------------------------------------

# "->NAME value" in the assembly of asm-offsets.c becomes #define NAME value.
$(GENERATED)/asm-offsets.h: $(OBJECTS)/arch/aarch64/asm-offsets.s
	$(call say,GEN,$@)
	$(Q)sed -n 's/.*"->\([A-Za-z0-9_]*\) [#$$]*\(-*[0-9][0-9]*\).*/#define \1 \2/p' $< > $@
	$(Q)test -s $@ || { echo "$@: $< holds no \"->NAME value\" line" >&2; exit 1; }

$(OBJECTS)/arch/aarch64/asm-offsets.s: arch/aarch64/asm-offsets.c $(FLAGS_STAMP)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HV_CPPFLAGS) $(HV_CFLAGS) -g0 -MMD -MP -MF $@.d -S -o $@ $<

# The compiler reads the tables of causes, registers, calls and devices from the headers.
POLICY_COMPILE = $(PYTHON) tools/policy_compile.py --cc '$(HOSTCC)' --policy=$(call quote,$(POLICY_FILE))

$(POLICY_TABLES): tools/policy_compile.py $(wildcard tools/policy_compiler/*.py) \
                  $(BUILD)/generated/policy.stamp $(wildcard include/hv/*_table.h) \
                  $(wildcard include/hv/arch/*_table.h) include/hv/memory_map.h
	$(call say,POLICY,$(POLICY_FILE))
	$(Q)$(POLICY_COMPILE) --output $@

## the effective policy as a table, with what each row costs
.PHONY: policy-show
policy-show: | tools
	@$(POLICY_COMPILE) --show

$(GENERATED)/version.h: $(GENERATED)/version.stamp
	$(Q)echo '#define ARIEL_VERSION "$(VERSION)"' > $@

# Linker scripts take the addresses of memory_map.h and of the board through the preprocessor.
$(OBJECTS)/hypervisor.ld: $(wildcard arch/aarch64/*.lds.S arch/aarch64/*.ld.S) $(FLAGS_STAMP)
$(OBJECTS)/guest.ld: guest/guest.ld.S $(FLAGS_STAMP)
$(OBJECTS)/bench.ld: guest/bench/bench.ld.S $(FLAGS_STAMP)
$(OBJECTS)/hypervisor.ld $(OBJECTS)/guest.ld $(OBJECTS)/bench.ld:
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -E -P -x assembler-with-cpp -undef -D__LINKER__ -Iinclude $(PLATFORM_FLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $<

# A stamp changes when its value does: another POLICY, other flags or another compiler rebuild what depends on them, and
# no more: EL2's objects do not depend on the guest's variables, nor on the policy.
$(call stamp,$(FLAGS_STAMP),$(CC) $(LD) $(HV_CPPFLAGS) $(HV_CFLAGS) $(HOT) $(NOT_WHOLE) $(LDFLAGS) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS))
$(call stamp,$(GUEST_STAMP),$(GUEST_DEFINES) $(GUEST_OBJECTS))
$(call stamp,$(BUILD)/generated/policy.stamp,$(POLICY_FILE) $(POLICY_SUM))
$(call stamp,$(GENERATED)/version.stamp,$(VERSION))

# Editors look for it in the root.
compile_commands.json: $(OBJECTS)/compile_commands.json
	$(Q)cp $< $@

$(OBJECTS)/compile_commands.json: scripts/compile_commands.py $(FLAGS_STAMP) $(GUEST_STAMP)
	$(Q)$(PYTHON) scripts/compile_commands.py --build $(OBJECTS) --output $@ \
	    --flags $(call quote,$(CC) $(HV_CPPFLAGS) $(HV_CFLAGS)) $(filter %.c,$(HV_SOURCES)) \
	    --flags $(call quote,$(CC) $(GUEST_CPPFLAGS) $(GUEST_DEFINES) $(GUEST_CFLAGS)) $(filter %.c,$(GUEST_SOURCES))

# ---- Objects ---------------------------------------------------------------------------------------------------------

$(sort $(GUEST_OBJECTS) $(BENCH_OBJECTS) $(BLOCK_OBJECTS)): $(OBJECTS)/%.o: % $(FLAGS_STAMP) | $(GENERATED)/version.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CPPFLAGS) $(GUEST_CFLAGS) -MMD -MP -MF $@.d -c -o $@ $<

# The guest's variables are for what has guest_main alone.
GUEST_MAIN_OBJECTS := $(patsubst %,$(OBJECTS)/%.o,$(filter-out guest/suites/%,$(GUEST_MAIN)))
$(GUEST_MAIN_OBJECTS): $(GUEST_STAMP)
$(GUEST_MAIN_OBJECTS): GUEST_CPPFLAGS += $(GUEST_DEFINES)

$(HV_CODE): $(OBJECTS)/%.o: % $(FLAGS_STAMP) | $(GENERATED)/asm-offsets.h $(GENERATED)/version.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(HV_CPPFLAGS) $(HV_CFLAGS) -MMD -MP -MF $@.d -c -o $@ $<

$(POLICY_TABLES).o: $(POLICY_TABLES) $(FLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)$(CC) $(HV_CPPFLAGS) $(HV_CFLAGS) -MMD -MP -MF $@.d -c -o $@ $<

-include $(HV_OBJECTS:=.d) $(sort $(GUEST_OBJECTS:=.d) $(BENCH_OBJECTS:=.d) $(BLOCK_OBJECTS:=.d)) $(wildcard $(OBJECTS)/*.ld.d $(OBJECTS)/arch/aarch64/asm-offsets.s.d)

# Is every tool here? Asked at each make: it takes a few milliseconds.
.PHONY: tools
tools:
	$(Q)scripts/bootstrap build $(if $(filter 1,$(LLVM)),llvm)

## removes everything that was made
.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD) dist compile_commands.json

## this text
.PHONY: help
help:
	@awk -f scripts/help.awk $(filter-out %.d,$(MAKEFILE_LIST))

include mk/run.mk
include mk/verify.mk
