# SPDX-License-Identifier: GPL-2.0-or-later
# Builds with sanitizers, and the fuzzers. docs/testing.md says how to use them.
#
#   SANITIZE=address        AddressSanitizer and UndefinedBehaviorSanitizer; also the fuzzers
#   SANITIZE=thread         ThreadSanitizer
#
# Each wants a BUILD of its own, because make does not see that flags have changed.
comma := ,
ifneq ($(SANITIZE),)
SANITIZERS.address := address,undefined
SANITIZERS.thread := thread
SANITIZERS := $(SANITIZERS.$(SANITIZE))
$(if $(SANITIZERS),,$(error SANITIZE is 'address' or 'thread', not '$(SANITIZE)'))
$(if $(filter build,$(BUILD)),$(error SANITIZE=$(SANITIZE) needs a BUILD of its own, for instance BUILD=build/$(SANITIZE)))
# Clang has libFuzzer, and one build serves it and the tests. Warnings are GCC's business.
CXX = $(CCACHE) clang++
override CXXFLAGS += -O1 -fno-omit-frame-pointer -Wno-error -w -fsanitize=$(SANITIZERS)$(if $(filter address,$(SANITIZE)),$(comma)fuzzer-no-link)
LDFLAGS += -fsanitize=$(SANITIZERS)
# More than half of the time is for reading headers. ccache takes no file with a precompiled one
# otherwise; it does not keep that one itself, which names the folder that it was made in.
export CCACHE_SLOPPINESS := pch_defines,time_macros
override CXXFLAGS += -Xclang -fno-pch-timestamp
$(PRECOMPILED): scripts/precompiled.h | $(BUILD)/.packages $(BUILD)/.packages-tests
	$(call step,PCH,$@)
	@mkdir -p $(@D)
	$(Q)CCACHE_DISABLE=1 $(CXX) $(CXXFLAGS) -fpch-instantiate-templates -x c++-header -o $@ $<
endif
ifneq ($(PLAIN),$(BUILD))
# Made by who has said PLAIN.
$(PLAIN)/libtranslator.a: ;
# But for what CPUs share of translated code.
$(call test_program,tests/translator/engine/threads): $(call objects,$(addprefix translator/engine/,block.cc \
  block_index.cc block_links.cc code_cache.cc slow_sites.cc translations.cc))
endif

# --- the fuzzers: tests/fuzz/NAME.cc -> $(BUILD)/fuzz/NAME, with SANITIZE=address -----------------
FUZZERS := $(patsubst tests/fuzz/%.cc,%,$(wildcard tests/fuzz/*.cc))
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBS)
	$(call step,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LINK_LIBS) $(LDLIBS)

# --- what `make check` builds: the tests of machine and MMU, and what has threads -----------------
ASAN := $(BUILD)/asan
TSAN := $(BUILD)/tsan
MAKE_ASAN = $(MAKE) --no-print-directory BUILD=$(ASAN) GUEST=$(GUEST) SANITIZE=address
MAKE_TSAN = $(MAKE) --no-print-directory GUEST=$(GUEST) SANITIZE=thread
VMM_TESTS := vmm-app vmm-base vmm-devices vmm-machine vmm-net vmm-share
ASAN_CHECKED := $(ASAN)/crosswalk $(addprefix $(ASAN)/tests/,$(VMM_TESTS) mmu-shadow)
THREADS_TESTS := mmu-shadow-threads translator-engine-threads
TSAN_CHECKED := $(addprefix $(BUILD)/tsan-vmm/,crosswalk $(addprefix tests/,$(VMM_TESTS) $(THREADS_TESTS)))
clang: $(BUILD)/.packages $(BUILD)/.packages-sanitizers
sanitized-fuzzers: clang
	+$(Q)$(MAKE_ASAN) $(addprefix $(ASAN)/fuzz/,$(FUZZERS))
# One after the other, since both make the same objects.
sanitized: clang $(LIBS) $(BARE_IMAGES) | sanitized-fuzzers
	+$(Q)$(MAKE_ASAN) $(ASAN_CHECKED)
	+$(Q)$(MAKE_TSAN) BUILD=$(BUILD)/tsan-vmm PLAIN=$(BUILD) $(TSAN_CHECKED)

asan: clang
	+$(Q)$(MAKE_ASAN) all
tsan: clang
	+$(Q)$(MAKE_TSAN) BUILD=$(TSAN) all

# --- the full forms -------------------------------------------------------------------------------
check-asan: clang $(BENCH_IMAGES)
	+$(Q)$(MAKE_ASAN) tests all
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/check-sanitized.sh address
check-tsan: clang $(BENCH_IMAGES)
	+$(Q)$(MAKE_TSAN) BUILD=$(TSAN) all $(addprefix $(TSAN)/tests/,$(VMM_TESTS) $(THREADS_TESTS) vmm-bench translator-engine)
	@BUILD=$(BUILD) GUEST=$(GUEST) scripts/check-sanitized.sh thread

ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
ifneq ($(words $(filter $(FUZZERS),$(FUZZ))),1)
$(error FUZZ='$(FUZZ)' is unknown; use one of: $(FUZZERS))
endif
endif
TIME ?= 600
fuzz: clang
	+$(Q)$(MAKE_ASAN) $(ASAN)/fuzz/$(FUZZ)
	@BUILD=$(ASAN) scripts/fuzz.sh $(FUZZ) $(TIME)
.PHONY: clang
