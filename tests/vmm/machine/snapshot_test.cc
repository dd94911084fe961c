// SPDX-License-Identifier: GPL-2.0-or-later
// Snapshots: every field of every state goes to JSON and comes back, and no damaged or foreign file
// is taken for one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/vmm/test_files.h"
#include "vmm/machine/snapshot/saved_machine.h"
#include "vmm/machine/snapshot/snapshot_file.h"
#include "vmm/machine/snapshot/state_json.h"

namespace crosswalk::vmm {
namespace {

// A state without pointers, of random bytes but for its flags, comes back the same. What it comes
// back into has other bytes before, twice: those that stay are of no field, and no more than the
// padding that the state has.
template <class State>
void expect_all_fields(const State& state, size_t padding) {
  Json json;
  to_state_json(json, state);
  json = Json::parse(json.dump());
  const auto* const wanted = reinterpret_cast<const uint8_t*>(&state);
  size_t untouched = 0;
  std::vector<uint8_t> back[2];
  for (size_t i = 0; i < 2; ++i) {
    State restored;
    std::memset(static_cast<void*>(&restored), static_cast<int>(i), sizeof restored);
    from_state_json(json, restored, "state");
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&restored);
    back[i].assign(bytes, bytes + sizeof restored);
  }
  for (size_t i = 0; i < sizeof state; ++i) {
    if (back[0][i] != back[1][i])
      ++untouched;
    else
      ASSERT_EQ(back[0][i], wanted[i]) << "byte " << i;
  }
  EXPECT_EQ(untouched, padding);
}

template <class State>
State random_state() {
  std::mt19937_64 random(7);
  State state;
  auto* const bytes = reinterpret_cast<uint8_t*>(&state);
  for (size_t i = 0; i < sizeof state; ++i) bytes[i] = static_cast<uint8_t>(random() | 1);
  return state;
}

TEST(SnapshotState, HasAllFields) {
  expect_all_fields(random_state<GuestCpu>(), 20);
  expect_all_fields(random_state<GicDistributor::State>(), 0);
  expect_all_fields(random_state<GicCpuInterface::State>(), 1);
  expect_all_fields(random_state<VirtioBlock::RequestHeader>(), 0);
  expect_all_fields(random_state<VirtioNet::State>(), 0);
  expect_all_fields(random_state<Pflash::State>(), 1);
  expect_all_fields(random_state<FwCfg::State>(), 2);
  expect_all_fields(random_state<Pl061::State>(), 0);
  // The flags among these have one value that is not zero.
  Pl031::State rtc = random_state<Pl031::State>();
  std::memset(&rtc.compares, 1, 1);
  expect_all_fields(rtc, 3);
  VirtQueue queue = random_state<VirtQueue>();
  std::memset(&queue.ready, 1, 1);
  expect_all_fields(queue, 9);
  Timers::CpuTimerState timers = random_state<Timers::CpuTimerState>();
  std::memset(&timers.registers.overflow.level, 1, 1);
  expect_all_fields(timers, 15);
}

TEST(SnapshotState, RefusesWhatIsNoState) {
  Json json;
  to_state_json(json, Pl031::State{});
  const auto error_of = [](const Json& changed) -> std::string {
    Pl031::State state;
    try {
      from_state_json(changed, state, "rtc");
    } catch (const StateError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of(json), "");
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, Json>>{{"load", uint64_t{1} << 32},
                                                                                       {"load", -1},
                                                                                       {"load", 1.5},
                                                                                       {"load", "1"},
                                                                                       {"load", nullptr},
                                                                                       {"compares", 1}}) {
    Json changed = json;
    changed[name] = value;
    EXPECT_NE(error_of(changed).find(std::string("rtc.") + name), std::string::npos) << value;
  }
  json.erase("match");
  EXPECT_EQ(error_of(json), "rtc.match is missing");
  EXPECT_NE(error_of(Json::array()), "");
  GicCpuInterface::State gic;
  Json short_array;
  to_state_json(short_array, gic);
  short_array["active_priorities"].erase(0);
  EXPECT_THROW(from_state_json(short_array, gic, "gic"), StateError);
}

class SnapshotFile : public testing::Test {
 protected:
  static constexpr uint64_t kBytes = uint64_t{8} << 20;

  SnapshotFile() {
    ram_.size = kBytes;
    ram_.host =
        static_cast<uint8_t*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    // A first and a last page, neighbours, one more than a piece, and noise that does not compress.
    std::mt19937_64 random(1);
    for (const auto& [page, count] : {std::pair<size_t, size_t>{0, 1}, {5, 300}, {700, 2}, {kBytes / 4096 - 1, 1}}) {
      for (size_t i = 0; i < count * 4096; i += 8) {
        const uint64_t word = random();
        std::memcpy(ram_.host + page * 4096 + i, &word, 8);
      }
    }
  }
  ~SnapshotFile() override { munmap(ram_.host, kBytes); }

  void write() {
    const int fd = open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_GE(fd, 0);
    const auto written = SnapshotWriter(fd, [] { return false; }).write(kState, std::array{area_of(ram_)});
    ASSERT_TRUE(written);
    EXPECT_EQ(*Result(written), static_cast<uint64_t>(lseek(fd, 0, SEEK_END)));
    close(fd);
  }
  std::string content() const { return file_.content(); }
  void replace(const std::string& bytes) const { std::ofstream(path(), std::ios::binary) << bytes; }
  // Reads the file into fresh RAM: the error, or nothing when all is as it was.
  std::string read_back() {
    auto reader = SnapshotReader::open("--restore", path());
    if (!reader) return reader.error();
    GuestRam fresh = ram_;
    fresh.host =
        static_cast<uint8_t*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const auto read = (*reader)->read_areas(std::array{area_of(fresh)});
    const bool same = (*reader)->state() == kState && std::memcmp(fresh.host, ram_.host, kBytes) == 0;
    munmap(fresh.host, kBytes);
    if (!read) return read.error();
    return same ? "" : "other contents";
  }
  std::string path() const { return file_.path(); }

  const std::string kState = R"({"a": 1})";
  TestFile file_{std::vector<uint8_t>{}};
  GuestRam ram_;
};

TEST_F(SnapshotFile, BringsBackStateAndRam) {
  write();
  EXPECT_EQ(read_back(), "");
}

TEST_F(SnapshotFile, HolesOfSharedRamStayHoles) {
  const int fd = memfd_create("ram", 0);
  ASSERT_EQ(ftruncate(fd, kBytes), 0);
  ASSERT_EQ(pwrite(fd, ram_.host, 4096, 4096), 4096);
  GuestRam shared = ram_;
  shared.fd = fd;
  shared.host = static_cast<uint8_t*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  std::memset(ram_.host + 4096, 0, kBytes - 4096);
  std::memmove(ram_.host + 4096, ram_.host, 4096);
  std::memset(ram_.host, 0, 4096);
  std::swap(ram_, shared);
  write();
  std::swap(ram_, shared);
  EXPECT_EQ(read_back(), "");
  EXPECT_EQ(lseek(fd, 2 * 4096, SEEK_DATA), -1);
  munmap(shared.host, kBytes);
  close(fd);
}

// Of any size, and with zeros where the next one begins.
TEST_F(SnapshotFile, HasSeveralAreas) {
  std::vector<uint8_t> first(5000, 7), second, third(1 << 21, 0), fourth(3, 9);
  std::fill_n(third.begin() + 4096, 4096, 5);
  std::fill_n(first.begin(), 4096, 0);
  const auto areas_of = [](auto& one, auto& two, auto& three, auto& four, const GuestRam& ram) {
    return std::array{area_of(ram), SnapshotArea{one}, SnapshotArea{two}, SnapshotArea{three}, SnapshotArea{four}};
  };
  const int fd = open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ASSERT_TRUE(SnapshotWriter(fd, [] { return false; }).write(kState, areas_of(first, second, third, fourth, ram_)));
  close(fd);
  const auto read = [&](size_t bytes) {
    std::vector<uint8_t> one(first.size()), two, three(third.size()), four(bytes);
    GuestRam fresh = ram_;
    std::vector<uint8_t> memory(kBytes);
    fresh.host = memory.data();
    auto reader = SnapshotReader::open("--restore", path());
    if (!reader || !(*reader)->read_areas(areas_of(one, two, three, four, fresh))) return false;
    return one == first && three == third && four == fourth && std::memcmp(memory.data(), ram_.host, kBytes) == 0;
  };
  EXPECT_TRUE(read(3));
  EXPECT_FALSE(read(2));
}

TEST_F(SnapshotFile, ACutFileIsRefused) {
  write();
  const std::string whole = content();
  for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 64 ? 1 : whole.size() / 97) {
    replace(whole.substr(0, bytes));
    const std::string error = read_back();
    EXPECT_TRUE(error.find("--restore '") == 0 && error.find("other") == std::string::npos) << bytes << ": " << error;
  }
}

TEST_F(SnapshotFile, ADamagedFileIsRefused) {
  write();
  const std::string whole = content();
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = whole;
    // The reserved parts of a frame's header say nothing, so behind it.
    const size_t at = i < 12 ? static_cast<size_t>(i) : 32 + random() % (whole.size() - 32);
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    replace(damaged);
    EXPECT_NE(read_back(), "") << "byte " << at;
  }
}

TEST_F(SnapshotFile, AForeignFileIsNamed) {
  replace("#!/bin/sh\n");
  EXPECT_NE(read_back().find("not a snapshot"), std::string::npos);
  write();
  std::string other = content();
  other[8] = 99;
  replace(other);
  EXPECT_NE(read_back().find("format 99"), std::string::npos);
}

TEST_F(SnapshotFile, AFullDiskIsAnError) {
  const int fd = open("/dev/full", O_WRONLY);
  ASSERT_GE(fd, 0);
  const auto written = SnapshotWriter(fd, [] { return false; }).write(kState, std::array{area_of(ram_)});
  EXPECT_FALSE(written);
  close(fd);
}

TEST_F(SnapshotFile, IsGivenUpWhenTheRunEnds) {
  const int fd = open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  EXPECT_FALSE(SnapshotWriter(fd, [] { return true; }).write(kState, std::array{area_of(ram_)}));
  close(fd);
  EXPECT_NE(read_back(), "");
}

}  // namespace
}  // namespace crosswalk::vmm
