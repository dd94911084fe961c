# SPDX-License-Identifier: GPL-2.0-or-later
# Builds build/crosswalk and the tests. BUILD= selects another output directory.
BUILD ?= build
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

$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c -o $@ $<

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.PHONY: all tests clean
