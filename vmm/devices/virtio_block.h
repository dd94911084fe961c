// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-blk (virtio 1.1, 5.2) on a file or block device.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "vmm/devices/virtio_mmio.h"
#include "vmm/result.h"

namespace crosswalk::vmm {

class VirtioBlock final : public VirtioDevice {
 public:
  static constexpr uint64_t kSector = 512;

  // Locks the file. `any_format`: also a file that looks like an image of another format, as it is.
  static Result<std::unique_ptr<VirtioBlock>> open(const std::string& path, bool read_only, bool any_format = false);
  ~VirtioBlock() override;

  uint32_t device_id() const override { return 2; }
  uint64_t features() const override;
  unsigned queue_count() const override { return 1; }
  uint8_t config_byte(uint32_t offset) const override;
  uint32_t process(unsigned queue, const Chain& chain) override;
  void set_features(uint64_t negotiated) override;
  void add_statistics(StatisticsTable& table) const override;

 private:
  VirtioBlock(int fd, bool read_only, uint64_t bytes, std::string path);
  // Each returns a status byte (VIRTIO_BLK_S_*). `bytes` counts data transferred to the guest.
  uint8_t read(const Chain& chain, uint64_t sector, uint64_t& bytes);
  uint8_t write(const Chain& chain, uint64_t sector);
  uint8_t discard(const Chain& chain, bool write_zeroes);
  bool in_range(uint64_t sector, uint64_t bytes) const;
  // Whether the file is still there for a write: one that somebody has cut is not made longer again.
  bool backed(uint64_t sector, uint64_t bytes) const;
  // The status of a write that got so far: makes it stable, if it is to be when it completes.
  uint8_t finish_write();

  int fd_;
  bool read_only_;
  // 5.2.6.2: without VIRTIO_BLK_F_FLUSH a write is stable when it completes.
  std::atomic<bool> write_through_{true};
  uint64_t file_bytes_;  // when opened
  uint64_t sectors_;     // capacity: the last may lie partly behind the end of the file, and reads as zeros there
  std::string path_;
  uint8_t config_[60] = {};
  uint64_t reads_ = 0, writes_ = 0, flushes_ = 0, errors_ = 0, bytes_read_ = 0, bytes_written_ = 0;
};

}  // namespace crosswalk::vmm
