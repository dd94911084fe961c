// SPDX-License-Identifier: GPL-2.0-or-later
// What firmware uses, by the registers: flash, fw_cfg and GPIO.
#include <endian.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/vmm/test_files.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/pflash.h"
#include "vmm/devices/pl061.h"
#include "vmm/machine/loader/guest_memory.h"

namespace crosswalk::vmm {
namespace {

GuestMemory memory_with_flash() {
  auto memory = GuestMemory::allocate(kMinMemory, false, true);
  EXPECT_TRUE(memory) << memory.error();
  return std::move(*memory);
}

class PflashTest : public testing::Test {
 protected:
  static constexpr uint32_t kReady = 0x00800080, kSector = Pflash::kSectorBytes;

  PflashTest() : memory_(memory_with_flash()) { make(nullptr, false); }
  std::span<uint8_t> contents() const { return {memory_.ram().at(Pflash::kRegionBytes), Pflash::kRegionBytes}; }
  void make(std::unique_ptr<FlashFile> file, bool read_only) {
    flash_ = std::make_unique<Pflash>(*memory_.ram().flash, 1, changes_, contents(), std::move(file), read_only);
  }
  void write(uint64_t offset, uint32_t value, unsigned bytes = 4) { flash_->write(0, offset, bytes, value); }
  void command(uint64_t offset, uint16_t value) { write(offset, value * 0x10001u); }
  uint32_t read(uint64_t offset, unsigned bytes = 4) {
    return flash_->read(0, offset, bytes) & static_cast<uint32_t>((uint64_t{1} << bytes * 8) - 1);
  }
  bool readable() const { return memory_.ram().flash_holds(Pflash::kRegionBytes); }
  void erase(uint64_t offset) {
    command(offset, 0x20);
    command(offset, 0xd0);
  }

  const GuestMemory memory_;
  MemoryChanges changes_;
  std::unique_ptr<Pflash> flash_;
};

TEST_F(PflashTest, OnlyReadArrayModeIsMemory) {
  contents()[5] = 0x12;
  EXPECT_TRUE(readable());
  EXPECT_EQ(read(4), 0x1200u);
  EXPECT_FALSE(changes_.any);
  for (const uint16_t mode : {0x70, 0x90, 0x98, 0x20, 0x40, 0xe8}) {
    command(0, mode);
    EXPECT_FALSE(readable()) << mode;
    EXPECT_TRUE(changes_.any && changes_.flash_hidden) << mode;
    changes_ = {};
    flash_->restore({});
    EXPECT_TRUE(readable()) << mode;
    EXPECT_EQ(read(4), 0x1200u) << mode;
    EXPECT_FALSE(changes_.any) << mode;
  }
  // The other bank is as it was.
  command(0, 0x70);
  EXPECT_TRUE(memory_.ram().flash_holds(0));
}

TEST_F(PflashTest, IdentifiesItself) {
  command(0x154, 0x98);
  EXPECT_EQ(read(0x40), 0x00510051u);
  EXPECT_EQ(read(0x42, 2), 0x0051u);
  EXPECT_EQ(read(0x44, 1), 0x52u);
  EXPECT_EQ(read(0x27 * 4), 0x00190019u);  // 32 MiB, and two of these
  EXPECT_EQ(read(0x2d * 4), 0x00ff00ffu);  // 256 sectors
  EXPECT_EQ(read(0x30 * 4), 0x00020002u);  // of 128 KiB
  EXPECT_EQ(read(0x31 * 4), 0x00500050u);
  EXPECT_EQ(read(0x40 * 4), 0u);
  EXPECT_EQ(read(Pflash::kRegionBytes - 4), 0u);
  command(0, 0x90);
  EXPECT_EQ(read(0), 0x00890089u);
  EXPECT_EQ(read(4), 0x00180018u);
  EXPECT_EQ(read(kSector + 4), 0x00180018u);
  command(0, 0xff);
  EXPECT_EQ(read(0), 0u);
}

TEST_F(PflashTest, ErasesAndPrograms) {
  erase(kSector + 20);
  EXPECT_EQ(read(0), kReady);
  command(0, 0xff);
  EXPECT_EQ(read(kSector - 4), 0u);
  EXPECT_EQ(read(kSector), ~0u);
  EXPECT_EQ(read(2 * kSector - 4), ~0u);
  EXPECT_EQ(read(2 * kSector), 0u);
  command(kSector, 0x40);
  write(kSector + 8, 0xff00f0f0);
  command(kSector, 0x10);
  write(kSector + 10, 0x0f, 1);
  EXPECT_EQ(read(0), kReady);
  command(0, 0xff);
  EXPECT_EQ(read(kSector + 8), 0xff00f0f0u);  // no bit is set again
}

TEST_F(PflashTest, ProgramsByBuffer) {
  erase(0);
  command(0, 0xe8);
  EXPECT_EQ(read(0), kReady);
  command(0, 2);
  for (uint32_t i = 0; i < 3; ++i) write(0x40 + i * 4, 0x11111111 * i);
  command(0, 0xd0);
  EXPECT_EQ(read(0), kReady);
  command(0, 0xff);
  EXPECT_EQ(read(0x40), 0u);
  EXPECT_EQ(read(0x48), 0x22222222u);
  EXPECT_EQ(read(0x4c), ~0u);
}

TEST_F(PflashTest, WhatIsReadOnlySaysSo) {
  make(nullptr, true);
  erase(0);
  EXPECT_EQ(read(0), 0x00a000a0u);
  command(0, 0x50);
  EXPECT_EQ(read(0), kReady);
  command(0, 0x40);
  write(0, 0x12345678);
  EXPECT_EQ(read(0), 0x00900090u);
  command(0, 0xff);
  EXPECT_EQ(read(0), 0u);
}

TEST_F(PflashTest, MistakesAreErrors) {
  const auto mistake = [this](const char* what) {
    EXPECT_EQ(read(0), 0x00b000b0u) << what;
    command(0, 0x50);
  };
  command(0, 0x20);
  command(0, 0xff);
  mistake("an erasure that is not confirmed");
  command(0, 0xe8);
  command(0, 1024);
  mistake("a buffer of more than it has");
  command(0, 0xe8);
  command(0, 1);
  write(0xffc, 0);
  write(0x1000, 0);
  mistake("data beyond the buffer");
  command(0, 0xe8);
  command(0, 0);
  write(0, 0);
  command(0, 0x12);
  mistake("a buffer that is not confirmed");
  command(0, 0x60);
  command(0, 0x12);
  mistake("an unknown way to lock");
}

TEST_F(PflashTest, TheFileFollows) {
  const TestFile image({1, 2, 3});
  auto file = FlashFile::open("--pflash", image.path(), false, contents());
  ASSERT_TRUE(file) << file.error();
  make(std::move(*file), false);
  EXPECT_EQ(read(0), 0x030201u);
  command(0x100, 0x40);
  write(0x100, 0);
  struct stat status;
  ASSERT_EQ(stat(image.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 0x104);
  erase(Pflash::kRegionBytes - 1);
  EXPECT_EQ(read(0), kReady);
  ASSERT_EQ(stat(image.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_size, static_cast<off_t>(Pflash::kRegionBytes));
  // Of another program it is still in use.
  auto again = FlashFile::open("--pflash", image.path(), false, contents());
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().find("another guest"), std::string::npos) << again.error();
}

TEST_F(PflashTest, FilesThatCannotBeAreRefused) {
  const TestFile empty({});
  for (const auto& [path, why] : {std::pair<std::string, std::string>{empty.path(), "empty"},
                                  {"/nonexistent", "cannot open"},
                                  {"/dev/null", "not a regular file"}}) {
    auto file = FlashFile::open("--pflash", path, false, contents());
    ASSERT_FALSE(file) << path;
    EXPECT_NE(file.error().find(why), std::string::npos) << file.error();
  }
}

TEST_F(PflashTest, StateMovesToAnotherOne) {
  erase(0);
  command(0, 0xe8);
  command(0, 1);
  write(0x20, 0x12345678);
  const Pflash::State state = flash_->save();
  make(nullptr, false);
  flash_->restore(state);
  EXPECT_FALSE(readable());
  write(0x24, 0x9abcdef0);
  command(0, 0xd0);
  EXPECT_EQ(read(0), kReady);
  command(0, 0xff);
  EXPECT_EQ(read(0x20), 0x12345678u);
  EXPECT_EQ(read(0x24), 0x9abcdef0u);
}

TEST_F(PflashTest, ContentsMoveToABankWithoutAFile) {
  erase(kSector);
  command(kSector, 0x40);
  write(kSector + 8, 0x12345678);
  const std::vector<uint8_t> saved(contents().begin(), contents().end());
  std::ranges::fill(contents(), 0);
  make(nullptr, false);
  EXPECT_TRUE(flash_->restore_contents(saved, {}));
  EXPECT_TRUE(std::ranges::equal(contents(), saved));
}

// But for what a buffer program has changed, which is in no file before it is confirmed.
TEST_F(PflashTest, AFileMustHaveTheContents) {
  const TestFile image(std::vector<uint8_t>(0x2000, 0xff));
  const auto open_again = [&] {
    flash_.reset();
    std::ranges::fill(contents(), 0);
    auto file = FlashFile::open("--pflash", image.path(), false, contents());
    ASSERT_TRUE(file) << file.error();
    make(std::move(*file), false);
  };
  open_again();
  command(0, 0xe8);
  command(0, 1);
  write(0x20, 0x12345678);
  const Pflash::State state = flash_->save();
  EXPECT_TRUE(Pflash::may_be(state));
  std::vector<uint8_t> saved(contents().begin(), contents().end());
  open_again();
  EXPECT_NE(contents()[0x20], 0x78);
  EXPECT_TRUE(flash_->restore_contents(saved, state));
  EXPECT_TRUE(std::ranges::equal(contents(), saved));
  flash_->restore(state);
  write(0x24, 0x9abcdef0);
  command(0, 0xd0);
  EXPECT_EQ(image.content().substr(0x20, 4), "\x78\x56\x34\x12");
  for (const size_t other : {size_t{0}, size_t{0x1f}, size_t{0x24}, Pflash::kRegionBytes - 1}) {
    open_again();
    saved.assign(contents().begin(), contents().end());
    saved[other] ^= 1;
    EXPECT_FALSE(flash_->restore_contents(saved, state)) << other;
  }
  // Without the program, there too.
  open_again();
  saved.assign(contents().begin(), contents().end());
  saved[0x20] ^= 1;
  EXPECT_FALSE(flash_->restore_contents(saved, {}));
}

TEST_F(PflashTest, ImpossibleStates) {
  EXPECT_TRUE(Pflash::may_be({}));
  EXPECT_FALSE(Pflash::may_be({.mode = static_cast<Pflash::Mode>(4)}));
  EXPECT_FALSE(Pflash::may_be({.cycle = static_cast<Pflash::Cycle>(7)}));
  EXPECT_FALSE(Pflash::may_be({.written = 2, .end = 1}));
  EXPECT_FALSE(Pflash::may_be({.end = (64 << 20) + 1}));
}

// ---- fw_cfg

class FwCfgTest : public testing::Test {
 protected:
  static constexpr uint64_t kAccess = kRamBase + 0x100, kTarget = kRamBase + 0x1000;

  FwCfgTest() : memory_(memory_with_flash()), device_(memory_.ram(), 3, changes_) {
    device_.set_items({{1, 2, 3, 4, 5}, {}, "root=/dev/vda"});
  }
  void select(uint16_t item) { device_.write(0, 8, 2, htobe16(item)); }
  uint32_t data(unsigned bytes) { return device_.read(0, 0, bytes); }
  // Returns the control word afterwards.
  uint32_t dma(uint32_t control, uint32_t bytes, uint64_t to, uint64_t access = kAccess) {
    const uint32_t words[] = {htobe32(control), htobe32(bytes), htobe32(static_cast<uint32_t>(to >> 32)),
                              htobe32(static_cast<uint32_t>(to))};
    if (memory_.ram().contains(access, sizeof words)) std::memcpy(memory_.ram().at(access), words, sizeof words);
    device_.write(0, 16, 4, htobe32(static_cast<uint32_t>(access >> 32)));
    device_.write(0, 20, 4, htobe32(static_cast<uint32_t>(access)));
    uint32_t result = ~0u;
    if (memory_.ram().contains(access, 4)) std::memcpy(&result, memory_.ram().at(access), 4);
    return be32toh(result);
  }

  const GuestMemory memory_;
  MemoryChanges changes_;
  FwCfg device_;
};

TEST_F(FwCfgTest, ItemsByTheDataRegister) {
  select(0);
  EXPECT_EQ(data(4), 0x554d4551u);  // "QEMU"
  EXPECT_EQ(data(4), 0u);
  select(1);
  EXPECT_EQ(data(4), 3u);
  select(5);
  EXPECT_EQ(data(2), 3u);
  select(8);
  EXPECT_EQ(data(4), 5u);
  select(0x11);
  EXPECT_EQ(data(1), 1u);
  EXPECT_EQ(data(2), 0x0302u);
  EXPECT_EQ(data(4), 0x0504u);
  select(0x15);
  EXPECT_EQ(data(4), 0x746f6f72u);  // "root"
  select(0x19);
  EXPECT_EQ(data(4), 0u);
  select(0x1234);
  EXPECT_EQ(data(4), 0u);
}

TEST_F(FwCfgTest, Dma) {
  EXPECT_EQ(device_.read(0, 16, 4), 0x554d4551u);
  EXPECT_EQ(device_.read(0, 20, 4), 0x47464320u);  // " CFG"
  std::memset(memory_.ram().at(kTarget), 0xaa, 16);
  EXPECT_EQ(dma(0x0011000a, 3, kTarget), 0u);
  EXPECT_EQ(std::memcmp(memory_.ram().at(kTarget), "\1\2\3\xaa", 4), 0);
  EXPECT_TRUE(changes_.any);
  EXPECT_EQ(changes_.written[0].pa, kTarget);
  EXPECT_EQ(changes_.written[0].bytes, 3u);
  EXPECT_EQ(changes_.written[1].pa, kAccess);
  // It goes on, with zeros behind the end.
  EXPECT_EQ(dma(4, 1, 0), 0u);
  EXPECT_EQ(dma(2, 4, kTarget), 0u);
  EXPECT_EQ(std::memcmp(memory_.ram().at(kTarget), "\5\0\0\0\xaa", 5), 0);
  EXPECT_EQ(dma(0x00110008, 0, 0), 0u);
  EXPECT_EQ(data(1), 1u);
}

TEST_F(FwCfgTest, DmaOnlyToRam) {
  EXPECT_EQ(dma(0x0011000a, 1, 0), 1u);  // flash
  EXPECT_EQ(dma(2, 1, ~uint64_t{0}), 1u);
  EXPECT_EQ(dma(2, 0xffffffff, kTarget), 1u);
  EXPECT_EQ(dma(2, 1, kRamBase + kMinMemory), 1u);
  EXPECT_EQ(dma(0x10, 1, kTarget), 1u);  // no item is written
  EXPECT_EQ(data(1), 1u);                // and none was read
  changes_ = {};
  for (const uint64_t access : {uint64_t{0}, ~uint64_t{0}, kRamBase + kMinMemory - 8, uint64_t{1} << 40})
    dma(2, 1, kTarget, access);
  EXPECT_FALSE(changes_.any);
}

TEST_F(FwCfgTest, StateMovesToAnotherOne) {
  select(0x11);
  data(2);
  device_.write(0, 16, 4, 0);
  const FwCfg::State state = device_.save();
  select(0);
  device_.restore(state);
  EXPECT_EQ(data(1), 3u);
}

// ---- GPIO

struct Line final : InterruptSink {
  std::map<unsigned, bool> level;
  void set_interrupt(unsigned interrupt, bool value) override { level[interrupt] = value; }
};

class Pl061Test : public testing::Test {
 protected:
  static constexpr uint64_t kData = 8 << 2, kDir = 0x400, kIs = 0x404, kIbe = 0x408, kIev = 0x40c, kIe = 0x410,
                            kRis = 0x414, kMis = 0x418, kIc = 0x41c;
  void write(uint64_t offset, uint32_t value) { device_.write(0, offset, 4, value); }
  uint32_t read(uint64_t offset) { return device_.read(0, offset, 4); }

  Line line_;
  Pl061 device_{line_, 39};
};

TEST_F(Pl061Test, ButtonAtBothEdges) {
  write(kIbe, 8);
  write(kIe, 8);
  EXPECT_FALSE(line_.level[39]);
  device_.press_power_button();
  EXPECT_TRUE(line_.level[39]);
  EXPECT_EQ(read(kMis), 8u);
  write(kIc, 8);
  EXPECT_FALSE(line_.level[39]);
  EXPECT_EQ(read(kData), 8u);  // and that is when it goes up again
  EXPECT_TRUE(line_.level[39]);
  write(kIc, 8);
  EXPECT_EQ(read(kData), 0u);
  EXPECT_FALSE(line_.level[39]);
}

TEST_F(Pl061Test, ButtonByLevel) {
  write(kIs, 8);
  write(kIev, 8);
  device_.press_power_button();
  EXPECT_FALSE(line_.level[39]);
  EXPECT_EQ(read(kRis) & 8, 8u);
  write(kIe, 8);
  EXPECT_TRUE(line_.level[39]);
  write(kIc, 8);  // which is for edges
  EXPECT_TRUE(line_.level[39]);
  EXPECT_EQ(read(0x3fc), 8u);
  EXPECT_FALSE(line_.level[39]);
}

TEST_F(Pl061Test, FallingEdgeAndOutputs) {
  write(kIe, 0xff);
  device_.press_power_button();
  EXPECT_EQ(read(kRis), 0u);  // GPIOIEV: falling edges
  EXPECT_EQ(read(kData), 8u);
  EXPECT_EQ(read(kRis), 8u);
  write(kIc, 0xff);
  write(kDir, 0x0f);
  write(3 << 2, 0xff);
  EXPECT_EQ(read(0x3fc), 3u);
  EXPECT_EQ(read(0xfe0), 0x61u);
  EXPECT_EQ(read(0xffc), 0xb1u);
}

TEST_F(Pl061Test, StateMovesToAnotherOne) {
  write(kIbe, 8);
  write(kIe, 8);
  device_.press_power_button();
  Line line;
  Pl061 other(line, 39);
  other.restore(device_.save());
  EXPECT_TRUE(line.level[39]);
  EXPECT_EQ(other.read(0, kData, 4), 8u);
}

}  // namespace
}  // namespace crosswalk::vmm
