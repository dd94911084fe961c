# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel module (docs/kernel-module.md): `make module`, `make check-module` and `make
# check-module-debug`.
MODULE_SOURCES := $(wildcard kernel-module/* mmu-shadow/walker/walk*.h mmu-shadow/walker/*_descriptors.h)

# Kbuild knows what is to be made anew.
module:
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/build-module.sh $(KVER)

# --- programs for the emulated machine: static, since it has no libraries -----------------------
MODULE_PROGRAMS := $(patsubst %,$(BUILD)/module-tests/%,module-test kvm-test hostile)
$(BUILD)/module-tests/%: tests/kernel-module/%.c tests/kernel-module/machine.h kernel-module/crosswalk-abi.h | $(BUILD)/.packages
	$(call step,CC,$<)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 -Wall -Wextra -Werror -Wno-unused-result -D_GNU_SOURCE -I. -static -pthread -o $@ $<

# --- the module's code that needs no kernel, with the kernel's flags ----------------------------
FREESTANDING := $(BUILD)/obj/tests/kernel-module/freestanding.o
$(FREESTANDING): tests/kernel-module/freestanding.c tests/kernel-module/freestanding.h $(filter %.h,$(MODULE_SOURCES)) | $(BUILD)/.packages
	$(call step,CC,$<)
	@mkdir -p $(@D)
	$(Q)gcc -O2 -std=gnu11 -ffreestanding -fno-strict-aliasing -mno-sse -mno-mmx -mno-sse2 -mno-3dnow -mno-avx -mno-80387 \
	  -Wall -Wextra -Wdeclaration-after-statement -Wvla -Wframe-larger-than=1024 -Werror -I. -c -o $@ $<
$(BUILD)/tests/kernel-module: $(FREESTANDING)

check-module: $(BUILD)/.packages-machine $(MODULE_PROGRAMS)
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/check-module.sh
# On a kernel of Debian's sources with KASAN, lockdep and kmemleak.
check-module-debug: $(BUILD)/.packages-machine $(MODULE_PROGRAMS)
	@scripts/debug-kernel.sh $(BUILD)/debug-kernel
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/check-module.sh --debug
.PHONY: module check-module check-module-debug
