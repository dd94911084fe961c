// SPDX-License-Identifier: GPL-2.0-or-later
// Disk images and the host: who may use them, what is no raw image, and files whose size is not
// what it was.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/vmm/sync_count.h"
#include "tests/vmm/test_files.h"
#include "vmm/devices/disk_format.h"
#include "vmm/devices/virtio_block.h"

namespace crosswalk::vmm {
namespace {

std::atomic<unsigned>& syncs() {
  static std::atomic<unsigned> count;
  return count;
}

std::vector<uint8_t> content(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(i * 7 + i / 512);
  return data;
}

std::string error_of(const std::string& path, bool read_only, bool any_format = false) {
  const auto opened = VirtioBlock::open(path, read_only, any_format);
  return opened ? "" : opened.error();
}

TEST(DiskLock, OneWriterOrManyReaders) {
  const TestFile file(content(4096));
  {
    const auto writer = VirtioBlock::open(file.path(), false);
    ASSERT_TRUE(writer) << writer.error();
    for (const bool read_only : {false, true}) {
      const std::string error = error_of(file.path(), read_only);
      EXPECT_NE(error.find(file.path()), std::string::npos) << error;
      EXPECT_NE(error.find("open for writing"), std::string::npos) << error;
    }
  }
  const auto reader = VirtioBlock::open(file.path(), true), another = VirtioBlock::open(file.path(), true);
  ASSERT_TRUE(reader) << reader.error();
  ASSERT_TRUE(another) << another.error();
  const std::string error = error_of(file.path(), false);
  EXPECT_NE(error.find("readonly"), std::string::npos) << error;
}

TEST(DiskLock, EndsWithTheDisk) {
  const TestFile file(content(4096));
  for (const bool read_only : {false, true, false}) EXPECT_EQ(error_of(file.path(), read_only), "");
}

// The bytes that QEMU 7.2 locks for a virtio-blk device.
TEST(DiskLock, IsWhatQemuLocks) {
  const TestFile file(content(4096));
  for (const bool read_only : {false, true}) {
    const auto disk = VirtioBlock::open(file.path(), read_only);
    ASSERT_TRUE(disk) << disk.error();
    const int fd = open(file.path().c_str(), O_RDWR);
    std::string held;
    for (off_t at = 0; at < 300; ++at) {
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_start = at;
      lock.l_len = 1;
      ASSERT_EQ(fcntl(fd, F_OFD_GETLK, &lock), 0);
      if (lock.l_type != F_UNLCK) held += std::to_string(at) + (lock.l_type == F_RDLCK ? "r " : "w ");
    }
    EXPECT_EQ(held, read_only ? "100r 201r " : "100r 101r 201r ");
    close(fd);
  }
}

TEST(DiskFormat, ForeignFilesAreRefusedWithTheCommandThatConverts) {
  struct Case {
    size_t at;
    std::string magic;
    const char* what;
    const char* command;
  };
  const Case cases[] = {
      {0, std::string("QFI\xfb\0\0\0\3", 8), "qcow2", "qemu-img convert -O raw"},
      {0, "KDMV", "VMDK", "qemu-img convert -O raw"},
      {0, "# Disk DescriptorFile\nversion=1", "VMDK", "qemu-img convert -O raw"},
      {0, "conectix", "VHD", "qemu-img convert -O raw"},
      {8192 - 512, "conectix", "VHD", "qemu-img convert -O raw"},
      {0, "vhdxfile", "VHDX", "qemu-img convert -O raw"},
      {64, "\x7f\x10\xda\xbe", "VDI", "qemu-img convert -O raw"},
      {0, "\x1f\x8b\x08", "gzip", "gzip -dc"},
      {0, std::string("\xfd\x37zXZ\0", 6), "xz", "xz -dc"},
      {0, "\x28\xb5\x2f\xfd", "zstd", "zstd -d"},
      {0, "BZh9", "bzip2", "bzip2 -dc"},
      {0, "PK\3\4", "zip", "unzip"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    std::vector<uint8_t> data(8192, 'x');
    std::memcpy(data.data() + c.at, c.magic.data(), c.magic.size());
    const TestFile file(data);
    for (const bool read_only : {false, true}) {
      const std::string error = error_of(file.path(), read_only);
      for (const std::string& part :
           {file.path(), std::string(c.what), std::string(c.command), std::string("format=raw")})
        EXPECT_NE(error.find(part), std::string::npos) << error;
      EXPECT_EQ(error.find('\n'), std::string::npos);
      EXPECT_EQ(error_of(file.path(), read_only, true), "");
    }
    ++data[c.at];
    EXPECT_EQ(error_of(TestFile(data).path(), false), "");
  }
}

TEST(DiskFormat, CommandsQuoteNames) {
  const TestFile file({0x1f, 0x8b, 0x08, 0});
  const int fd = open(file.path().c_str(), O_RDONLY);
  const auto found = find_foreign_format(fd, 4, "my 'disk'");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->command, R"(gzip -dc 'my '\''disk'\''' > 'my '\''disk'\''.raw')");
  close(fd);
}

TEST(DiskFormat, FifosAreNotWaitedFor) {
  const std::string path = "/tmp/crosswalk-test-fifo-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const bool read_only : {false, true}) EXPECT_NE(error_of(path, read_only).find("neither"), std::string::npos);
  unlink(path.c_str());
}

class DiskTest : public testing::Test {
 protected:
  void open(size_t bytes) {
    file_ = std::make_unique<TestFile>(content(bytes));
    auto opened = VirtioBlock::open(file_->path(), false);
    ASSERT_TRUE(opened) << opened.error();
    disk_ = std::move(*opened);
  }
  uint8_t request(uint32_t type, uint64_t sector, std::vector<uint8_t> data, bool to_device) {
    struct {
      uint32_t type, reserved;
      uint64_t sector;
    } header{type, 0, sector};
    uint8_t status = 0xee;
    Chain chain;
    chain.readable.push_back({reinterpret_cast<uint8_t*>(&header), 0, sizeof header});
    if (!data.empty())
      (to_device ? chain.readable : chain.writable).push_back({data.data(), 0, static_cast<uint32_t>(data.size())});
    chain.writable.push_back({&status, 0, 1});
    while (!disk_->process(0, chain).done) {
    }
    return status;
  }
  uint8_t write(uint64_t sector, size_t bytes) {
    return request(VIRTIO_BLK_T_OUT, sector, std::vector<uint8_t>(bytes, 'W'), true);
  }
  uint8_t write_zeroes(uint64_t sector, uint32_t sectors, uint32_t type = VIRTIO_BLK_T_WRITE_ZEROES) {
    std::vector<uint8_t> segment(16);
    std::memcpy(segment.data(), &sector, 8);
    std::memcpy(segment.data() + 8, &sectors, 4);
    return request(type, 0, segment, true);
  }
  uint64_t size() const { return std::filesystem::file_size(file_->path()); }
  void resize(uint64_t bytes) { std::filesystem::resize_file(file_->path(), bytes); }

  std::unique_ptr<TestFile> file_;
  std::unique_ptr<VirtioBlock> disk_;
};

TEST_F(DiskTest, AFileThatWasCutIsNotMadeLongerAgain) {
  open(8192);
  resize(1024);
  EXPECT_EQ(write(0, 1024), VIRTIO_BLK_S_OK);
  EXPECT_EQ(write(1, 1024), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(write(15, 512), VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(write_zeroes(8, 8), VIRTIO_BLK_S_IOERR);
  write_zeroes(8, 8, VIRTIO_BLK_T_DISCARD);  // advice: either answer will do
  EXPECT_EQ(size(), 1024u);
  resize(8192);
  EXPECT_EQ(write(15, 512), VIRTIO_BLK_S_OK);
}

TEST_F(DiskTest, TheLastSectorOfAnOddFileCanBeWritten) {
  open(1000);
  EXPECT_EQ(write(1, 512), VIRTIO_BLK_S_OK);
  EXPECT_EQ(size(), 1024u);
}

TEST_F(DiskTest, TheLimitOfTheHostIsAnError) {
  open(1000);
  const auto old_action = signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit low{1000, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const uint8_t beyond = write(1, 512), within = write(0, 512);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, old_action);
  EXPECT_EQ(beyond, VIRTIO_BLK_S_IOERR);
  EXPECT_EQ(within, VIRTIO_BLK_S_OK);
}

// virtio 1.1, 5.2.6.2.
TEST_F(DiskTest, WithoutFlushAWriteIsStableWhenItCompletes) {
  open(65536);
  const auto syncs_of = [&](auto act) {
    const unsigned before = sync_count();
    EXPECT_EQ(act(), VIRTIO_BLK_S_OK);
    return sync_count() - before;
  };
  const auto out = [&] { return write(0, 512); };
  const auto zeroes = [&] { return write_zeroes(8, 8); };
  EXPECT_EQ(syncs_of(out), 1u);
  EXPECT_EQ(syncs_of(zeroes), 1u);
  disk_->set_features(uint64_t{1} << VIRTIO_BLK_F_FLUSH);
  EXPECT_EQ(syncs_of(out), 0u);
  EXPECT_EQ(syncs_of(zeroes), 0u);
  EXPECT_EQ(syncs_of([&] { return request(VIRTIO_BLK_T_FLUSH, 0, {}, true); }), 1u);
  disk_->set_features(uint64_t{1} << VIRTIO_BLK_F_DISCARD);
  EXPECT_EQ(syncs_of(out), 1u);
}

}  // namespace

unsigned sync_count() { return syncs(); }

}  // namespace crosswalk::vmm

extern "C" int fdatasync(int fd) {
  ++crosswalk::vmm::syncs();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
