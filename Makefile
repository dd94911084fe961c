# SPDX-License-Identifier: GPL-2.0-or-later
# Builds build/crosswalk and the tests. BUILD= selects another output directory.
#
#   make                    build/crosswalk (installs what is missing, as root or with sudo)
#   make boot [CMD='…']     boots Debian's ARM kernel to a shell, or runs a command; also MMU=, KERNEL=, MEMORY=, TIMEOUT=
#   make check              all tests; `make tests` only builds them, `make guest` only fetches and builds guest images
#   make check-nested       the kvm world on nested paging, in an emulated machine with SVM (docs/kvm-world.md); NESTED=full adds
#                           Debian's ARM kernel, NESTED=reduced is the part that `make check` runs
#   make bench [BENCH='…']  the benchmark, against QEMU; BENCH gives other options of `crosswalk bench`
#   make experiments        a matrix of modes, flush policies and workloads, with a report (docs/experiments.md); MATRIX=full,
#                           EXPERIMENT='…' gives options of scripts/experiments/run.py; `make rootfs` builds its Debian root image
#   make format             clang-format of all sources
BUILD ?= build
# As many jobs as the machine has CPUs; `make -j N` says otherwise.
MAKEFLAGS += -j$(shell nproc)
CCACHE := $(shell command -v ccache 2>/dev/null)
CXX := $(CCACHE) g++
CXXFLAGS ?= -O2 -g1
override CXXFLAGS += -std=c++20 -Wall -Wextra -Werror -I. -MMD -MP -fno-strict-aliasing -pthread
LDLIBS := -lboost_program_options -lfdt -lelf -lcapstone -lfmt -pthread

# Every .cc of these folders goes into one static library per folder tree.
LIB_DIRS := translator mmu-shadow vmm
lib_sources = $(filter-out vmm/main.cc,$(shell find $(1) -name '*.cc' | sort))
objects = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

all: $(BUILD)/crosswalk

# What has to be installed first. Made again only when the list changes.
$(BUILD)/.packages: scripts/packages.txt scripts/install-packages.sh
	scripts/install-packages.sh
	@mkdir -p $(@D) && touch $@
deps: $(BUILD)/.packages

define library
$(BUILD)/lib$(1).a: $(call objects,$(call lib_sources,$(1)))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach d,$(LIB_DIRS),$(eval $(call library,$(d))))
LIBS := $(BUILD)/libvmm.a $(BUILD)/libtranslator.a $(BUILD)/libmmu-shadow.a
LINK_LIBS := -Wl,--start-group $(LIBS) -Wl,--end-group

$(BUILD)/crosswalk: $(BUILD)/obj/vmm/main.o $(LIBS)
	$(CXX) $(LDFLAGS) -o $@ $< $(LINK_LIBS) $(LDLIBS)

# One test program per folder that holds *_test.cc: tests/translator/decoder -> build/tests/translator-decoder.
TEST_DIRS := $(sort $(patsubst %/,%,$(dir $(shell find tests -name '*_test.cc'))))
test_program = $(BUILD)/tests/$(subst /,-,$(patsubst tests/%,%,$(1)))
define test
$(call test_program,$(1)): $(call objects,$(wildcard $(1)/*.cc)) $(LIBS)
	@mkdir -p $$(@D)
	$$(CXX) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(LINK_LIBS) $$(LDLIBS) -lunicorn -lgtest -lgtest_main
endef
$(foreach d,$(TEST_DIRS),$(eval $(call test,$(d))))
TESTS := $(foreach d,$(TEST_DIRS),$(call test_program,$(d)))
tests: $(TESTS)

$(BUILD)/obj/%.o: %.cc | $(BUILD)/.packages
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c -o $@ $<

include scripts/guest-images.mk

boot: $(BUILD)/crosswalk $(BOOT_IMAGES)
	@BUILD=$(BUILD) GUEST=$(GUEST) CMD='$(subst ','\'',$(value CMD))' MMU='$(MMU)' FLUSH='$(FLUSH)' WORLD='$(WORLD)' KERNEL='$(KERNEL)' \
	  MEMORY='$(MEMORY)' TIMEOUT='$(TIMEOUT)' APPEND='$(APPEND)' DISK='$(DISK)' STATS='$(STATS)' scripts/boot.sh

check: $(BUILD)/crosswalk $(TESTS) $(BENCH_IMAGES) $(GUEST)/rootfs.ext4
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/check.sh $(TESTS)

NESTED ?= normal
check-nested: $(BUILD)/crosswalk $(BUILD)/tests/vmm-kvm $(BUILD)/tests/mmu-shadow $(NESTED_IMAGES) $(BARE_IMAGES) \
  $(if $(filter full,$(NESTED)),$(BOOT_IMAGES))
	@BUILD=$(BUILD) GUEST=$(GUEST) NESTED=$(NESTED) scripts/check-nested.sh

BENCH ?= --baseline qemu
bench: $(BUILD)/crosswalk $(BENCH_IMAGES)
	$(BUILD)/crosswalk bench --images $(GUEST) $(BENCH)

MATRIX ?= quick
experiments: $(BUILD)/crosswalk $(BENCH_IMAGES) $(if $(filter quick,$(MATRIX)),,$(GUEST)/rootfs.ext4)
	scripts/experiments/run.py --matrix $(MATRIX) --crosswalk $(BUILD)/crosswalk --images $(GUEST) $(EXPERIMENT)

format:
	git ls-files '*.cc' '*.h' '*.c' | xargs clang-format -i

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.PHONY: all deps tests boot check check-nested bench experiments format clean
