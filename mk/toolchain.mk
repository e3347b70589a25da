# SPDX-License-Identifier: Apache-2.0
# The compilers and their flags. GCC by default; LLVM=1 takes clang, lld and llvm-objcopy.

# clang's checks say which one it was.
ifeq ($(SAN),1)
override LLVM := 1
endif

ifeq ($(LLVM),1)
CC      := clang --target=aarch64-none-elf
LD      := ld.lld
OBJCOPY := llvm-objcopy
NM      := llvm-nm
else
CC      := $(CROSS_COMPILE)gcc
LD      := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
NM      := $(CROSS_COMPILE)nm
endif
## the host's C compiler, for the unit tests
HOSTCC ?= gcc
export CROSS_COMPILE HOSTCC PYTHON

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wcast-qual -Wpointer-arith \
            -Wvla -Wformat=2 -Wimplicit-fallthrough -Wwrite-strings -Wold-style-definition \
            $(if $(filter 1,$(LLVM)),-Wthread-safety)

# What every object has in common, EL2's and the guest's. No FP or SIMD registers, no unaligned access (the guest runs
# with its MMU off, EL2 until it has turned its own on), no call to a libgcc atomic, no path of this machine.
COMMON_CFLAGS := $(if $(filter 1,$(LLVM)),-fdebug-compilation-dir=.) \
                 -std=gnu2x -g -ffreestanding -fno-pic -fno-common -ffunction-sections -fdata-sections \
                 -mgeneral-regs-only -mstrict-align -mno-outline-atomics -fno-asynchronous-unwind-tables \
                 -ffile-prefix-map=$(call quote,$(CURDIR))=. $(WARNINGS)

# EL2 keeps frame pointers, since panic() walks them, and leaves x10 to x15 and x18 to the guest (vectors.S). It is
# optimized as a whole.
# The board's header is named from the root, and no other is.
PLATFORM_FLAGS := -I. -DPLATFORM_HEADER='<platform/$(PLATFORM).h>'
HV_CPPFLAGS := -Iinclude -I$(GENERATED) $(PLATFORM_FLAGS) $(if $(filter 1,$(SAN)),-DHV_SAN=1)
HV_CFLAGS = $(COMMON_CFLAGS) $(optimization) $(whole_program) -fstack-protector-strong \
            -fno-omit-frame-pointer $(foreach n,10 11 12 13 14 15 18,-ffixed-x$(n)) \
            $(if $(filter 1,$(SAN)),-fsanitize=undefined -fsanitize-trap=undefined)
# What a guest's exits run through is built for speed, the rest for size: it runs once, or for a person. A public function
# that is defined `inline` there costs a request no call: the program is optimized as a whole.
smallest = $(if $(filter 1,$(LLVM)),-Oz,-Os)
HOT := vdev/virtio/queue vdev/virtio/mediator vdev/virtio/chain vdev/virtio/block vdev/virtio/net vdev/virtio/record vdev/virtio/transport drivers/virtqueue drivers/virtio_mmio policy/policy_virtio mm/guest_mem trace/log_virtio trap/trap_quick trap/trap_trace trap/abort trap/abort_classify vdev/device vdev/vgic/vgic_redist vdev/vpl011 vdev/vgic/vgic vdev/vgic/vgic_lr vdev/vgic/vgic_view vdev/vgic/vgic_icc
optimization = $(if $(filter $(HOT:%=$(OBJECTS)/%.c.o),$@),-O2,$(smallest))
# Not a policy's tables, which are linked behind the rest. And the compiler itself makes calls to what is in lib/string.c
# and lib/fatal.c, when it is too late to compile them with the rest.
NOT_WHOLE := %.S.o %.s %/lib/string.c.o %/lib/fatal.c.o %/policy_tables.c.o
whole_program = $(if $(filter $(NOT_WHOLE),$@),, \
                     -flto $(if $(filter 1,$(LLVM)),,-flto-partition=one -fipa-pta))
# memcpy must not be compiled into a call of itself.
$(OBJECTS)/lib/string.c.o: HV_CFLAGS += -fno-builtin $(if $(filter 1,$(LLVM)),,-fno-tree-loop-distribute-patterns)

GUEST_CPPFLAGS := -Iinclude -I$(GENERATED) -Iguest
GUEST_DEFINES := -DGUEST_POWEROFF=$(GUEST_POWEROFF) -DGUEST_TEST=$(GUEST_TEST)
GUEST_CFLAGS := $(COMMON_CFLAGS) -O2 -fno-stack-protector

LDFLAGS := -static -nostdlib --gc-sections --build-id=none -z max-page-size=4096 -z noexecstack
GUEST_LDFLAGS := $(LDFLAGS)
# lld compiles the whole program itself, GNU ld needs the compiler that calls it. The result is an object that is linked
# further.
ifeq ($(LLVM),1)
HV_WHOLE_LINK = $(LD) -r
else
HV_WHOLE_LINK = $(CC) $(HV_CFLAGS) -nostdlib -r -flinker-output=nolto-rel
endif

FLAGS_STAMP = $(GENERATED)/flags.stamp
GUEST_STAMP = $(GENERATED)/guest.stamp

# ---- Small things that the rules share -------------------------------------------------------------------------------

Q := $(if $(filter 1,$(V)),,@)
# $(call say,WHAT,file): one short line per step
say = $(if $(findstring s,$(firstword -$(MAKEFLAGS)))$(filter 1,$(V)),@:,@printf '  %-7s %s\n' $(call quote,$(1)) $(call quote,$(2)))

# What run, test and release build is built on all CPUs, unless -j was given
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: FORCE
FORCE:

# $(call stamp,file,value): a rule for a file that is touched only when the value differs from the last run's
stamp = $(eval $(1): FORCE | tools ; @mkdir -p $$(@D); printf '%s\n' $(call make_word,$(2)) | cmp -s - $$@ || printf '%s\n' $(call make_word,$(2)) > $$@)
