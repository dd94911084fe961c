// SPDX-License-Identifier: GPL-2.0-or-later
// The serial console's way to stdin and stdout. Guest CPUs put bytes into a ring without a system
// call; the I/O thread drains it. Input is read by the control thread and delivered by the I/O
// thread, as far as the receiving device has room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace crosswalk::vmm {

// Asks a thread, mostly the I/O thread, to look at its work.
class IoNotifier {
 public:
  virtual ~IoNotifier() = default;
  // Callable from any thread. Work that is not urgent may be noticed a few milliseconds later,
  // without a system call.
  virtual void notify(bool urgent) = 0;
};

// A device that takes console input. Called on the I/O thread with the device lock held.
class InputSink {
 public:
  virtual ~InputSink() = default;
  virtual size_t input_room() const = 0;
  // Precondition: bytes <= input_room().
  virtual void input(const uint8_t* data, size_t bytes) = 0;
};

// Keys that QEMU's -nographic gives a meaning: Ctrl-A x, Ctrl-A h, Ctrl-A Ctrl-A; and Ctrl-A i, the
// guest's state.
class EscapeFilter {
 public:
  enum class Action : uint8_t { None, Quit, Help, State };
  // What a piece of input asked for.
  struct Asked {
    bool quit = false, help = false, state = false;
  };
  // Appends what the guest shall see of `byte` to `out`.
  Action feed(uint8_t byte, std::string& out);

 private:
  bool escaped_ = false;
};

class Console {
 public:
  // `input_fd` may be -1: no input. Escape keys are recognised when `escapes`.
  Console(int input_fd, int output_fd, bool escapes);

  static constexpr size_t kRoom = 64;  // bytes that has_room() promises

  // ---- CPU threads, with the device lock held ----
  bool has_room() const {
    return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_acquire) < kRing - kRoom;
  }
  // Precondition: wait_for_room since the last kRoom bytes, or close() (the byte is then given up
  // when the ring is full).
  void put(uint8_t byte);
  void set_notifier(IoNotifier* notifier) { notifier_ = notifier; }
  // Told when wants_input() may have become true.
  void set_input_notifier(IoNotifier* notifier) { input_notifier_ = notifier; }
  // Waits while stdout does not take more. Never with the device lock: the I/O thread needs it to
  // go on.
  void wait_for_room() const;
  // Releases a waiting wait_for_room().
  void close() { closed_.store(true); }

  // ---- the I/O thread ----
  // Room for and output from devices that run on the I/O thread.
  bool has_io_room() const { return pending_.size() < kRing; }
  void put_from_io_thread(std::string_view text) {
    const std::lock_guard lock(output_lock_);
    pending_.append(text);
  }
  bool has_output() const;
  // Writes once, at most what a pipe takes without blocking when poll said so. Returns false when
  // stdout is gone (its output is then discarded) or took nothing.
  bool write_output();
  // Hands buffered input to `sink`, with the device lock held.
  void deliver_input(InputSink& sink);
  int output_fd() const { return output_fd_; }
  uint64_t bytes_out() const { return bytes_out_; }

  // ---- the control thread ----
  // Reads available input into the buffer that deliver_input empties. Returns what escape keys
  // asked for.
  EscapeFilter::Asked read_input();
  // Input waits where it comes from until the guest has taken what came before. But a terminal's is
  // always read, since escape keys may be in it: what the guest does not take is lost beyond
  // kMaxInput bytes, as on a real line.
  bool wants_input() const { return input_fd_ >= 0 && (escapes_ || !has_input()); }
  int input_fd() const { return input_fd_; }
  // Text of Crosswalk's own, to be printed among the guest's output.
  void add_notice(std::string_view text);

  // ---- any thread ----
  // Writes what is left, while the I/O thread is in a system call that does not end: as long as
  // stdout takes something within so many milliseconds. Nothing when that call is the write to
  // stdout itself.
  void write_rest(int milliseconds);
  bool has_input() const { return input_bytes_.load() != 0; }
  // False: all input has come, and was delivered.
  bool input_open() const { return input_fd_ >= 0 || has_input(); }
  uint64_t bytes_in() const { return bytes_in_; }

 private:
  enum class Written : uint8_t { All, Some, Nothing };
  Written write_once();

  static constexpr size_t kRing = 64 << 10;  // power of two
  static constexpr size_t kMaxInput = 64 << 10, kMaxNotices = 4 << 10;
  static constexpr size_t kMaxWrite = 4096;  // PIPE_BUF: what poll's POLLOUT promises of a pipe

  std::atomic<int> input_fd_;  // -1 after the end of input
  int output_fd_;
  bool escapes_;
  EscapeFilter filter_;
  IoNotifier *notifier_ = nullptr, *input_notifier_ = nullptr;
  std::atomic<bool> closed_{false};
  std::unique_ptr<uint8_t[]> ring_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
  std::mutex output_lock_;  // held during the write
  // taken from the ring or from I/O-thread devices, not yet written; guarded by output_lock_
  std::string pending_;
  std::mutex input_lock_;
  std::string input_, notices_;          // guarded by input_lock_
  std::atomic<size_t> input_bytes_{0};   // input_.size()
  std::atomic<size_t> notice_bytes_{0};  // notices_.size()
  std::atomic<uint64_t> bytes_out_{0}, bytes_in_{0};
};

// Puts the terminal on `fd` into raw mode. It is restored by the destructor, and by a small
// guardian process should this one die without running it.
class RawTerminal {
 public:
  // Does nothing when `fd` is not a terminal.
  explicit RawTerminal(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  bool active() const { return guardian_pipe_ >= 0; }
  // What the destructor does, earlier, and perhaps by several threads. Waits a short time at most.
  void restore();
  // Makes it raw again when this process is in the foreground: a shell takes the terminal back from
  // a stopped job, and does not know what it was like. Nothing after restore().
  void resume();

 private:
  int fd_ = -1;
  std::mutex lock_;                     // no resume() after the restore has begun
  std::atomic<int> guardian_pipe_{-1};  // closing it makes the guardian restore the terminal
  int guardian_pid_ = -1;
};

}  // namespace crosswalk::vmm
