// SPDX-License-Identifier: GPL-2.0-or-later
// The console's way from stdin. Input is read by the control thread and delivered by the I/O
// thread, as far as the receiving device has room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "vmm/devices/io_notifier.h"

namespace crosswalk::vmm {

// A device that takes console input. Called on the I/O thread with the device lock held.
class InputSink {
 public:
  virtual ~InputSink() = default;
  virtual size_t input_room() const = 0;
  // Precondition: bytes <= input_room().
  virtual void input(const uint8_t* data, size_t bytes) = 0;
};

// Keys that QEMU's -nographic gives a meaning: Ctrl-A x, Ctrl-A h, Ctrl-A b, Ctrl-A Ctrl-A; and
// Ctrl-A i, the guest's state; Ctrl-A s, a snapshot; Ctrl-A p, the guest's power button. Another
// key can have the place of Ctrl-A.
class EscapeFilter {
 public:
  static constexpr uint8_t kCtrlA = 1;
  explicit EscapeFilter(uint8_t key = kCtrlA) : key_(key) {}
  uint8_t key() const { return key_; }

  enum class Action : uint8_t { None, Quit, Help, State, Snapshot, Break, PowerButton };
  // What a piece of input asked for.
  struct Asked {
    bool quit = false, help = false, state = false, snapshot = false, line_break = false, power = false;
  };
  // Appends what the guest shall see of `byte` to `out`.
  Action feed(uint8_t byte, std::string& out);

 private:
  uint8_t key_;
  bool escaped_ = false;
};

class ConsoleInput {
 public:
  // `fd` may be -1: no input. Escape keys are recognised when `escapes`; `key` begins them.
  ConsoleInput(int fd, bool escapes, uint8_t key) : fd_(fd), escapes_(escapes), filter_(key) {}

  // Told when wanted() may have become true.
  void set_notifier(IoNotifier* notifier) { notifier_ = notifier; }

  // ---- the control thread ----
  // Reads available input into the buffer that deliver() empties. Returns what escape keys asked
  // for.
  EscapeFilter::Asked read();
  // Input waits where it comes from until the guest has taken what came before. But a terminal's is
  // always read, since escape keys may be in it: what the guest does not take is lost beyond
  // kMaxBytes bytes, as on a real line.
  bool wanted() const { return fd_ >= 0 && (escapes_ || !has_input()); }
  int fd() const { return fd_; }
  uint8_t escape_key() const { return filter_.key(); }

  // ---- the I/O thread ----
  // Hands buffered input to `sink`, with the device lock held.
  void deliver(InputSink& sink);

  // ---- any thread ----
  bool has_input() const { return buffered_.load() != 0; }
  // False: all input has come, and was delivered.
  bool open() const { return fd_ >= 0 || has_input(); }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kMaxBytes = 64 << 10;

  std::atomic<int> fd_;  // -1 after the end of input
  bool escapes_;
  EscapeFilter filter_;
  IoNotifier* notifier_ = nullptr;
  std::mutex lock_;
  std::string buffer_;               // guarded by lock_
  std::atomic<size_t> buffered_{0};  // buffer_.size()
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace crosswalk::vmm
