// SPDX-License-Identifier: GPL-2.0-or-later
// virtio-9p: a folder of the host, by the protocol 9P2000.L. Linux, include/uapi/linux/virtio_9p.h,
// has the device; virtio 1.1 reserves its ID (5) without a section. Queue 0 has requests: a message
// in the readable part of a chain, and room for the reply in the writable part.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "translator/base/result.h"
#include "vmm/devices/virtio_mmio.h"
#include "vmm/share/folder.h"
#include "vmm/share/session.h"
#include "vmm/share/share_config.h"

namespace crosswalk::vmm {

class Virtio9p final : public VirtioDevice {
 public:
  // `max_files`: how many files of the folder the guest may hold at a time.
  static Result<std::unique_ptr<Virtio9p>> open(const ShareConfig& config, size_t max_files);

  uint32_t device_id() const override { return 9; }
  uint64_t features() const override;
  unsigned queue_count() const override { return 1; }
  uint8_t config_byte(uint32_t offset) const override;
  Progress process(unsigned queue, Chain& chain) override;
  void reset() override;
  void add_statistics(StatisticsTable& table) const override;

  // The calling thread makes all further calls of process(), and reaches no other files.
  void confine_thread() const { folder_->confine_thread(); }
  // Whether the guest holds files of the folder: these cannot be saved with the machine's state.
  // Any thread.
  bool has_session() const { return has_session_.load(); }

 private:
  Virtio9p(std::string tag, std::unique_ptr<Folder> folder, size_t max_files)
      : tag_(std::move(tag)), folder_(std::move(folder)), session_(*folder_, max_files) {}

  std::string tag_;
  std::unique_ptr<Folder> folder_;
  Session session_;
  // The session is ended by the device's thread, before the next request.
  std::atomic<bool> was_reset_{false};
  std::atomic<bool> has_session_{false};
  std::vector<uint8_t> message_ = std::vector<uint8_t>(Session::kMaxMessageBytes + 1),
                       reply_ = std::vector<uint8_t>(Session::kMaxMessageBytes);
};

}  // namespace crosswalk::vmm
