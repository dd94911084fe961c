// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/conditions.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace crosswalk::vmm {
namespace {

TEST(Conditions, HaveAllKeysOfTheScripts) {
  Conditions conditions({"0.1", "c0ffee+", {"build/crosswalk", "run", "--append", "two words"}});
  conditions.end();
  std::map<std::string, Conditions::Value> rows;
  for (const auto& [key, value] : conditions.rows()) rows[key] = value;
  for (const char* key : {"version", "commit", "date", "command", "host_cpu", "host_cpus", "host_kernel",
                          "host_virtual", "host_kvm", "load_start", "load_end"})
    EXPECT_TRUE(rows.contains(key)) << key;
  EXPECT_EQ(std::get<std::string>(rows["command"]), "build/crosswalk run --append 'two words'");
  EXPECT_EQ(std::get<std::string>(rows["date"]).size(), std::string("2026-11-27T17:14:37Z").size());
  EXPECT_GE(std::get<uint64_t>(rows["host_cpus"]), 1u);
  EXPECT_NE(conditions.text().find("crosswalk 0.1, commit c0ffee+\n"), std::string::npos);
}

TEST(Conditions, ShellCommand) {
  EXPECT_EQ(as_shell_command({"a", "", "it's", "x=1"}), "a '' 'it'\"'\"'s' x=1");
  EXPECT_EQ(as_shell_command({}), "");
}

TEST(Conditions, TheGuestsCpusCount) {
  EXPECT_FALSE(is_busy(1.0, 1, 2));
  EXPECT_TRUE(is_busy(1.1, 1, 2));
  EXPECT_FALSE(is_busy(2.0, 0, 2));
  EXPECT_TRUE(is_busy(0.0, 4, 2));
}

TEST(Conditions, NestedPagingIsTheModulesParameter) {
  char folder[] = "/tmp/crosswalk-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::filesystem::path modules = folder;
  EXPECT_EQ(describe_kvm(modules / "none"), "none");
  EXPECT_EQ(describe_kvm(modules), "none");
  std::filesystem::create_directories(modules / "kvm");
  std::filesystem::create_directories(modules / "kvm_other");
  EXPECT_EQ(describe_kvm(modules), "kvm_other");
  std::filesystem::create_directories(modules / "kvm_intel/parameters");
  std::ofstream(modules / "kvm_intel/parameters/ept") << "N\n";
  EXPECT_EQ(describe_kvm(modules), "kvm_intel, nested paging off");
  std::ofstream(modules / "kvm_intel/parameters/ept") << "Y\n";
  EXPECT_EQ(describe_kvm(modules), "kvm_intel, nested paging on");
  std::filesystem::remove_all(modules);
}

}  // namespace
}  // namespace crosswalk::vmm
