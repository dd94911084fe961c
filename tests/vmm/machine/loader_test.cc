// SPDX-License-Identifier: GPL-2.0-or-later
// Loaders and device tree: where things go, what the tree says, and what damaged files give.
#include <elf.h>
#include <gtest/gtest.h>
#include <libfdt.h>

#include <cstring>
#include <random>

#include "tests/vmm/test_files.h"
#include "vmm/base/file.h"
#include "vmm/machine/loader/device_tree.h"
#include "vmm/machine/loader/guest_memory.h"
#include "vmm/machine/loader/loader.h"

namespace crosswalk::vmm {
namespace {

using Bytes = std::vector<uint8_t>;

void put32(Bytes& bytes, size_t offset, uint32_t value) {
  if (bytes.size() < offset + 4) bytes.resize(offset + 4);
  std::memcpy(bytes.data() + offset, &value, 4);
}

Bytes raw_image(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 13 + 1);
  return bytes;
}

Bytes zimage(uint32_t size) {
  Bytes bytes = raw_image(size);
  put32(bytes, 0x24, 0x016f2818);
  put32(bytes, 0x28, 0);
  put32(bytes, 0x2c, size);
  return bytes;
}

struct Segment {
  uint32_t vaddr, paddr, filesz, memsz;
};

// A minimal ELF file; segment i's bytes are all 0xa0 + i.
Bytes elf(uint32_t entry, const std::vector<Segment>& segments) {
  Elf32_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_ARM;
  header.e_version = EV_CURRENT;
  header.e_entry = entry;
  header.e_ehsize = sizeof header;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf32_Phdr);
  header.e_phnum = static_cast<uint16_t>(segments.size());
  Bytes bytes(sizeof header + segments.size() * sizeof(Elf32_Phdr));
  std::memcpy(bytes.data(), &header, sizeof header);
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    const Elf32_Phdr program{
        PT_LOAD, static_cast<uint32_t>(bytes.size()), s.vaddr, s.paddr, s.filesz, s.memsz, PF_R | PF_X, 4};
    std::memcpy(bytes.data() + sizeof header + i * sizeof program, &program, sizeof program);
    bytes.insert(bytes.end(), s.filesz, static_cast<uint8_t>(0xa0 + i));
  }
  return bytes;
}

class LoaderTest : public testing::Test {
 protected:
  explicit LoaderTest(bool flash = false) : memory_(allocate(flash)) {}
  static GuestMemory allocate(bool flash) {
    auto memory = GuestMemory::allocate(uint64_t{64} << 20, false, flash);
    if (!memory) throw std::runtime_error(memory.error());
    return std::move(*memory);
  }
  Result<BootState> load(const Bytes& kernel) {
    const TestFile file(kernel);
    BootConfig config = config_;
    config.kernel = file.path();
    return load_guest(memory_.ram(), config);
  }
  std::string error_of(const Bytes& kernel) {
    auto loaded = load(kernel);
    return loaded ? "" : loaded.error();
  }
  const uint8_t* at(uint64_t pa) const { return memory_.ram().at(pa); }
  const void* tree(const BootState& boot) const { return at(boot.dtb_start); }

  GuestMemory memory_;
  BootConfig config_;
};

std::string string_property(const void* fdt, const char* path, const char* name) {
  int length = 0;
  const int node = fdt_path_offset(fdt, path);
  if (node < 0) return "(no node)";
  const char* value = static_cast<const char*>(fdt_getprop(fdt, node, name, &length));
  return value ? std::string(value, static_cast<size_t>(length)) : "(none)";
}

std::vector<uint32_t> cells(const void* fdt, const char* path, const char* name) {
  int length = 0;
  const int node = fdt_path_offset(fdt, path);
  if (node < 0) return {};
  const auto* value = static_cast<const fdt32_t*>(fdt_getprop(fdt, node, name, &length));
  std::vector<uint32_t> out;
  for (int i = 0; value && i < length / 4; ++i) out.push_back(fdt32_to_cpu(value[i]));
  return out;
}

TEST_F(LoaderTest, RawImageAndZImageEnterAsQemuDoes) {
  for (const Bytes& kernel : {raw_image(5000), zimage(5000)}) {
    auto boot = load(kernel);
    ASSERT_TRUE(boot) << boot.error();
    EXPECT_EQ(boot->pc, 0x40010000u);
    EXPECT_FALSE(boot->thumb);
    EXPECT_EQ(boot->r0, 0u);
    EXPECT_EQ(boot->r1, 0xffffffffu);
    EXPECT_EQ(boot->r2, 0x42000000u);  // RAM base + min(RAM/2, 128 MiB)
    EXPECT_EQ(std::memcmp(at(0x40010000), kernel.data(), kernel.size()), 0);
    EXPECT_EQ(fdt_check_full(tree(*boot), boot->dtb_end - boot->dtb_start), 0);
  }
}

TEST_F(LoaderTest, InitrdAndCommandLine) {
  const TestFile initrd(raw_image(3000));
  config_.initrd = initrd.path();
  config_.append = "console=ttyAMA0 quiet";
  auto boot = load(zimage(6000));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->initrd_start, 0x42000000u);
  EXPECT_EQ(boot->initrd_end, 0x42000bb8u);
  EXPECT_EQ(boot->r2, 0x42001000u);
  EXPECT_EQ(std::memcmp(at(0x42000000), raw_image(3000).data(), 3000), 0);
  EXPECT_EQ(cells(tree(*boot), "/chosen", "linux,initrd-start"), std::vector<uint32_t>{0x42000000});
  EXPECT_EQ(cells(tree(*boot), "/chosen", "linux,initrd-end"), std::vector<uint32_t>{0x42000bb8});
  EXPECT_STREQ(string_property(tree(*boot), "/chosen", "bootargs").c_str(), "console=ttyAMA0 quiet");
}

TEST_F(LoaderTest, InitrdMovesBehindALargeKernel) {
  const TestFile initrd(raw_image(10));
  config_.initrd = initrd.path();
  auto boot = load(raw_image(40 << 20));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->initrd_start, 0x40010000u + (40 << 20));
}

TEST_F(LoaderTest, ElfGoesToItsPhysicalAddresses) {
  auto boot = load(elf(0x40100001, {{0x40100000, 0x40100000, 64, 256}, {0x80000000, 0x40200000, 32, 32}}));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->pc, 0x40100000u);
  EXPECT_TRUE(boot->thumb);
  EXPECT_EQ(boot->r1, 0u);
  EXPECT_EQ(*at(0x4010003f), 0xa0);
  EXPECT_EQ(*at(0x40100040), 0x00);
  EXPECT_EQ(*at(0x4020001f), 0xa1);
  EXPECT_EQ(boot->image_end, 0x40200020u);
  EXPECT_EQ(boot->dtb_start, 0x40000000u);  // bare-metal programs find the tree at RAM's base
  EXPECT_EQ(fdt_check_header(at(0x40000000)), 0);
}

TEST_F(LoaderTest, ElfLinkedVirtualStartsAtItsPhysicalEntry) {
  auto boot = load(elf(0xc0008010, {{0xc0008000, 0x40008000, 64, 64}}));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->pc, 0x40008010u);
}

TEST_F(LoaderTest, TreeIsLeftOutWhereTheImageIs) {
  auto boot = load(elf(0x40000000, {{0x40000000, 0x40000000, 64, 64}}));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->dtb_start, 0u);
  EXPECT_EQ(*at(0x40000000), 0xa0);
  EXPECT_TRUE(load(elf(0x40000100, {{0x40000100, 0x40000100, 64, 64}})));
}

TEST_F(LoaderTest, BadKernelsGiveErrors) {
  EXPECT_NE(error_of({}).find("empty"), std::string::npos);
  EXPECT_NE(error_of({0x1f, 0x8b, 8, 0}).find("gunzip"), std::string::npos);
  EXPECT_NE(error_of(raw_image(65 << 20)).find("--memory"), std::string::npos);
  Bytes truncated = zimage(100'000);
  truncated.resize(50'000);
  EXPECT_NE(error_of(truncated).find("truncated"), std::string::npos);
  Bytes reversed = zimage(5000);
  put32(reversed, 0x28, 6000);
  EXPECT_NE(error_of(reversed).find("damaged"), std::string::npos);
  Bytes arm64 = raw_image(100);
  put32(arm64, 0x38, 0x644d5241);
  EXPECT_NE(error_of(arm64).find("64-bit"), std::string::npos);
  EXPECT_NE(error_of(elf(0, {{0, 0, 64, 64}})).find("RAM is 0x40000000-0x44000000"), std::string::npos);
  EXPECT_NE(error_of(elf(0, {{0x43fffff0, 0x43fffff0, 8, 64}})).find("RAM is"), std::string::npos);
  EXPECT_NE(error_of(elf(0, {{0x40000000, 0x40000000, 64, 0xffffffff}})).find("RAM is"), std::string::npos);
  EXPECT_NE(error_of(elf(0x40000000, {})).find("program headers"), std::string::npos);
  Bytes wrong = elf(0x40000000, {{0x40000000, 0x40000000, 64, 64}});
  wrong[18] = EM_X86_64;
  EXPECT_NE(error_of(wrong).find("not a 32-bit little-endian Arm"), std::string::npos);
}

TEST_F(LoaderTest, InitrdWithElfIsRefused) {
  const TestFile initrd(raw_image(10));
  config_.initrd = initrd.path();
  EXPECT_NE(error_of(elf(0x40100000, {{0x40100000, 0x40100000, 64, 64}})).find("--initrd"), std::string::npos);
}

TEST_F(LoaderTest, TooLargeInitrd) {
  const TestFile initrd(raw_image(33 << 20));
  config_.initrd = initrd.path();
  EXPECT_NE(error_of(zimage(5000)).find("--initrd"), std::string::npos);
}

// Every truncation, and random damage: an error or a loaded image, never a crash.
TEST_F(LoaderTest, DamagedElfFiles) {
  const Bytes good = elf(0x40100000, {{0x40100000, 0x40100000, 64, 256}, {0x40200000, 0x40200000, 32, 32}});
  unsigned refused = 0;
  for (size_t size = 4; size < good.size(); ++size)
    refused += !error_of(Bytes(good.begin(), good.begin() + static_cast<long>(size))).empty();
  EXPECT_EQ(refused, good.size() - 4);
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  refused = 0;
  for (int i = 0; i < 2000; ++i) {
    Bytes bad = good;
    for (int j = 0; j < 3; ++j) bad[4 + random() % 110] = static_cast<uint8_t>(random());
    refused += !error_of(bad).empty();
  }
  EXPECT_GT(refused, 200u);
}

TEST_F(LoaderTest, MalformedDeviceTrees) {
  auto good = build_device_tree({"arm,cortex-a15"});
  ASSERT_TRUE(good);
  const auto attempt = [&](const Bytes& content) {
    const TestFile file(content);
    config_.dtb = file.path();
    return error_of(raw_image(100));
  };
  EXPECT_EQ(attempt(*good), "");
  EXPECT_NE(attempt(raw_image(500)).find("not a valid device tree"), std::string::npos);
  EXPECT_NE(attempt({}).find("empty"), std::string::npos);
  for (size_t size : {size_t{3}, size_t{39}, size_t{100}, good->size() / 2, good->size() - 1}) {
    EXPECT_NE(attempt(Bytes(good->begin(), good->begin() + static_cast<long>(size))).find("--dtb"), std::string::npos)
        << size;
  }
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    Bytes bad = *good;
    for (int j = 0; j < 4; ++j) bad[random() % bad.size()] = static_cast<uint8_t>(random());
    attempt(bad);
  }
  // In an old format the root's name must hold a slash, which libfdt takes for granted.
  Bytes old(good->begin(), good->end());
  old[0x17] = 4;
  old[0x1b] = 0;
  EXPECT_NE(attempt(old).find("version 4"), std::string::npos);
  config_.dtb = "/nonexistent";
  EXPECT_NE(error_of(raw_image(100)).find("--dtb"), std::string::npos);
}

TEST_F(LoaderTest, UserDeviceTreeIsPatched) {
  Bytes blob(4096);
  ASSERT_EQ(fdt_create_empty_tree(blob.data(), 4096), 0);
  ASSERT_EQ(fdt_setprop_u32(blob.data(), 0, "#address-cells", 1), 0);
  ASSERT_EQ(fdt_setprop_u32(blob.data(), 0, "#size-cells", 1), 0);
  const int memory = fdt_add_subnode(blob.data(), 0, "memory@80000000");
  ASSERT_EQ(fdt_setprop_string(blob.data(), memory, "device_type", "memory"), 0);
  const TestFile file(blob);
  config_.dtb = file.path();
  config_.append = "hello";
  auto boot = load(raw_image(100));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_LT(fdt_path_offset(tree(*boot), "/memory@80000000"), 0);
  EXPECT_EQ(cells(tree(*boot), "/memory@40000000", "reg"), (std::vector<uint32_t>{0x40000000, 0x4000000}));
  EXPECT_STREQ(string_property(tree(*boot), "/chosen", "bootargs").c_str(), "hello");
  EXPECT_STREQ(string_property(tree(*boot), "/psci", "method").c_str(), "hvc");
  ASSERT_EQ(fdt_setprop_u32(blob.data(), 0, "#size-cells", 0), 0);
  const TestFile bad(blob);
  config_.dtb = bad.path();
  EXPECT_NE(error_of(raw_image(100)).find("#size-cells"), std::string::npos);
}

// Compares a property of every node of ours with QEMU's tree, where QEMU has it.
void compare_nodes(const void* ours, const void* qemu) {
  unsigned compared = 0;
  char path[256];
  for (int node = fdt_next_node(ours, -1, nullptr); node >= 0; node = fdt_next_node(ours, node, nullptr)) {
    ASSERT_EQ(fdt_get_path(ours, node, path, sizeof path), 0);
    const int theirs = fdt_path_offset(qemu, path);
    ASSERT_GE(theirs, 0) << path << " is not in QEMU's tree";
    int property;
    fdt_for_each_property_offset(property, ours, node) {
      const char* name;
      int length, their_length;
      const void* value = fdt_getprop_by_offset(ours, property, &name, &length);
      const std::string seed = name;
      if (seed == "rng-seed" || seed == "kaslr-seed") continue;  // random
      if (std::string(path) == "/pmu") continue;                 // empty in QEMU for ARMv7
      const void* their_value = fdt_getprop(qemu, theirs, name, &their_length);
      ASSERT_NE(their_value, nullptr) << path << ":" << name;
      EXPECT_EQ(length, their_length) << path << ":" << name;
      if (length == their_length) {
        EXPECT_EQ(std::memcmp(value, their_value, static_cast<size_t>(length)), 0) << path << ":" << name;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 170u);
  // And nothing of QEMU's is missing but what the board leaves out.
  const std::string omitted[] = {"/platform-bus", "/pcie", "/intc@8000000/v2m"};
  for (int node = fdt_next_node(qemu, -1, nullptr); node >= 0; node = fdt_next_node(qemu, node, nullptr)) {
    ASSERT_EQ(fdt_get_path(qemu, node, path, sizeof path), 0);
    bool expected = true;
    for (const std::string& prefix : omitted) expected = expected && std::string(path).rfind(prefix, 0) != 0;
    if (!expected) continue;
    EXPECT_GE(fdt_path_offset(ours, path), 0) << path;
  }
}

TEST_F(LoaderTest, DeviceTreeAnnouncesThePerformanceMonitors) {
  auto boot = load(raw_image(100));
  ASSERT_TRUE(boot) << boot.error();
  const void* fdt = tree(*boot);
  const int node = fdt_path_offset(fdt, "/pmu");
  ASSERT_GE(node, 0);
  EXPECT_STREQ(static_cast<const char*>(fdt_getprop(fdt, node, "compatible", nullptr)), "arm,cortex-a15-pmu");
  int length = 0;
  const auto* cells = static_cast<const fdt32_t*>(fdt_getprop(fdt, node, "interrupts", &length));
  ASSERT_EQ(length, 12);
  EXPECT_EQ(fdt32_to_cpu(cells[0]), 1u);      // a PPI,
  EXPECT_EQ(fdt32_to_cpu(cells[1]), 7u);      // INTID 23,
  EXPECT_EQ(fdt32_to_cpu(cells[2]), 0x104u);  // of CPU 0, active high
}

TEST_F(LoaderTest, DeviceTreeOfSeveralCpus) {
  for (const unsigned cpus : {1u, 2u, 8u}) {
    SCOPED_TRACE(testing::Message() << cpus << " CPUs");
    config_.cpus = cpus;
    auto boot = load(raw_image(100));
    ASSERT_TRUE(boot) << boot.error();
    const void* fdt = tree(*boot);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      const std::string path = "/cpus/cpu@" + std::to_string(cpu);
      EXPECT_EQ(cells(fdt, path.c_str(), "reg"), std::vector<uint32_t>{cpu});
      EXPECT_STREQ(string_property(fdt, path.c_str(), "enable-method").c_str(), cpus > 1 ? "psci" : "(none)");
      const std::string core = "/cpus/cpu-map/socket0/cluster0/core" + std::to_string(cpu);
      EXPECT_EQ(cells(fdt, core.c_str(), "cpu"), cells(fdt, path.c_str(), "phandle"));
    }
    EXPECT_LT(fdt_path_offset(fdt, ("/cpus/cpu@" + std::to_string(cpus)).c_str()), 0);
    const uint32_t flags = ((1u << cpus) - 1) << 8 | 4;
    EXPECT_EQ(cells(fdt, "/timer", "interrupts"),
              (std::vector<uint32_t>{1, 13, flags, 1, 14, flags, 1, 11, flags, 1, 10, flags}));
    EXPECT_EQ(cells(fdt, "/pmu", "interrupts"), (std::vector<uint32_t>{1, 7, flags}));
    EXPECT_EQ(cells(fdt, "/", "interrupt-parent"), cells(fdt, "/intc@8000000", "phandle"));
  }
}

TEST_F(LoaderTest, DeviceTreeKeyProperties) {
  config_.cpu_compatible = "arm,cortex-a7";
  auto boot = load(raw_image(100));
  ASSERT_TRUE(boot) << boot.error();
  const void* fdt = tree(*boot);
  using Cells = std::vector<uint32_t>;
  EXPECT_STREQ(string_property(fdt, "/cpus/cpu@0", "compatible").c_str(), "arm,cortex-a7");
  EXPECT_STREQ(string_property(fdt, "/chosen", "stdout-path").c_str(), "/pl011@9000000");
  EXPECT_EQ(cells(fdt, "/pl011@9000000", "interrupts"), (Cells{0, 1, 4}));
  EXPECT_EQ(cells(fdt, "/pl031@9010000", "reg"), (Cells{0, 0x9010000, 0, 0x1000}));
  EXPECT_EQ(cells(fdt, "/virtio_mmio@a003e00", "interrupts"), (Cells{0, 0x2f, 1}));
  EXPECT_EQ(cells(fdt, "/fw-cfg@9020000", "reg"), (Cells{0, 0x9020000, 0, 0x18}));
  EXPECT_EQ(cells(fdt, "/pl061@9030000", "interrupts"), (Cells{0, 7, 4}));
  const Cells key = cells(fdt, "/gpio-keys/poweroff", "gpios");
  ASSERT_EQ(key.size(), 3u);
  EXPECT_EQ(Cells{key[0]}, cells(fdt, "/pl061@9030000", "phandle"));
  EXPECT_EQ(key[1], 3u);
  EXPECT_EQ(cells(fdt, "/flash@0", "reg"), Cells{});
  EXPECT_EQ(cells(fdt, "/intc@8000000", "reg"), (Cells{0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000}));
  EXPECT_EQ(cells(fdt, "/timer", "interrupts"), (Cells{1, 13, 0x104, 1, 14, 0x104, 1, 11, 0x104, 1, 10, 0x104}));
  EXPECT_EQ(cells(fdt, "/memory@40000000", "reg"), (Cells{0, 0x40000000, 0, 0x4000000}));
  EXPECT_EQ(cells(fdt, "/", "interrupt-parent"), cells(fdt, "/intc@8000000", "phandle"));
}

TEST_F(LoaderTest, DeviceTreeOfASecondSerialPort) {
  auto boot = load(raw_image(100));
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_LT(fdt_path_offset(tree(*boot), "/pl011@9040000"), 0);
  config_.second_uart = true;
  boot = load(raw_image(100));
  ASSERT_TRUE(boot) << boot.error();
  const void* fdt = tree(*boot);
  using Cells = std::vector<uint32_t>;
  EXPECT_EQ(cells(fdt, "/pl011@9040000", "reg"), (Cells{0, 0x9040000, 0, 0x1000}));
  EXPECT_EQ(cells(fdt, "/pl011@9040000", "interrupts"), (Cells{0, 8, 4}));
  EXPECT_STREQ(string_property(fdt, "/aliases", "serial0").c_str(), "/pl011@9000000");
  EXPECT_STREQ(string_property(fdt, "/aliases", "serial1").c_str(), "/pl011@9040000");
  EXPECT_STREQ(string_property(fdt, "/chosen", "stdout-path").c_str(), "/pl011@9000000");
}

// The same with flash.
class FlashLoaderTest : public LoaderTest {
 protected:
  FlashLoaderTest() : LoaderTest(true) {}
};

TEST_F(FlashLoaderTest, DeviceTreeMatchesQemu) {
  if (std::system("command -v qemu-system-arm >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "qemu-system-arm is not installed";
  for (const unsigned cpus : {1u, 2u, 8u}) {
    SCOPED_TRACE(testing::Message() << cpus << " CPUs");
    const TestFile dump({});
    const std::string command = "qemu-system-arm -M virt,highmem=off,dumpdtb=" + dump.path() +
                                " -cpu cortex-a15 -m 64M -smp " + std::to_string(cpus) +
                                " -nographic -nic none </dev/null >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0);
    auto qemu = read_file(dump.path(), "dumpdtb", 4 << 20);
    ASSERT_TRUE(qemu) << qemu.error();
    config_.cpus = cpus;
    auto boot = load(raw_image(100));
    ASSERT_TRUE(boot) << boot.error();
    compare_nodes(tree(*boot), qemu->data());
  }
}

TEST_F(FlashLoaderTest, ElfFilesMayLieInFlash) {
  const Bytes rom = elf(0x41, {{0, 0, 0x100, 0x100}, {0x40100000, 0x04000000, 0x20, 0x20}});
  auto boot = load(rom);
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->pc, 0x40u);
  EXPECT_TRUE(boot->thumb);
  EXPECT_EQ(at(0)[0xff], 0xa0);
  EXPECT_EQ(at(0x04000000)[0x1f], 0xa1);
  EXPECT_EQ(boot->dtb_start, 0x40000000u);
  EXPECT_GE(boot->image_end, boot->dtb_end);
  EXPECT_EQ(cells(tree(*boot), "/flash@0", "bank-width"), (std::vector<uint32_t>{4}));
  EXPECT_NE(error_of(elf(0, {{0, 0x03ffff80, 0x100, 0x100}})).find("two banks"), std::string::npos);
  EXPECT_NE(error_of(elf(0, {{0, 0x08000000, 0x100, 0x100}})).find("two banks"), std::string::npos);
  for (const auto& [image, wanted] :
       {std::pair{rom, true}, {elf(0, {{0, 0x40010000, 4, 4}}), false}, {raw_image(100), false}, {Bytes(), false}}) {
    const TestFile file(image);
    EXPECT_EQ(needs_flash(file.path()), wanted);
  }
  EXPECT_FALSE(needs_flash("/nonexistent"));
}

TEST_F(FlashLoaderTest, FirmwareStartsAtZero) {
  config_.firmware = true;
  config_.append = "quiet";
  auto boot = load_guest(memory_.ram(), config_);
  ASSERT_TRUE(boot) << boot.error();
  EXPECT_EQ(boot->pc, 0u);
  EXPECT_EQ(boot->r2, 0u);
  EXPECT_EQ(boot->dtb_start, 0x40000000u);
  EXPECT_STREQ(string_property(tree(*boot), "/chosen", "bootargs").c_str(), std::string("quiet\0", 6).c_str());
  // It adds to the tree where it is.
  EXPECT_GE(boot->dtb_end - boot->dtb_start, 64u << 10);
  EXPECT_EQ(fdt_check_full(tree(*boot), boot->dtb_end - boot->dtb_start), 0);
}

TEST_F(LoaderTest, ElfFilesInFlashNeedFlash) {
  EXPECT_NE(error_of(elf(0, {{0, 0, 0x100, 0x100}})).find("RAM is 0x40000000"), std::string::npos);
}

TEST(GuestMemory, IsAlignedZeroAndShared) {
  for (bool shared : {false, true}) {
    auto memory = GuestMemory::allocate(kMinMemory, shared);
    ASSERT_TRUE(memory) << memory.error();
    const GuestRam& ram = memory->ram();
    EXPECT_EQ(reinterpret_cast<uint64_t>(ram.host) % kMemoryGranule, 0u);
    EXPECT_EQ(ram.fd >= 0, shared);
    EXPECT_EQ(*ram.at(ram.base + ram.size - 1), 0);
    *ram.at(ram.base + 5) = 7;
    if (shared) {
      uint8_t byte = 0;
      EXPECT_EQ(pread(ram.fd, &byte, 1, 5), 1);
      EXPECT_EQ(byte, 7);
    }
  }
}

}  // namespace
}  // namespace crosswalk::vmm
