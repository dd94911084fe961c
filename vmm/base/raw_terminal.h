// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <mutex>

namespace crosswalk::vmm {

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
