// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-blk (virtio 1.1, 5.2) on a file or block device.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "translator/base/counter.h"
#include "translator/base/result.h"
#include "vmm/devices/virtio_mmio.h"

namespace crosswalk::vmm {

struct BlockCounters {
  uint64_t reads = 0, writes = 0, flushes = 0, errors = 0;
  uint64_t bytes_read = 0, bytes_written = 0;
};
inline constexpr Counter<BlockCounters> kBlockCounters[] = {
    {"reads", &BlockCounters::reads},     {"bytes read", &BlockCounters::bytes_read, CounterUnit::Bytes},
    {"writes", &BlockCounters::writes},   {"bytes written", &BlockCounters::bytes_written, CounterUnit::Bytes},
    {"flushes", &BlockCounters::flushes}, {"errors", &BlockCounters::errors},
};

class VirtioBlock final : public VirtioDevice {
 public:
  static constexpr uint64_t kSector = 512;
  // The most data of one request; more is an I/O error. A driver that heeds seg_max and size_max
  // stays below.
  static constexpr uint64_t kMaxRequestBytes = uint64_t{1} << 30;

  struct RequestHeader {
    uint32_t type, reserved;
    uint64_t sector;
  };
  // Plain data; the disk's content is not of it.
  struct State {
    bool write_through = true;
    RequestHeader header{};  // of the request that is in progress
  };
  // Tells a disk from another one, and from what it was before it was written to.
  struct Identity {
    std::string path;
    uint64_t sectors = 0;
    uint64_t changed = 0;  // when its file was, in nanoseconds since 1970; 0 for block devices
  };

  // Locks the file. `any_format`: also a file that looks like an image of another format, as it is.
  static Result<std::unique_ptr<VirtioBlock>> open(const std::string& path, bool read_only, bool any_format = false);
  ~VirtioBlock() override;

  uint32_t device_id() const override { return 2; }
  uint64_t features() const override;
  unsigned queue_count() const override { return 1; }
  uint8_t config_byte(uint32_t offset) const override;
  Progress process(unsigned queue, Chain& chain) override;
  void set_features(uint64_t negotiated) override;
  // As the transport's.
  State save() const { return {write_through_, header_}; }
  void restore(const State& state);
  Identity identity() const;
  void add_statistics(StatisticsTable& table) const override;

 private:
  VirtioBlock(int fd, bool read_only, uint64_t bytes, std::string path);
  // Each is one turn and returns a status byte (VIRTIO_BLK_S_*), or nothing when there is more to
  // do. chain.position counts the data that was transferred, or discarded.
  std::optional<uint8_t> read(Chain& chain, uint64_t sector);
  std::optional<uint8_t> write(Chain& chain, uint64_t sector);
  std::optional<uint8_t> discard(Chain& chain, bool write_zeroes);
  std::optional<uint8_t> dispatch(Chain& chain);
  bool in_range(uint64_t sector, uint64_t bytes) const;
  // Whether the file is still there for a write: one that somebody has cut is not made longer
  // again.
  bool backed(uint64_t sector, uint64_t bytes) const;
  // The status of a write that got so far: makes it stable, if it is to be when it completes.
  uint8_t finish_write();

  int fd_;
  bool read_only_;
  // 5.2.6.2: without VIRTIO_BLK_F_FLUSH a write is stable when it completes.
  std::atomic<bool> write_through_{true};
  uint64_t file_bytes_;  // when opened
  // capacity: the last may lie partly behind the end of the file, and reads as zeros there
  uint64_t sectors_;
  std::string path_;
  RequestHeader header_{};  // of the request that is in progress
  uint8_t config_[60] = {};
  BlockCounters counters_;
};

}  // namespace crosswalk::vmm
