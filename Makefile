# SPDX-License-Identifier: GPL-2.0-or-later
# Builds build/crosswalk and the tests. BUILD= selects another output directory.
#
#   make [V=1]              build/crosswalk (installs what is missing, as root or with sudo); V=1
#                           shows all commands
#   make boot [CMD='…']     boots Debian's ARM kernel to a shell, or runs a command and prints its
#                           output alone; KERNEL=installer is Debian's installer; also MMU=,
#                           WINDOWS=, KERNEL=, MEMORY=, SMP= (CPUs, 1 to 8), TIMEOUT=, NET=user,
#                           SHARE=DIR, VERBOSE=1 (with CMD, the kernel's messages too)
#   make boot ROOT=1 [SSH=2222]   boots a Debian system, which it builds; SSH leads that port to it
#   make check              all tests; `make tests` only builds them, `make guest` only fetches and
#                           builds guest images
#   make check-nested       the kvm world on nested paging, in an emulated machine with SVM
#                           (docs/kvm-world.md); NESTED=full adds Debian's ARM kernel,
#                           NESTED=reduced is the part that `make check` runs
#   make module [KVER=…]    the kernel module, for the running kernel or another one of Debian's
#                           (docs/kernel-module.md)
#   make check-module       loads and tests it in an emulated machine; HOSTILE=seconds of its
#                           hostile program
#   make check-module-debug the same on a kernel with KASAN, lockdep and kmemleak, which it builds
#                           from Debian's sources
#   make bench [BENCH='…']  the benchmark, against QEMU; BENCH gives other options of
#                           `crosswalk bench`
#   make count [COUNT='…']  instructions per operation, on nested paging in an emulated machine
#                           (docs/counting.md)
#   make experiments        a matrix of modes, flush policies and workloads, with a report
#                           (docs/experiments.md); MATRIX=full, EXPERIMENT='…' gives options of
#                           scripts/experiments/run.py; `make rootfs` builds its Debian root image
#   make check-asan, check-tsan   tests and boots in builds with sanitizers (docs/testing.md);
#                           `make check` has a part of each
#   make fuzz FUZZ=NAME [TIME=seconds]   a fuzzer of tests/fuzz
#   make debug, asan, tsan  build/debug/crosswalk for gdb, build/asan/crosswalk and
#                           build/tsan/crosswalk with sanitizers (CONTRIBUTING.md)
#   make lint               formats, and clang-tidy of all sources; `make check` has those that
#                           changed
#   make format             clang-format of all sources, in place
#   make install [PREFIX=/usr/local] [DESTDIR=…]   program, manual page, bash completion, and the
#                           udev rule of the kernel module; `make uninstall` removes them
#   make deb                a Debian package, build/deb/crosswalk_VERSION_amd64.deb
#   make clean              removes what was built, but for guest images; `make distclean` all
BUILD ?= build
include scripts/progress.mk
# As many jobs as the machine has CPUs; `make -j N` says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
CCACHE := $(shell command -v ccache 2>/dev/null)
# Where ccache's folder cannot be written, as in a read-only HOME, it is in BUILD.
ifneq ($(CCACHE),)
ifeq ($(shell folder=`ccache -k cache_dir 2>/dev/null` && mkdir -p "$$folder/tmp" 2>/dev/null && [ -w "$$folder/tmp" ] && echo yes),)
export CCACHE_DIR := $(abspath $(BUILD))/ccache
endif
endif
CXX := $(CCACHE) g++
CXXFLAGS ?= -O2 -g1
BUILD_FLAGS := $(strip $(filter -O% -g% -march=%,$(CXXFLAGS)) $(and $(SANITIZE),SANITIZE=$(SANITIZE)))
# CpuState has its fields in bases, for whose offsets GCC and Clang define offsetof.
override CXXFLAGS += -std=c++20 -Wall -Wextra -Werror -Wno-invalid-offsetof -I. -MMD -MP -fno-strict-aliasing -pthread
# zstd's static library: each that is mapped makes windows a little slower.
LDLIBS := -lboost_program_options -lseccomp -lfdt -lelf -lcapstone -lfmt -l:libzstd.a -pthread

# Every .cc of these folders goes into one static library per folder tree.
LIB_DIRS := translator mmu-shadow vmm
lib_sources = $(filter-out vmm/main.cc vmm/version.cc,$(shell find $(1) -name '*.cc' | sort))
objects = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

all: $(BUILD)/crosswalk

# What has to be installed first: a section of the list for building, others for what needs them.
# Made again only when the list changes.
$(BUILD)/.packages: $(BUILD)/.packages-build
	@touch $@
$(BUILD)/.packages-%: scripts/packages.txt scripts/install-packages.sh
	@scripts/install-packages.sh $* $(STEP_OUTPUT)
	@mkdir -p $(@D) && touch $@
deps: $(BUILD)/.packages

define library
$(BUILD)/lib$(1).a: $(call objects,$(call lib_sources,$(1)))
	$$(call step,AR,$$@)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
$(foreach d,$(LIB_DIRS),$(eval $(call library,$(d))))
# PLAIN=FOLDER, in a build with sanitizers: translator/ is not of this build, but of that one.
PLAIN ?= $(BUILD)
LIBS := $(BUILD)/libvmm.a $(PLAIN)/libtranslator.a $(BUILD)/libmmu-shadow.a
LINK_LIBS := -Wl,--start-group $(LIBS) -Wl,--end-group

$(BUILD)/crosswalk: $(BUILD)/obj/vmm/main.o $(BUILD)/obj/vmm/version.o $(LIBS)
	$(call step,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LINK_LIBS) $(LDLIBS)

# What --version prints. Made anew when the commit changes, or whether the sources differ from it.
COMMIT = { git rev-parse --short=12 HEAD && { git diff --quiet HEAD || echo +; } || echo unknown; } 2>/dev/null | tr -d '\n'
$(BUILD)/.commit: $(if $(COUNTING),$(shell $(COMMIT) | cmp -s - $(BUILD)/.commit || echo FORCE),FORCE)
	@mkdir -p $(@D)
	@$(COMMIT) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/obj/vmm/version.o: $(BUILD)/.commit
$(BUILD)/obj/vmm/version.o: private override CXXFLAGS += -DCROSSWALK_COMMIT='"$(shell cat $(BUILD)/.commit 2>/dev/null)"' -DCROSSWALK_FLAGS='"$(BUILD_FLAGS)"'

# One test program per folder that holds *_test.cc: tests/translator/ir ->
# build/tests/translator-ir.
TEST_DIRS := $(sort $(patsubst %/,%,$(dir $(shell find tests -name '*_test.cc'))))
test_program = $(BUILD)/tests/$(subst /,-,$(patsubst tests/%,%,$(1)))
define test
$(call objects,$(wildcard $(1)/*.cc)): | $(BUILD)/.packages-tests
$(call test_program,$(1)): $(call objects,$(wildcard $(1)/*.cc)) $(LIBS)
	$$(call step,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CXX) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(LINK_LIBS) $$(LDLIBS) -lunicorn -lgtest -lgtest_main
endef
$(foreach d,$(TEST_DIRS),$(eval $(call test,$(d))))
# The torture test of MMUs runs in the worlds, too.
$(call test_program,tests/vmm/world): $(call objects,tests/mmu-shadow/accessors.cc tests/mmu-shadow/torture.cc)
TESTS := $(foreach d,$(TEST_DIRS),$(call test_program,$(d)))
tests: $(TESTS)

# PRECOMPILED, in a build with sanitizers: scripts/sanitizers.mk.
PRECOMPILED := $(if $(SANITIZE),$(BUILD)/precompiled.pch)
$(BUILD)/obj/%.o: %.cc $(PRECOMPILED) | $(BUILD)/.packages
	$(call step,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CXXFLAGS) $(addprefix -include-pch ,$(PRECOMPILED)) -c -o $@ $<

# Each block goes through these loops. A precompiled header fits one set of flags.
ifndef SANITIZE
$(BUILD)/obj/translator/x64/%.o $(BUILD)/obj/translator/arm32/frontend/%.o $(BUILD)/obj/translator/ir/passes/%.o: private override CXXFLAGS := $(CXXFLAGS:-O2=-O3)
endif

include scripts/guest-images.mk
include scripts/sanitizers.mk
include scripts/module.mk

# A wrong word is refused before anything is built or fetched. tests/boot/make.sh compares the
# lists with Crosswalk's.
ifneq ($(filter boot,$(MAKECMDGOALS)),)
one_of = $(if $($(1)),$(if $(filter-out $(2),$($(1)))$(word 2,$($(1))),$(error $(1)='$($(1))' is unknown; use one of: $(2))))
$(call one_of,MMU,auto $(shell scripts/modes.sh))
$(call one_of,WINDOWS,auto $(shell scripts/modes.sh --providers))
$(call one_of,FLUSH,lazy eager auto)
$(call one_of,WORLD,auto process kvm)
$(call one_of,KERNEL,armmp armmp-lpae installer)
$(call one_of,SMP,1 2 3 4 5 6 7 8)
endif
# Ctrl-A x, status 5, is how one leaves a guest.
boot: $(BUILD)/crosswalk $(BOOT_IMAGES) $(if $(NET),$(NET_IMAGES)) $(if $(SHARE),$(SHARE_IMAGES)) $(if $(filter-out 0,$(ROOT)),$(DEBIAN_IMAGES))
	@BUILD=$(BUILD) GUEST=$(GUEST) CMD='$(subst ','\'',$(value CMD))' MMU='$(MMU)' WINDOWS='$(WINDOWS)' FLUSH='$(FLUSH)' WORLD='$(WORLD)' KERNEL='$(KERNEL)' \
	  MEMORY='$(MEMORY)' SMP='$(SMP)' TIMEOUT='$(TIMEOUT)' APPEND='$(APPEND)' DISK='$(DISK)' NET='$(NET)' SHARE='$(subst ','\'',$(value SHARE))' STATS='$(STATS)' \
	  ROOT='$(ROOT)' SSH='$(SSH)' VERBOSE='$(VERBOSE)' scripts/boot.sh $(if $(value CMD),,|| { status=$$?; [ $$status = 5 ] || exit $$status; })

# Instructions counted in an emulated machine (docs/counting.md).
COUNT_TOOLS := $(BUILD)/count-tools/count-run $(BUILD)/count-tools/split.so
COUNT_GCC := gcc -O2 -std=gnu11 -Wall -Wextra -Werror
$(BUILD)/count-tools/count-run: tests/guests/count/count-run.c | $(BUILD)/.packages
	$(call step,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COUNT_GCC) -static -o $@ $<
$(BUILD)/count-tools/split.so: tests/guests/count/split.c | $(BUILD)/.packages
	$(call step,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COUNT_GCC) -shared -fPIC -fvisibility=hidden -o $@ $<

# What `check` builds: what ONLY matches, and for its scripts what they say that they need.
# Unexpanded, since a regular expression may hold a $.
only = '$(subst ','\'',$(value ONLY))'
ifneq ($(filter check,$(MAKECMDGOALS)),)
SELECTED := $(shell ONLY=$(only) scripts/check.sh --select $(TESTS) 2>&1)
ifneq ($(.SHELLSTATUS),0)
$(error $(SELECTED))
endif
endif
NEEDS_nothing =
NEEDS_crosswalk = $(BUILD)/crosswalk
NEEDS_bare = $(BARE_IMAGES)
NEEDS_smp = $(SMP_IMAGES)
NEEDS_boot = $(BOOT_IMAGES)
NEEDS_bench = $(BENCH_IMAGES)
NEEDS_symbols = $(BOOT_IMAGES) $(SYMBOL_IMAGES)
NEEDS_net = $(BOOT_IMAGES) $(NET_IMAGES)
NEEDS_share = $(BOOT_IMAGES) $(SHARE_IMAGES)
NEEDS_firmware = $(FIRMWARE_IMAGES)
NEEDS_deb = $(BUILD)/.packages-deb
NEEDS_debian = $(BOOT_IMAGES) $(DEBIAN_IMAGES)
NEEDS_rootfs = $(GUEST)/rootfs.ext4
NEEDS_sanitized = sanitized
NEEDS_fuzzers = sanitized-fuzzers
NEEDS_nested = $(BUILD)/.packages-machine $(BUILD)/crosswalk $(BUILD)/tests/vmm-world $(BUILD)/tests/vmm-host $(BUILD)/tests/mmu-shadow $(BARE_IMAGES) $(GUEST)/bare/hello-rom.elf $(SMP_IMAGES)
NEEDS_counts = $(BUILD)/.packages-machine $(BUILD)/crosswalk $(COUNT_TOOLS) $(BENCH_IMAGES)
NEEDS_module = $(BUILD)/.packages-machine $(MODULE_PROGRAMS)
NEEDS_lint = $(BUILD)/.packages $(BUILD)/.packages-lint $(BUILD)/compile_commands.json
NEEDS_everything = $(BUILD)/.packages-bench $(BUILD)/.packages-plots $(BUILD)/.packages-machine $(BUILD)/crosswalk $(TESTS) $(BENCH_IMAGES) $(SMP_IMAGES) $(NET_IMAGES) $(SHARE_IMAGES) $(SYMBOL_IMAGES) $(GUEST)/rootfs.ext4 $(COUNT_TOOLS) sanitized sanitized-fuzzers
check: $(BUILD)/.packages-tests $(BUILD)/.packages-boot $(filter $(TESTS),$(SELECTED)) $(foreach need,$(sort $(SELECTED)),$(NEEDS_$(need)))
	@BUILD=$(BUILD) GUEST=$(GUEST) ONLY=$(only) scripts/check.sh $(TESTS)

NESTED ?= normal
check-nested: $(BUILD)/.packages-machine $(BUILD)/crosswalk $(BUILD)/tests/vmm-world $(BUILD)/tests/vmm-host $(BUILD)/tests/mmu-shadow $(NESTED_IMAGES) $(BARE_IMAGES) $(GUEST)/bare/hello-rom.elf $(SMP_IMAGES) \
  $(if $(filter full,$(NESTED)),$(BOOT_IMAGES))
	@BUILD=$(BUILD) GUEST=$(GUEST) NESTED=$(NESTED) scripts/check-nested.sh

BENCH ?= --baseline qemu
bench: $(BUILD)/.packages-bench $(BUILD)/crosswalk $(BENCH_IMAGES)
	$(BUILD)/crosswalk bench --images $(GUEST) $(BENCH)

# Without a list of workloads, all are counted.
COUNT_PROGRAMS = $(or $(findstring program,$(COUNT)),$(if $(findstring =,$(COUNT))$(findstring --workloads,$(COUNT)),,all))
count: $(BUILD)/.packages-machine $(BUILD)/crosswalk $(COUNT_TOOLS) $(NESTED_IMAGES) $(BENCH_IMAGES) $(if $(COUNT_PROGRAMS),$(PROGRAM_IMAGES))
	scripts/count/run.py --crosswalk $(BUILD)/crosswalk --images $(GUEST) --tools $(BUILD)/count-tools --output $(BUILD)/count $(COUNT)

MATRIX ?= quick
experiments: $(BUILD)/.packages-bench $(BUILD)/.packages-plots $(BUILD)/crosswalk $(BENCH_IMAGES) $(if $(filter quick,$(MATRIX)),,$(GUEST)/rootfs.ext4)
	scripts/experiments/run.py --matrix $(MATRIX) --crosswalk $(BUILD)/crosswalk --images $(GUEST) $(EXPERIMENT)

# For gdb.
debug:
	+$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/debug GUEST=$(GUEST) CXXFLAGS='-Og -g3'

# Commands of the compiler, for clang-tidy and clangd.
$(BUILD)/compile_commands.json: FORCE | $(BUILD)/.packages-boot
	@scripts/compile-commands.py $@ $(CXXFLAGS)
FORCE:

lint: $(BUILD)/.packages $(BUILD)/.packages-lint $(BUILD)/compile_commands.json
	@scripts/lint.py --build $(BUILD) --all

format:
	git ls-files '*.cc' '*.h' '*.c' | xargs clang-format -i

# --- installing -----------------------------------------------------------------------------------
PREFIX ?= /usr/local
INSTALLED = bin/crosswalk share/man/man1/crosswalk.1 share/bash-completion/completions/crosswalk lib/udev/rules.d/60-crosswalk.rules
$(BUILD)/crosswalk.1: packaging/crosswalk.1.in scripts/make-man.py $(BUILD)/crosswalk | $(BUILD)/.packages-boot
	$(call step,MAN,$@)
	$(Q)scripts/make-man.py $(BUILD)/crosswalk $< >$@.new && mv $@.new $@
install: $(BUILD)/crosswalk $(BUILD)/crosswalk.1
	install -D -m 755 $(BUILD)/crosswalk $(DESTDIR)$(PREFIX)/bin/crosswalk
	install -D -m 644 $(BUILD)/crosswalk.1 $(DESTDIR)$(PREFIX)/share/man/man1/crosswalk.1
	install -D -m 644 packaging/crosswalk.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/crosswalk
	install -D -m 644 kernel-module/60-crosswalk.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-crosswalk.rules
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(INSTALLED))

# A Debian package, in BUILD/deb. The objects that are there serve it, where they are of the same
# sources.
DEB_VERSION = $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
deb: $(BUILD)/.packages $(BUILD)/.packages-deb $(BUILD)/crosswalk.1
	$(call step,DEB,$(BUILD)/deb)
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/crosswalk-$(DEB_VERSION)
	@git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t $(BUILD)/deb/crosswalk-$(DEB_VERSION)
	+$(Q)cd $(BUILD)/deb/crosswalk-$(DEB_VERSION) && env -u MAKEFLAGS BUILD=$(abspath $(BUILD)) dpkg-buildpackage -b -nc -us -uc
	@rm -r $(BUILD)/deb/crosswalk-$(DEB_VERSION)

# Guest images, the kernel of check-module-debug and ccache's folder stay; the next `make` looks
# again whether packages are missing.
clean:
	[ ! -d $(BUILD) ] || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name guest ! -name debug-kernel ! -name ccache -exec rm -rf {} +
distclean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.PHONY: all deps tests boot debug asan tsan check check-nested bench count experiments lint format install uninstall deb clean distclean FORCE check-asan check-tsan sanitized sanitized-fuzzers fuzz
