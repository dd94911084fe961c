// SPDX-License-Identifier: GPL-2.0-or-later
// The console's way to stdout. Guest CPUs put bytes into a ring without a system call; the I/O
// thread drains it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "vmm/devices/io_notifier.h"

namespace crosswalk::vmm {

class ConsoleOutput {
 public:
  // `fd` may be -1: output is discarded.
  explicit ConsoleOutput(int fd);

  // Bytes that has_room() promises: more than all CPUs write before they look for queued work.
  static constexpr size_t kRoom = 4 << 10;

  // Told of bytes that were put.
  void set_notifier(IoNotifier* notifier) { notifier_ = notifier; }

  // ---- CPU threads, with the device lock held ----
  bool has_room() const {
    return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_acquire) < kRing - kRoom;
  }
  // Precondition: wait_for_room() since the last kRoom bytes, or close() (the byte is then given up
  // when the ring is full).
  void put(uint8_t byte);
  // Waits while stdout does not take more. Never with the device lock: the I/O thread needs it to
  // go on.
  void wait_for_room() const;
  // Releases a waiting wait_for_room().
  void close() { closed_.store(true); }

  // ---- the I/O thread ----
  // Room for and output from devices that run on the I/O thread.
  bool has_io_room() const { return pending_.size() < kRing; }
  void put_from_io_thread(std::string_view text) {
    const std::lock_guard lock(write_lock_);
    pending_.append(text);
  }
  bool has_output() const;
  // Writes once, at most what a pipe takes without blocking when poll said so. Returns false when
  // stdout is gone (its output is then discarded) or took nothing.
  bool write_output();
  int fd() const { return fd_; }

  // ---- any thread ----
  // Text of Crosswalk's own, to be printed among the guest's output.
  void add_notice(std::string_view text);
  // Writes what is left, while the I/O thread is in a system call that does not end: as long as
  // stdout takes something within so many milliseconds. Nothing when that call is the write to
  // stdout itself.
  void write_rest(int milliseconds);
  uint64_t bytes() const { return bytes_; }

 private:
  enum class Written : uint8_t { All, Some, Nothing };
  Written write_once();

  static constexpr size_t kRing = 64 << 10;  // power of two
  static constexpr size_t kMaxNotices = 4 << 10;
  static constexpr size_t kMaxWrite = 4096;  // PIPE_BUF: what poll's POLLOUT promises of a pipe

  int fd_;
  IoNotifier* notifier_ = nullptr;
  std::atomic<bool> closed_{false};
  std::unique_ptr<uint8_t[]> ring_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
  std::mutex write_lock_;  // held during the write
  // taken from the ring or from I/O-thread devices, not yet written; guarded by write_lock_
  std::string pending_;
  std::mutex notice_lock_;
  std::string notices_;                  // guarded by notice_lock_
  std::atomic<size_t> notice_bytes_{0};  // notices_.size()
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace crosswalk::vmm
