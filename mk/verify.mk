# SPDX-License-Identifier: Apache-2.0
# Tests, static gates and the release.

HOST_COMMON := -std=gnu2x -g -Itests/fake -Iinclude -I$(GENERATED) -I. -DPLATFORM_HEADER='<platform/virt.h>' \
               $(filter-out -Wmissing-prototypes -Wcast-qual -Wthread-safety,$(WARNINGS))
HOST_CFLAGS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all $(HOST_COMMON)
COVERAGE_CFLAGS := -O0 --coverage $(HOST_COMMON)

## only tests/unit/<name>_test.c for `make test-unit`
UNIT ?=

## every test: unit, fuzz, tools, qemu; ends with "N passed, N failed"
.PHONY: test
test:
	$(Q)scripts/bootstrap build llvm run linux test
	$(Q)$(MAKE) $(JOBS) --no-print-directory all
	$(Q)$(PYTHON) scripts/test.py --build $(BUILD) --cc "$(HOSTCC)" --cflags "$(HOST_CFLAGS)"

## host unit tests (ASan, UBSan); UNIT=stage2 runs one
.PHONY: test-unit
test-unit: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap test
	$(Q)$(PYTHON) scripts/unit_tests.py --build $(BUILD)/unit --cc "$(HOSTCC)" --cflags "$(HOST_CFLAGS)" $(UNIT)

## `make fuzz`: seconds for each target; `make soak`: minutes, 10 unless given
TIME ?= 60
## `make fuzz`, `fuzz-replay`, `fuzz-merge`, `fuzz-coverage`: only tests/fuzz/<name>_fuzz.c or .py
TARGET ?=

FUZZ = $(PYTHON) scripts/fuzz.py --build $(BUILD)/fuzz --cc "$(HOSTCC)" --cflags "$(HOST_CFLAGS)" --seed '$(SEED)'

## fuzzes parsers and state machines on the host; TIME=600 TARGET=vgic
.PHONY: fuzz
fuzz: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap test fuzz
	$(Q)$(FUZZ) --time '$(TIME)' $(TARGET)

## runs the kept inputs of the fuzzers and some drawn from SEED, as `make test` does
.PHONY: fuzz-replay
fuzz-replay: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap test
	$(Q)$(FUZZ) --replay $(TARGET)

## takes what `make fuzz` found to reach new code into tests/fuzz/corpus
.PHONY: fuzz-merge
fuzz-merge: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap fuzz
	$(Q)$(FUZZ) --merge $(TARGET)

## branch coverage of what the fuzzers reach
.PHONY: fuzz-coverage
fuzz-coverage: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap fuzz
	$(Q)$(FUZZ) --coverage $(TARGET)

## the tests that boot QEMU; TESTS="test_log.py -k lost" chooses
.PHONY: test-qemu
test-qemu: all
	$(Q)scripts/bootstrap build llvm run linux test
	$(Q)$(PYTHON) scripts/qemu_tests.py $(TESTS)

## `make hostile`, `make soak`: the random numbers begin here (1), so that a run can be repeated; `make run-linux`: rng-seed and kaslr-seed, which are fresh without it
SEED ?= 1
## `make hostile`: attacks of each kind on each CPU; empty: over 10 million in all. Hotplug: how often
COUNT ?=
## `make hostile`: one case alone, named as it prints it: cortex-a57-4-gic
CASE ?=
## `make hostile`: 1: QEMU counts instructions for time, so that a case is the same each time
ICOUNT ?= 0

## guests that attack EL2, each kind on each CPU model with 1 and 4 CPUs; SEED=7 COUNT=1000 CASE=max-4-races ICOUNT=1
.PHONY: hostile
hostile:
	$(Q)scripts/bootstrap build run test
	$(if $(CASE),$(Q)HOSTILE_SEED='$(SEED)' HOSTILE_COUNT='$(COUNT)' $(PYTHON) scripts/qemu_tests.py --case $(call quote,$(CASE)))
	$(Q)HOSTILE_SEED='$(SEED)' HOSTILE_COUNT='$(COUNT)' HOSTILE_ICOUNT='$(ICOUNT)' $(PYTHON) -m pytest -q \
	    -p no:cacheprovider 'tests/qemu/test_hostile.py$(if $(CASE),::test_el2_stands[$(CASE)])'

## each page below 1 TiB read, written and executed by a guest: 800 million attacks, an hour or more; CPU=max
.PHONY: hostile-pages
hostile-pages:
	$(Q)scripts/bootstrap build run test
	$(Q)HOSTILE_PAGES='$(CPU)' HOSTILE_COUNT='$(COUNT)' $(PYTHON) -m pytest -q -p no:cacheprovider \
	    tests/qemu/test_hostile.py::test_every_page

## `make mutate`: only mutants of tests/mutate with this in their name
MUTANT ?=

## breaks ariel in over a hundred small ways, one after the other, and says which of them no test notices: an hour
.PHONY: mutate
mutate:
	$(Q)scripts/bootstrap build llvm run test
	$(Q)$(PYTHON) scripts/mutate.py $(MUTANT)

## boots Debian's installer, with 1 and 4 CPUs, on every CPU model, under the Linux policies: a few minutes
.PHONY: test-linux-smoke
test-linux-smoke:
	$(Q)scripts/bootstrap build llvm run linux smoke test
	$(Q)$(PYTHON) scripts/fetch_linux.py > /dev/null
	$(Q)mkdir -p $(BUILD)
	$(Q)$(PYTHON) scripts/test.py --linux --build $(BUILD) --cc "$(HOSTCC)" --cflags ""

## types every command of docs/FIRST-HOUR.md into a fresh copy of the tree, and looks for the page's output: two minutes
.PHONY: test-first-hour
test-first-hour:
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(PYTHON) -m pytest -q -p no:cacheprovider tests/linux/test_first_hour.py

## symbols read from four of Debian's kernels (5.10 to the newest) against their System.map; fetches 1.3 GB the first time
.PHONY: sym-check
sym-check:
	$(Q)scripts/bootstrap linux
	$(Q)$(PYTHON) scripts/check_symbols.py

## each CPU of a Linux off and on again, COUNT times (1000)
.PHONY: test-linux-hotplug
test-linux-hotplug:
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(PYTHON) scripts/fetch_linux.py > /dev/null
	$(Q)HOTPLUG_COUNT='$(or $(COUNT),1000)' $(PYTHON) -m pytest -q -p no:cacheprovider tests/linux -k again_and_again

## Linux on 4 CPUs under stress, its disk, network, console and the monitor used at random, all checked; TIME=60 SEED=7
.PHONY: soak
soak:
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(PYTHON) scripts/fetch_kernel.py > /dev/null
	$(Q)$(PYTHON) tests/linux/soak.py --minutes '$(if $(filter file,$(origin TIME)),10,$(TIME))' --seed '$(SEED)' --policy=$(call quote,$(LINUX_POLICY)) \
	    --capture $(BUILD)/soak.log

## `make cutoff`: how often Linux is ended while it writes
RUNS ?= 10

## Linux writes to an ext4 disk until the monitor's `halt` ends it; each time the file system must be whole; RUNS=100 SEED=7
.PHONY: cutoff
cutoff:
	$(Q)scripts/bootstrap build run linux test
	$(Q)$(PYTHON) scripts/fetch_kernel.py > /dev/null
	$(Q)$(PYTHON) tests/linux/cutoff.py --runs '$(RUNS)' --seed '$(SEED)' --policy=$(call quote,$(LINUX_POLICY)) \
	    --capture $(BUILD)/cutoff

## only one gate of `make check`
GATE ?=

## static gates: layering, rooms, sizes, format, both compilers, clang-tidy, cppcheck, rebuild; GATE=sizes runs one
.PHONY: check
check:
	$(Q)scripts/bootstrap
	$(Q)$(PYTHON) scripts/check.py $(GATE)

# A release is built with the defaults in a folder of its own, so that nothing of a former build can be in it. Its time
# stamp is the last commit's.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

## verified archive in dist/: checks the products, packs them, unpacks and boots them
.PHONY: release
release:
	$(Q)scripts/bootstrap build run
	$(Q)rm -rf $(BUILD)/release
	$(Q)$(MAKE) $(JOBS) --no-print-directory BUILD=$(BUILD)/release POLICY=diag GUEST_POWEROFF=0 LLVM=0 all policies
	$(Q)$(PYTHON) scripts/release.py --build $(BUILD)/release --version '$(VERSION)'

## proofs (Frama-C, Z3) of range arithmetic, descriptors, walks, queues and policy lookup: some minutes
.PHONY: prove
prove: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap prove
	$(Q)why3 config detect > /dev/null 2>&1
	$(Q)$(PYTHON) scripts/prove.py --build $(BUILD)

## line coverage of the files that the unit tests link
.PHONY: coverage
coverage: $(GENERATED)/version.h $(POLICY_TABLES)
	$(Q)scripts/bootstrap test check
	$(Q)rm -rf $(BUILD)/coverage
	$(Q)$(PYTHON) scripts/unit_tests.py --build $(BUILD)/coverage --cc "$(HOSTCC)" --cflags "$(COVERAGE_CFLAGS)"
	$(Q)gcovr --root . --object-directory $(BUILD)/coverage $(ROOMS:%=--filter '%/') $(BUILD)/coverage

## the page of a trace of a million records (docs/TRACE.md), in Chromium: seconds, size, frames while zooming
.PHONY: report-check
report-check:
	$(Q)scripts/bootstrap test
	$(Q)$(PYTHON) tests/tools/report_check.py

## draws the pictures of docs/ (docs/*.dot) by Graphviz, to be read on light and dark pages
.PHONY: pictures
pictures:
	$(Q)scripts/bootstrap graph
	$(Q)for dot in docs/*.dot; do $(PYTHON) scripts/draw.py $$dot $${dot%.dot}.svg || exit 1; done

## which room needs which: arrows against the order, circles of files, and a picture of it in build/graph.svg
.PHONY: graph
graph:
	$(Q)scripts/bootstrap build graph
	$(Q)mkdir -p $(BUILD)
	$(Q)$(PYTHON) scripts/graph.py --build $(BUILD)/graph --svg $(BUILD)/graph.svg --check

## bytes of text, rodata, data and bss by room, of the image, and of each release
.PHONY: size
size: all
	$(Q)$(PYTHON) scripts/size.py --build $(BUILD)/graph --elf $(BUILD)/hypervisor.elf

## every header compiles by itself
.PHONY: check-headers
check-headers:
	$(Q)$(PYTHON) scripts/check_headers.py --cc "$(CC)" --flags $(call quote,$(HV_CPPFLAGS) $(HV_CFLAGS))
