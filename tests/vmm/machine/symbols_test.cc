// SPDX-License-Identifier: GPL-2.0-or-later
// Guest symbols, and the map of translated code for perf.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/vmm/test_files.h"
#include "translator/engine/block.h"
#include "vmm/app/perf_map.h"
#include "vmm/machine/loader/symbols.h"

namespace crosswalk::vmm {
namespace {

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

const std::string kMap =
    "00000000 A cpu_v7_suspend_size\n"
    "c0100000 T stext\n"
    "c0100040 t helper\n"
    "c0100040 T helper_alias\n"
    "c0100080 d not_code\n"
    "c0100100 W weak_one\t[module]\n"
    "c0900000 T far_away\n";

TEST(Symbols, SystemMap) {
  const TestFile file(bytes_of(kMap));
  auto table = SymbolTable::load(file.path(), "--symbols");
  ASSERT_TRUE(table) << table.error();
  EXPECT_EQ(table->describe(0xc0100000), "stext");
  EXPECT_EQ(table->describe(0xc010003c), "stext+0x3c");
  EXPECT_EQ(table->describe(0xc0100040), "helper");
  EXPECT_EQ(table->describe(0xc01000fc), "helper+0xbc");  // data symbols name no code
  EXPECT_EQ(table->describe(0xc0100104), "weak_one?[module]+0x4");
  EXPECT_EQ(table->describe(0xc00ffffc), "");
  EXPECT_EQ(table->describe(0xc0200000), "");  // too far from any
  EXPECT_EQ(table->describe(0x10), "");
  EXPECT_EQ(table->describe(0xc0900008), "far_away+0x8");
}

TEST(Symbols, RefusedFiles) {
  for (const std::string& text : {std::string("no addresses here\n"), std::string(),
                                  std::string("\x7f"
                                              "ELF rubbish")}) {
    const TestFile file(bytes_of(text));
    auto table = SymbolTable::load(file.path(), "--symbols");
    ASSERT_FALSE(table) << text;
    EXPECT_EQ(table.error().find("--symbols: " + file.path()), 0u) << table.error();
    EXPECT_TRUE(SymbolTable::of_kernel(file.path()).empty());
  }
  EXPECT_FALSE(SymbolTable::load("/nonexistent/System.map", "--symbols"));
}

TEST(PerfMap, Lines) {
  const TestFile symbols_file(bytes_of(kMap));
  auto symbols = SymbolTable::load(symbols_file.path(), "--symbols");
  ASSERT_TRUE(symbols);
  const TestFile file({});
  auto map = PerfMap::create(file.path(), *symbols);
  ASSERT_TRUE(map) << map.error();
  const auto at = [](uint64_t address) { return reinterpret_cast<const uint8_t*>(address); };
  x64::Thunks thunks{};
  thunks.enter = reinterpret_cast<void (*)(CpuState*, const void*)>(0x10000);
  thunks.dispatch = at(0x10020);
  thunks.exit_link = at(0x10040);
  thunks.exit_indirect = at(0x10048);
  thunks.jump_cached = at(0x1004c);
  thunks.exit_to = at(0x10050);
  thunks.exit_no_spill = at(0x10060);
  thunks.exit_no_spill_standard = at(0x10080);
  thunks.call = at(0x100a0);
  thunks.call_light = at(0x100b0);
  thunks.call_pure = at(0x100c0);
  thunks.call_preserving = at(0x100d0);
  thunks.slow_access = at(0x100e0);
  thunks.synchronize = at(0x10100);
  thunks.send_event = at(0x10120);
  (*map)->thunks_emitted(thunks, at(0x10000), 0x200);
  engine::Block block;
  block.code = at(0x10400);
  block.code_size = 0x35;
  block.key.va = 0xc0100009;  // Thumb
  (*map)->block_translated(block, true);
  block.key.va = 0x8000;
  (*map)->block_translated(block, false);
  block.key.va = 0x8004;
  (*map)->block_translated(block, true);
  auto finished = (*map)->finish();
  ASSERT_TRUE(finished) << finished.error();
  std::ifstream in(file.path());
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(),
            "10000 20 crosswalk_enter\n"
            "10020 20 crosswalk_dispatch\n"
            "10040 8 crosswalk_exit_link\n"
            "10048 4 crosswalk_exit_indirect\n"
            "1004c 4 crosswalk_jump_cached\n"
            "10050 10 crosswalk_exit_to\n"
            "10060 20 crosswalk_exit_no_spill\n"
            "10080 20 crosswalk_exit_no_spill_standard\n"
            "100a0 10 crosswalk_call\n"
            "100b0 10 crosswalk_call_light\n"
            "100c0 10 crosswalk_call_pure\n"
            "100d0 10 crosswalk_call_preserving\n"
            "100e0 20 crosswalk_slow_access\n"
            "10100 20 crosswalk_synchronize\n"
            "10120 e0 crosswalk_send_event\n"
            "10400 35 stext+0x8\n"
            "10400 35 guest_0x00008000 [user]\n"
            "10400 35 guest_0x00008004 [kernel]\n");
}

TEST(PerfMap, Errors) {
  const SymbolTable none = SymbolTable::of_kernel("/nonexistent/vmlinux");
  EXPECT_FALSE(PerfMap::create("/nonexistent/perf.map", none));
  auto full = PerfMap::create("/dev/full", none);
  ASSERT_TRUE(full) << full.error();
  engine::Block block;
  for (int i = 0; i < 20000; i++) (*full)->block_translated(block, true);
  auto finished = (*full)->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().find("--perf-map"), 0u);
  // A link in /tmp that somebody else put there is not followed.
  const TestFile target({1, 2, 3});
  const std::string link = target.path() + ".link";
  ASSERT_EQ(symlink(target.path().c_str(), link.c_str()), 0);
  EXPECT_FALSE(PerfMap::create(link, none));
  unlink(link.c_str());
}

}  // namespace
}  // namespace crosswalk::vmm
