// SPDX-License-Identifier: GPL-2.0-or-later
// Semihosting's files below one directory, and operations of any length that end with the machine.
#include "vmm/machine/semihosting/semihosting.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "translator/arm32/cpu/cpu_state.h"

namespace crosswalk::vmm {
namespace {

namespace fs = std::filesystem;

enum Operation : uint32_t {
  kOpen = 1,
  kClose = 2,
  kWrite0 = 4,
  kWrite = 5,
  kRead = 6,
  kSeek = 10,
  kFlen = 12,
  kRemove = 14,
  kRename = 15,
  kErrno = 19
};
// SYS_OPEN's modes.
enum Mode : uint32_t { kR = 0, kRPlus = 2, kW = 4, kWPlus = 6, kA = 8, kAPlus = 10 };
constexpr uint32_t kFailed = 0xffffffff;

class SemihostingTest : public testing::Test, public SemihostingHost, public EnginePort {
 protected:
  SemihostingTest() : memory_(kBytes), ram_{kBase, kBytes, memory_.data(), -1} {
    char name[] = "/tmp/crosswalk-test-XXXXXX";
    top_ = mkdtemp(name);
    fs::create_directory(top_ / "in");
    text(top_ / "out.txt", "outside");
    text(directory() / "file", "content");
    fs::create_directory(directory() / "sub");
    make(directory().string());
  }
  ~SemihostingTest() override { fs::remove_all(top_); }

  fs::path directory() const { return top_ / "in"; }
  void make(const std::string& files) {
    semihosting_ = std::make_unique<Semihosting>(SemihostingConfig{true, files, "x"}, ram_, counter_, *this);
    const auto opened = semihosting_->open_files();
    ASSERT_TRUE(opened) << opened.error();
    semihosting_->set_engine(this);
  }
  static void text(const fs::path& path, const std::string& content) { std::ofstream(path) << content; }
  static std::string text(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  uint32_t call(uint32_t operation, const std::vector<uint32_t>& arguments) {
    std::memcpy(memory_.data(), arguments.data(), arguments.size() * 4);
    return call_at(operation, kBase);
  }
  uint32_t call_at(uint32_t operation, uint32_t parameter) {
    cpu_.r[0] = operation;
    cpu_.r[1] = parameter;
    semihosting_->call(cpu_);
    return cpu_.r[0];
  }
  uint32_t put(const std::string& value, uint32_t offset) {
    std::memcpy(memory_.data() + offset, value.data(), value.size());
    return kBase + offset;
  }
  uint32_t error() { return call_at(kErrno, 0); }
  uint32_t open(const std::string& name, uint32_t mode) {
    return call(kOpen, {put(name, 0x1000), mode, static_cast<uint32_t>(name.size())});
  }
  // The errno of an open that must fail.
  uint32_t refused(const std::string& name, uint32_t mode) {
    EXPECT_EQ(open(name, mode), kFailed) << name;
    return error();
  }
  uint32_t write(uint32_t handle, const std::string& value) {
    return call(kWrite, {handle, put(value, 0x2000), static_cast<uint32_t>(value.size())});
  }
  std::string read(uint32_t handle, uint32_t bytes) {
    const uint32_t left = call(kRead, {handle, kBase + 0x3000, bytes});
    return {reinterpret_cast<char*>(memory_.data()) + 0x3000, bytes - left};
  }
  uint32_t remove(const std::string& name) {
    return call(kRemove, {put(name, 0x1000), static_cast<uint32_t>(name.size())});
  }
  uint32_t rename(const std::string& from, const std::string& to) {
    return call(kRename, {put(from, 0x1000), static_cast<uint32_t>(from.size()), put(to, 0x1800),
                          static_cast<uint32_t>(to.size())});
  }

  void memset_ram(char c) { std::memset(memory_.data(), c, memory_.size()); }

  // how often stopping() is asked before the machine stops; 0: it does not
  unsigned looks_until_stop_ = 0;
  mutable unsigned looks_ = 0;
  uint64_t written_ = 0;
  fs::path top_;

 private:
  static constexpr uint32_t kBase = 0x40000000, kBytes = 1 << 16;

  int read_console_byte() override { return -1; }
  void write_console(const uint8_t*, size_t bytes) override { written_ += bytes; }
  void write_error(const uint8_t*, size_t bytes) override { written_ += bytes; }
  bool stopping() const override { return ++looks_ > looks_until_stop_ && looks_until_stop_ != 0; }
  void semihosting_exit(int) override {}
  void external_write(CpuState&, uint64_t, uint64_t) override {}
  // All of the address space leads to RAM, again and again.
  bool translate(CpuState&, uint32_t va, bool, uint64_t& pa) override {
    pa = kBase + va % kBytes;
    return true;
  }

  CpuState cpu_{};
  std::vector<uint8_t> memory_;
  GuestRam ram_;
  SystemCounter counter_;
  std::unique_ptr<Semihosting> semihosting_;
};

TEST_F(SemihostingTest, FilesBelowTheDirectory) {
  uint32_t file = open("sub/new", kW);
  ASSERT_NE(file, kFailed);
  EXPECT_EQ(write(file, "hello"), 0u);
  EXPECT_EQ(call(kFlen, {file}), 5u);
  EXPECT_EQ(call(kClose, {file}), 0u);
  EXPECT_EQ(text(directory() / "sub/new"), "hello");
  file = open("sub/../sub/new", kA);
  EXPECT_EQ(write(file, " you"), 0u);
  EXPECT_EQ(call(kClose, {file}), 0u);
  file = open("./sub//new", kRPlus);
  EXPECT_EQ(read(file, 100), "hello you");
  EXPECT_EQ(call(kSeek, {file, 1}), 0u);
  EXPECT_EQ(write(file, "u"), 0u);
  EXPECT_EQ(call(kClose, {file}), 0u);
  EXPECT_EQ(text(directory() / "sub/new"), "hullo you");
  file = open("sub/new", kWPlus);
  EXPECT_EQ(call(kFlen, {file}), 0u);
  EXPECT_EQ(call(kClose, {file}), 0u);
  EXPECT_EQ(rename("sub/new", "file"), 0u);
  EXPECT_EQ(text(directory() / "file"), "");
  EXPECT_EQ(remove("file"), 0u);
  EXPECT_FALSE(fs::exists(directory() / "file"));
  EXPECT_EQ(refused("file", kR), uint32_t{ENOENT});
}

TEST_F(SemihostingTest, NoNameLeadsOutOfTheDirectory) {
  fs::create_symlink("../out.txt", directory() / "relative");
  fs::create_symlink(top_ / "out.txt", directory() / "absolute");
  fs::create_symlink("..", directory() / "up");
  fs::create_symlink("../new.txt", directory() / "dangling");
  fs::create_symlink("file", directory() / "inside");
  const std::string outside = (top_ / "out.txt").string();
  const std::string names[] = {"../out.txt", outside,      "sub/../../out.txt", "up/out.txt", "relative",
                               "absolute",   "../new.txt", "dangling",          "up/new.txt", "../in/file"};
  for (const std::string& name : names) {
    for (const uint32_t mode : {kR, kRPlus, kW, kAPlus}) EXPECT_EQ(refused(name, mode), uint32_t{EACCES}) << name;
    EXPECT_EQ(remove(name), kFailed) << name;
    EXPECT_EQ(rename(name, "got"), kFailed) << name;
    EXPECT_EQ(rename("file", name), kFailed) << name;
  }
  EXPECT_EQ(text(top_ / "out.txt"), "outside");
  EXPECT_FALSE(fs::exists(top_ / "new.txt"));
  EXPECT_EQ(text(directory() / "file"), "content");
  EXPECT_EQ(read(open("inside", kR), 100), "content");
}

// What is no regular file is neither opened nor waited for.
TEST_F(SemihostingTest, OnlyRegularFiles) {
  ASSERT_EQ(mkfifo((directory() / "fifo").c_str(), 0600), 0);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = directory() / "socket";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const bool device = mknod((directory() / "device").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
  for (const uint32_t mode : {kR, kRPlus, kW, kWPlus, kA, kAPlus}) {
    EXPECT_EQ(refused("fifo", mode), uint32_t{EACCES});
    EXPECT_EQ(refused("socket", mode), uint32_t{EACCES});
    EXPECT_EQ(refused("sub", mode), uint32_t{EISDIR});
    if (device) {
      EXPECT_EQ(refused("device", mode), uint32_t{EACCES});
    }
  }
  for (const std::string name : {"fifo", "socket", "sub", "sub/", ".", ".."}) {
    EXPECT_EQ(remove(name), kFailed) << name;
    EXPECT_EQ(rename(name, "got"), kFailed) << name;
    EXPECT_EQ(rename("file", name), kFailed) << name;
  }
  EXPECT_EQ(text(directory() / "file"), "content");
  close(listener);
}

TEST_F(SemihostingTest, NothingWithoutADirectory) {
  make("");
  EXPECT_EQ(refused("file", kR), uint32_t{EACCES});
  EXPECT_EQ(remove("file"), kFailed);
  EXPECT_EQ(rename("file", "got"), kFailed);
  EXPECT_EQ(text(directory() / "file"), "content");
}

TEST_F(SemihostingTest, OpenFilesAreBounded) {
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(open("file", kR), i + 1);
  EXPECT_EQ(refused("file", kW), uint32_t{EMFILE});
  EXPECT_EQ(refused("other", kW), uint32_t{EMFILE});
  EXPECT_EQ(text(directory() / "file"), "content");
  EXPECT_FALSE(fs::exists(directory() / "other"));
  EXPECT_EQ(call(kClose, {17}), 0u);
  EXPECT_EQ(open("file", kR), 17u);
}

TEST_F(SemihostingTest, FilesEndWhereSeekEnds) {
  const uint32_t file = open("large", kW);
  EXPECT_EQ(call(kSeek, {file, 0xfffffffe}), 0u);
  EXPECT_EQ(write(file, "abc"), 2u);
  EXPECT_EQ(error(), uint32_t{EFBIG});
  EXPECT_EQ(fs::file_size(directory() / "large"), 0xffffffffu);
  EXPECT_EQ(call(kFlen, {file}), kFailed);
  const uint32_t more = open("large", kA);
  EXPECT_EQ(write(more, "a"), 1u);
  EXPECT_EQ(fs::file_size(directory() / "large"), 0xffffffffu);
}

TEST_F(SemihostingTest, TheLimitOfTheHostIsAnError) {
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit low{4096, old.rlim_max};
  const uint32_t file = open("limited", kW);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const uint32_t left = call(kWrite, {file, 0x40002000, 6000});
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, old_action);
  EXPECT_EQ(left, 6000u - 4096u);
  EXPECT_EQ(error(), uint32_t{EFBIG});
}

// A guest may ask for gigabytes, and for a string without an end.
TEST_F(SemihostingTest, LongOperationsEndWithTheMachine) {
  constexpr uint32_t kMuch = 0xf0000000, kLooks = 5;
  text(directory() / "file", "");
  fs::resize_file(directory() / "file", uint64_t{3} << 30);
  const uint32_t console = open(":tt", 4), errors = open(":tt", 8), in = open("file", kR), out = open("out", kW);
  for (const uint32_t handle : {console, errors, out}) {
    looks_ = 0;
    looks_until_stop_ = kLooks;
    const uint32_t left = call(kWrite, {handle, 0x40000000, kMuch});
    EXPECT_LT(left, kMuch);
    EXPECT_GE(left, kMuch - (kLooks + 1) * 4096);
    EXPECT_EQ(error(), uint32_t{EINTR});
  }
  looks_ = 0;
  EXPECT_GE(call(kRead, {in, 0x40000000, kMuch}), kMuch - (kLooks + 1) * 4096);
  looks_ = 0;
  memset_ram('x');
  written_ = 0;
  EXPECT_EQ(call_at(kWrite0, 0x40000000), kFailed);
  EXPECT_LE(written_, (kLooks + 1) * 4096);
}

TEST(SemihostingFiles, BadDirectoriesAreErrors) {
  for (const char* path : {"/nonexistent/directory", "/etc/passwd"}) {
    const auto opened = SemihostingFiles::open_directory(path);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().find("--semihosting-files"), std::string::npos);
    EXPECT_NE(opened.error().find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace crosswalk::vmm
