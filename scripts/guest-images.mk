# SPDX-License-Identifier: GPL-2.0-or-later
# Guest images: Debian's kernels and busybox (fetched), initramfs archives, benchmark and bare-metal
# programs. They do not depend on BUILD: GUEST selects another place.
GUEST ?= build/guest
GUEST_KERNELS := armmp armmp-lpae

$(GUEST)/fetched: scripts/fetch-guest.sh | scripts/fetch-into.sh scripts/private-apt.sh $(BUILD)/.packages $(BUILD)/.packages-boot
	$(call step,FETCH,$@)
	$(Q)scripts/fetch-guest.sh $(GUEST) $(STEP_OUTPUT)
	@touch $@

# --- U-Boot, UEFI firmware and GRUB, for the tests of flash ---------------------------------------
$(GUEST)/firmware/fetched: scripts/fetch-firmware.sh | scripts/fetch-into.sh scripts/private-apt.sh $(BUILD)/.packages $(BUILD)/.packages-firmware
	$(call step,FETCH,$@)
	$(Q)scripts/fetch-firmware.sh $(GUEST)/firmware $(STEP_OUTPUT)
	@touch $@

# --- the machine of `make check-nested` -----------------------------------------------------------
$(GUEST)/nested/fetched: scripts/fetch-nested.sh | scripts/fetch-into.sh scripts/private-apt.sh $(BUILD)/.packages
	$(call step,FETCH,$@)
	$(Q)scripts/fetch-nested.sh $(GUEST)/nested $(STEP_OUTPUT)
NESTED_IMAGES := $(GUEST)/nested/fetched

# --- initramfs archives ---------------------------------------------------------------------------
INIT_FILES := $(addprefix tests/guests/linux/,init load-ext4 run-programs) tests/guests/commands.sh
$(GUEST)/initrd-%.gz: $(GUEST)/fetched $(INIT_FILES) scripts/make-initramfs.py
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@ dir:bin:755 dir:dev:755 dir:proc:755 dir:sys:755 dir:tmp:1777 dir:modules:755 \
	  nod:dev/console:600:c:5:1 nod:dev/null:666:c:1:3 file:init:755:tests/guests/linux/init \
	  file:bin/busybox:755:$(GUEST)/busybox slink:bin/sh:busybox file:bin/load-ext4:755:tests/guests/linux/load-ext4 \
	  file:bin/run-programs:755:tests/guests/linux/run-programs \
	  file:commands.sh:755:tests/guests/commands.sh tree:modules/`cat $(GUEST)/$*/version`:$(GUEST)/$*/modules

# With the network card's modules, which `network` loads.
NET_MODULES := failover net_failover virtio_net
$(GUEST)/net/modules-%/built: scripts/unpack-modules.sh $(GUEST)/fetched
	$(call step,GEN,$@)
	$(Q)scripts/unpack-modules.sh $(GUEST) $* $(@D) $(NET_MODULES)
	@touch $@
$(GUEST)/net/initrd-%.gz: $(GUEST)/initrd-%.gz $(GUEST)/net/modules-%/built tests/guests/linux/network scripts/make-initramfs.py
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@.part.gz dir:modules/`cat $(GUEST)/$*/version`:755 \
	  $(foreach module,$(NET_MODULES),file:modules/`cat $(GUEST)/$*/version`/$(module).ko:644:$(GUEST)/net/modules-$*/$(module).ko) \
	  file:bin/network:755:tests/guests/linux/network
	$(Q)cat $< $@.part.gz >$@.new && rm $@.part.gz && mv $@.new $@
NET_IMAGES := $(foreach kernel,$(GUEST_KERNELS),$(GUEST)/net/initrd-$(kernel).gz)

# With those of virtio-9p too, which `share` loads, and a program that tests files.
SHARE_MODULES := netfs fscache 9pnet 9pnet_virtio 9p
$(GUEST)/share/modules-%/built: scripts/unpack-modules.sh $(GUEST)/fetched
	$(call step,GEN,$@)
	$(Q)scripts/unpack-modules.sh $(GUEST) $* $(@D) $(SHARE_MODULES)
	@touch $@
$(GUEST)/share/initrd-%.gz: $(GUEST)/net/initrd-%.gz $(GUEST)/share/modules-%/built tests/guests/linux/share $(GUEST)/linux/fsx scripts/make-initramfs.py
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@.part.gz dir:modules/`cat $(GUEST)/$*/version`:755 \
	  $(foreach module,$(SHARE_MODULES),file:modules/`cat $(GUEST)/$*/version`/$(module).ko:644:$(GUEST)/share/modules-$*/$(module).ko) \
	  file:bin/share:755:tests/guests/linux/share file:bin/fsx:755:$(GUEST)/linux/fsx
	$(Q)cat $< $@.part.gz >$@.new && rm $@.part.gz && mv $@.new $@
SHARE_IMAGES := $(foreach kernel,$(GUEST_KERNELS),$(GUEST)/share/initrd-$(kernel).gz)

# --- symbols of Debian's kernels, as the running guest lists them ---------------------------------
$(GUEST)/%/symbols.elf: $(GUEST)/initrd-%.gz scripts/symbols-elf.py | $(BUILD)/crosswalk
	$(call step,GEN,$@)
	$(Q)$(BUILD)/crosswalk run --mmu soft --kernel $(GUEST)/$*/vmlinuz --initrd $< --timeout 600 \
	  --append 'console=ttyAMA0 quiet -- cat /proc/kallsyms' </dev/null >$@.map
	$(Q)scripts/symbols-elf.py $@.map $@ && rm $@.map
SYMBOL_IMAGES := $(GUEST)/armmp/symbols.elf

# --- the Debian system of `make boot ROOT=1` ------------------------------------------------------
DEBIAN_MODULES := $(NET_MODULES) $(SHARE_MODULES) autofs4
$(GUEST)/debian/modules-%/built: scripts/unpack-modules.sh scripts/guest-images.mk $(GUEST)/fetched
	$(call step,GEN,$@)
	$(Q)scripts/unpack-modules.sh $(GUEST) $* $(@D) $(DEBIAN_MODULES)
	@touch $@
$(GUEST)/debian/initrd-%.gz: $(GUEST)/initrd-%.gz $(GUEST)/debian/modules-%/built scripts/debian/debian-root scripts/make-initramfs.py
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@.part.gz dir:modules/`cat $(GUEST)/$*/version`:755 \
	  $(foreach module,$(DEBIAN_MODULES),file:modules/`cat $(GUEST)/$*/version`/$(module).ko:644:$(GUEST)/debian/modules-$*/$(module).ko) \
	  file:bin/debian-root:755:scripts/debian/debian-root
	$(Q)cat $< $@.part.gz >$@.new && rm $@.part.gz && mv $@.new $@
# The image is the user's: it is made when it is missing, and never again by itself.
$(GUEST)/debian.ext4: | $(BUILD)/crosswalk $(GUEST)/initrd-armmp.gz $(BUILD)/.packages-root
	$(call step,FETCH,$@)
	$(Q)BUILD=$(BUILD) GUEST=$(GUEST) scripts/debian/build.sh $@ $(GUEST)/debian/apt $(STEP_OUTPUT)
$(GUEST)/debian-key: | $(BUILD)/.packages-root
	$(call step,GEN,$@)
	@mkdir -p $(@D)
	$(Q)ssh-keygen -q -t ed25519 -N '' -C crosswalk -f $@
DEBIAN_IMAGES := $(foreach kernel,$(GUEST_KERNELS),$(GUEST)/debian/initrd-$(kernel).gz) $(GUEST)/debian.ext4 $(GUEST)/debian-key

# --- a Debian root image with programs for the experiments, and the same programs of amd64 --------
$(GUEST)/rootfs.ext4 $(GUEST)/programs-native.tar: scripts/build-rootfs.sh scripts/private-apt.sh scripts/experiments/programs.sh \
  scripts/experiments/make-inputs.py | $(BUILD)/.packages $(BUILD)/.packages-root
	$(call step,FETCH,$@)
	$(Q)scripts/build-rootfs.sh $@ $(GUEST)/apt-$(basename $(@F)) $(STEP_OUTPUT)
PROGRAM_IMAGES := $(GUEST)/rootfs.ext4 $(GUEST)/programs-native.tar

$(GUEST)/initrd-bench.gz: $(GUEST)/bench/bench-linux $(GUEST)/bench/bench-linux-pie scripts/make-initramfs.py | $(BUILD)/.packages-boot
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@ dir:dev:755 dir:proc:755 nod:dev/console:600:c:5:1 nod:dev/null:666:c:1:3 \
	  file:bench-linux:755:$< file:bench-linux-pie:755:$<-pie dir:lib:755 \
	  $(foreach library,ld-linux-armhf.so.3 libc.so.6,file:lib/$(library):755:/usr/arm-linux-gnueabihf/lib/$(library))

# --- the Linux benchmark: Thumb-2 and VFPv3-D16 as Debian armhf is, Advanced SIMD in one file ---
BENCH_CFLAGS := -O2 -std=gnu11 -Wall -Wextra -Werror -I.
BENCH_SOURCES := $(filter-out %/pie.c,$(wildcard tests/guests/bench/*.c))
BENCH_HEADERS := tests/guests/bench/bench.h tests/guests/chase.h tests/guests/random.h
ARM_LINUX_GCC := arm-linux-gnueabihf-gcc $(BENCH_CFLAGS) -march=armv7-a -mthumb -mfloat-abi=hard
$(GUEST)/bench/%.o: tests/guests/bench/%.c $(BENCH_HEADERS) | $(BUILD)/.packages-guests
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM_LINUX_GCC) -mfpu=$(if $(filter %_simd,$*),neon,vfpv3-d16) -c -o $@ $<
$(GUEST)/bench/bench-linux: $(patsubst tests/guests/bench/%.c,$(GUEST)/bench/%.o,$(BENCH_SOURCES))
	$(call step,LINK,$@)
	$(Q)$(ARM_LINUX_GCC) -static -o $@ $^
$(GUEST)/bench/bench-linux-pie: $(GUEST)/bench/pie.o
	$(call step,LINK,$@)
	$(Q)$(ARM_LINUX_GCC) -pie -o $@ $<
$(GUEST)/bench/pie.o: private BENCH_CFLAGS += -fPIE
$(GUEST)/bench/bench-native-pie: tests/guests/bench/pie.c | $(BUILD)/.packages
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(BENCH_CFLAGS) -fPIE -pie -o $@ $<
$(GUEST)/bench/bench-native: $(BENCH_SOURCES) $(BENCH_HEADERS) | $(BUILD)/.packages
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)gcc $(BENCH_CFLAGS) -o $@ $(BENCH_SOURCES)

# --- programs that tests/boot puts into a second archive ------------------------------------------
$(GUEST)/linux/%: tests/guests/linux/%.c | $(BUILD)/.packages-guests
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(ARM_LINUX_GCC) -mfpu=vfpv3-d16 -static -o $@ $<

# --- bare-metal programs: linked where QEMU's virt machine loads raw binaries ---------------------
BARE_PROGRAMS := $(patsubst tests/guests/bare/%.c,%,$(filter-out tests/guests/bare/runtime.c,$(wildcard tests/guests/bare/*.c)))
BARE_GCC := arm-none-eabi-gcc -O2 -std=gnu11 -Wall -Wextra -Werror -I. -ffreestanding -nostdlib -mcpu=cortex-a15 -marm \
  -mfpu=neon-vfpv4 -mfloat-abi=hard -mno-unaligned-access -fno-tree-loop-distribute-patterns
BARE_RUNTIME := tests/guests/bare/start.S tests/guests/bare/runtime.c
$(GUEST)/bare/%.elf: tests/guests/bare/%.c $(BARE_RUNTIME) tests/guests/bare/runtime.h tests/guests/chase.h tests/guests/random.h tests/guests/bare/link.ld | $(BUILD)/.packages-guests
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(BARE_GCC) -T tests/guests/bare/link.ld -o $@ $(BARE_RUNTIME) $< -lgcc
# The same in flash at 0.
$(GUEST)/bare/%-rom.elf: tests/guests/bare/%.c $(BARE_RUNTIME) tests/guests/bare/runtime.h tests/guests/bare/rom.ld | $(BUILD)/.packages-guests
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(BARE_GCC) -T tests/guests/bare/rom.ld -o $@ $(BARE_RUNTIME) $< -lgcc
$(GUEST)/bare/%.bin: $(GUEST)/bare/%.elf
	$(call step,BIN,$@)
	$(Q)arm-none-eabi-objcopy -O binary $< $@

# --- bare-metal programs for several CPUs ---------------------------------------------------------
SMP_PROGRAMS := $(patsubst tests/guests/smp/%.c,%,$(filter-out tests/guests/smp/runtime.c,$(wildcard tests/guests/smp/*.c)))
SMP_RUNTIME := tests/guests/smp/start.S tests/guests/smp/runtime.c tests/guests/bare/runtime.c
# Interrupts and aborts keep the general registers alone.
SMP_GCC := $(filter-out -mfpu=% -mfloat-abi=%,$(BARE_GCC)) -mgeneral-regs-only -ffunction-sections -Wl,--gc-sections
$(GUEST)/smp/%.elf: tests/guests/smp/%.c $(SMP_RUNTIME) tests/guests/smp/smp.h tests/guests/bare/runtime.h tests/guests/bare/link.ld | $(BUILD)/.packages-guests
	$(call step,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(SMP_GCC) -T tests/guests/bare/link.ld -o $@ $(SMP_RUNTIME) $< -lgcc
$(GUEST)/smp/%.bin: $(GUEST)/smp/%.elf
	$(call step,BIN,$@)
	$(Q)arm-none-eabi-objcopy -O binary $< $@
SMP_IMAGES := $(foreach program,$(SMP_PROGRAMS),$(GUEST)/smp/$(program).elf $(GUEST)/smp/$(program).bin)

# --- what scripts/smp/debian.sh boots: torture modules, tests, a root image with stress-ng, make
$(GUEST)/smp/torture/built: scripts/smp/build-torture.sh $(GUEST)/fetched | scripts/private-apt.sh $(BUILD)/.packages
	$(call step,FETCH,$@)
	$(Q)scripts/smp/build-torture.sh $(GUEST)/smp/torture $(foreach kernel,$(GUEST_KERNELS),`cat $(GUEST)/$(kernel)/version`)
	@touch $@
$(GUEST)/smp/initrd-%.gz: $(GUEST)/initrd-%.gz $(GUEST)/smp/torture/built $(GUEST)/linux/several tests/guests/linux/several-cpus
	$(call step,GEN,$@)
	$(Q)scripts/make-initramfs.py $@.part.gz dir:smp-modules:755 tree:smp-modules/`cat $(GUEST)/$*/version`:$(GUEST)/smp/torture/`cat $(GUEST)/$*/version` \
	  file:bin/several:755:$(GUEST)/linux/several file:bin/several-cpus:755:tests/guests/linux/several-cpus
	$(Q)cat $< $@.part.gz >$@.new && rm $@.part.gz && mv $@.new $@
$(GUEST)/smp/rootfs.ext4: scripts/build-rootfs.sh scripts/private-apt.sh scripts/experiments/programs.sh scripts/experiments/make-inputs.py | $(BUILD)/.packages $(BUILD)/.packages-root
	$(call step,FETCH,$@)
	$(Q)PACKAGES="stress-ng make" scripts/build-rootfs.sh $@ $(GUEST)/smp/apt-rootfs
SMP_DEBIAN_IMAGES := $(foreach kernel,$(GUEST_KERNELS),$(GUEST)/smp/initrd-$(kernel).gz) $(GUEST)/smp/rootfs.ext4
guest-smp: $(SMP_IMAGES) $(SMP_DEBIAN_IMAGES)
.PHONY: guest-smp

FIRMWARE_IMAGES := $(GUEST)/firmware/fetched $(GUEST)/bare/hello-rom.elf
BARE_IMAGES := $(foreach program,$(BARE_PROGRAMS),$(GUEST)/bare/$(program).elf $(GUEST)/bare/$(program).bin)
BOOT_IMAGES := $(GUEST)/fetched $(foreach kernel,$(GUEST_KERNELS),$(GUEST)/initrd-$(kernel).gz)
BENCH_IMAGES := $(BOOT_IMAGES) $(GUEST)/initrd-bench.gz $(GUEST)/bench/bench-native $(GUEST)/bench/bench-native-pie $(BARE_IMAGES) \
  $(GUEST)/linux/debugger

guest: $(BENCH_IMAGES) $(SMP_IMAGES) $(NET_IMAGES) $(SHARE_IMAGES) $(SYMBOL_IMAGES) $(FIRMWARE_IMAGES)
rootfs: $(PROGRAM_IMAGES)
.PHONY: guest rootfs
.SECONDARY:
