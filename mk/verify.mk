# SPDX-License-Identifier: Apache-2.0
# Tests, static gates and the release.

HOST_CFLAGS := -std=gnu2x -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
               -Itests/fake -Iinclude -I$(BUILD)/generated $(filter-out -Wmissing-prototypes -Wcast-qual,$(WARNINGS))

## only tests/unit/<name>_test.c for `make test-unit`
UNIT ?=

## host unit tests (ASan, UBSan); UNIT=stage2 runs one
.PHONY: test-unit
test-unit: $(wildcard $(GENERATED)/policy_tables.c)
	$(Q)$(PYTHON) scripts/unit_tests.py --build $(BUILD)/unit --cc "$(HOSTCC)" --cflags "$(HOST_CFLAGS)" $(UNIT)

## the tests that boot QEMU; TESTS="test_guest.py -k hvc" chooses
.PHONY: test-qemu
test-qemu: all
	$(Q)scripts/bootstrap run test
	$(Q)$(PYTHON) -m pytest -q tests/qemu $(TESTS)

## only one gate of `make check`
GATE ?=

## static gates: layering, sizes, format, both compilers, clang-tidy, cppcheck, rebuild; GATE=sizes runs one
.PHONY: check
check:
	$(Q)scripts/bootstrap
	$(Q)$(PYTHON) scripts/check.py $(GATE)

## every header compiles by itself
.PHONY: check-headers
check-headers:
	$(Q)$(PYTHON) scripts/check_headers.py --cc "$(CC)" --flags "$(HV_CPPFLAGS) $(HV_CFLAGS)"
